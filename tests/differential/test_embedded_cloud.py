"""The same random files on the embedded cloud: uploaded to its bucket, scored by its worker and models."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from dropscore.jobs.job import State
from model_tools.importing.command import import_artifact
from tests.differential.case import Case, case_of
from tests.differential.engine import Outcome, difference
from tests.differential.models import MODELS, write_raw
from tests.e2e.conftest import Driver, cloud_of

FILES = int(os.environ.get("DROPSCORE_CLOUD_FILES", "5"))
FIRST = 1_000_000

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("differential")]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    folder = tmp_path_factory.mktemp("models")
    settings = [
        f'[routes.default]\nmodel = "{MODELS[0].label}"',
        "[reconcile]\nevery_minutes = 1440\ngrace_minutes = 0",
    ]
    for model in MODELS:
        artifact = folder / f"{model.label}.tar.gz"
        import_artifact(write_raw(model, folder), artifact)
        settings += [
            f'[models.{model.label}]\nartifact = "{artifact}"\nmax_payload_bytes = 20000',
            f'[routes.{model.label}]\nmodel = "{model.label}"',
        ]
    file = folder / "dropscore.toml"
    file.write_text("\n\n".join(settings))
    with cloud_of(file, tmp_path_factory.mktemp("cloud")) as running:
        yield Driver(running)


def _dropped(driver: Driver, case: Case) -> str:
    key = f"input/{case.model.label}/{case.seed}.csv" + (".gz" if case.is_compressed else "")
    driver.drop(f"{key}.job.json", json.dumps(case.options).encode())
    return driver.drop(key, case.dropped)


def _outcome(driver: Driver, identity: str) -> Outcome:
    job = driver.ended(identity)
    return Outcome(driver.read(job.output_key) if job.status is State.SUCCEEDED else None, job.code or "")


def test_files_are_scored_as_their_owner_would(driver: Driver) -> None:
    cases = [case_of(seed) for seed in range(FIRST, FIRST + FILES)]
    identities = [_dropped(driver, case) for case in cases]
    differences = {
        case.seed: difference(case, _outcome(driver, identity))
        for case, identity in zip(cases, identities, strict=True)
    }
    assert {seed: found for seed, found in differences.items() if found} == {}
