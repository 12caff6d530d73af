"""The objects with the models' feature names: who receives their keys, and who may read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dropscore.jobs.routes import StoredNames
from dropscore.settings import SubmitSettings, WorkerSettings
from tests.stacks.building import (
    MODEL,
    Json,
    Templates,
    build_templates,
    listed,
    manifest,
    only,
    pack,
    rendered,
    statements,
)
from tests.stacks.scoring.test_environment import FROM_BATCH, _function, _job

NAMES = [f"feature number {number}" for number in range(1000)]
READERS = ["IntakeSubmitRole", "ReconciliationReconcileRole", "WorkerRoleDefault"]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Two models; one has named features, too many for an environment variable."""
    folder = tmp_path_factory.mktemp("named")
    described = manifest(features=len(NAMES), feature_names=NAMES)
    pack(folder / "named.tar.gz", {"model.ubj": MODEL, "manifest.json": described})
    return build_templates(folder, {"models.churn.artifact": "named.tar.gz", "routes.churn.model": "churn"})


def _stored(templates: Templates) -> StoredNames:
    stored = WorkerSettings.from_env({**_job(templates), **FROM_BATCH}).models["churn"].feature_names
    assert stored is not None
    return stored


def test_the_object_that_is_published_holds_the_names(named: Templates) -> None:
    assets: Json = json.loads((named.outdir / "Scoring.assets.json").read_text())["files"]
    (asset,) = [each for each in assets.values() if _stored(named).key in str(each["destinations"])]
    assert json.loads((named.outdir / asset["source"]["path"]).read_text()) == NAMES


def test_submit_reconcile_and_workers_are_told_of_it(named: Templates) -> None:
    for name in ("Submit", "Reconcile"):
        models = SubmitSettings.from_env(_function(named, name)).models
        assert models["churn"].feature_names == _stored(named)
        assert models["fraud"].feature_names is None


@pytest.mark.parametrize("role", READERS)
def test_who_reads_it_may_read_that_object_and_no_other(named: Templates, templates: Templates, role: str) -> None:
    allowed, before = (
        [
            (each["Action"], rendered(resource))
            for each in statements(built.scoring, role)
            for resource in listed(each["Resource"])
            if "cdk-" in rendered(resource)
        ]
        for built in (named, templates)
    )
    assert before == []
    ((action, resource),) = allowed
    assert action == "s3:GetObject"
    assert resource.endswith(f"-assets-${{AWS::AccountId}}-${{AWS::Region}}/{_stored(named).key}")


def test_the_workers_way_to_s3_lets_it_through(named: Templates) -> None:
    endpoint = only(named.scoring, "AWS::EC2::VPCEndpoint", "S3")
    resources = [rendered(arn) for each in endpoint["PolicyDocument"]["Statement"] for arn in listed(each["Resource"])]
    assert sum(arn.endswith(f"/{_stored(named).key}") for arn in resources) == 1


def test_a_deployment_without_names_knows_nothing_of_them(templates: Templates) -> None:
    assert "FeatureNames" not in json.dumps(templates.scoring)
    assert "FEATURE_NAMES" not in json.dumps(templates.scoring)
    assert "feature_names" not in json.dumps(templates.scoring)


def test_the_same_names_are_the_same_object_for_another_model(named: Templates, tmp_path: Path) -> None:
    """A worker of an older deployment may read them, and knows that they also belong to the new model."""
    described = manifest(features=len(NAMES), feature_names=NAMES, trees=7)
    pack(tmp_path / "named.tar.gz", {"model.ubj": MODEL, "manifest.json": described})
    again = build_templates(tmp_path, {"models.churn.artifact": "named.tar.gz", "routes.churn.model": "churn"})
    assert _stored(again) == _stored(named)
