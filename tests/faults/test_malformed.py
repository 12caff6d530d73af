"""Realistic files: each ends with its own code, without a crash, and no row content is repeated."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.case import sampled
from tests.faults.endpoint import Model, model_error, scores
from tests.faults.laboratory import Laboratory
from tests.faults.malformed import FILES, SMALL_BOMB, File
from tests.faults.schedule import Answer
from tests.faults.upload import CANARY
from tests.faults.verdict import end_of, violations

sys.path.insert(0, str(Path(__file__).parents[2] / "containers"))
from model.serving.formats import csv_rows
from model.serving.formats.schema import Schema
from model.serving.refusal import RefusalError

PARAMETERS = [pytest.param(f, id=f.name.replace(" ", "-"), marks=sampled(n)) for n, f in enumerate(FILES)]


class StrictModel(Model):
    """Refuses what the model container refuses, with the container's own parser and three features."""

    def _answer(self, body: bytes) -> Answer:
        try:
            csv_rows.parse(body, Schema(features=3))
        except RefusalError as refusal:
            return model_error(refusal.status, refusal.to_json().decode())
        return self.scored(scores(body))


@pytest.mark.parametrize("file", PARAMETERS)
def test_a_malformed_file_ends_with_its_code(
    file: File, lab: Laboratory, report_line: Callable[[str, str, str], None]
) -> None:
    lab.model = StrictModel()
    lab.features = file.features
    lab.order |= SMALL_BOMB
    if file.job_options is not None:
        lab.cloud.put(f"{file.key}.job.json", file.job_options)
    upload = lab.score(lab.put(file.data, file.key))
    seen = [end_of(lab, upload), *violations(lab, upload, scores(file.data if file.sent is None else file.sent))]
    report_line(f"file: {file.name}", file.ends, "; ".join(seen))
    assert seen == [file.ends]
    assert lab.batch.attempts <= 1, "a row that the model refuses costs at most one attempt"


def test_the_canary_stands_in_the_files_that_are_scored() -> None:
    assert sum(CANARY in file.data for file in FILES) > 5
