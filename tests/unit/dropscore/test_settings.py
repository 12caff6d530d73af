from __future__ import annotations

import pytest

from dropscore.errors import ConfigurationError
from dropscore.settings import SubmitSettings, TrackSettings, WorkerSettings

MODELS = '{"fraud": {"endpoint": "e", "version": "0123456789ab", "max_payload_bytes": 5000000, "features": 30}}'
ENV = {
    "JOBS_TABLE": "jobs",
    "BUCKET": "bucket",
    "ENVIRONMENT": "test",
    "JOB_QUEUE": "queue",
    "JOB_DEFINITION": "definition",
    "MODELS": MODELS,
    "ROUTES": '{"default": {"model": "fraud"}}',
    "INPUTS": '["*.csv", "*.csv.gz"]',
    "JOB_TTL_DAYS": "90",
    "MAX_CONCURRENT_REQUESTS": "4",
    "SHARD_BYTES": "268435456",
    "WORKER_IMAGE": "abc",
    "AWS_BATCH_JOB_ID": "batch",
    "AWS_BATCH_JOB_ATTEMPT": "1",
}


def test_each_process_reads_its_environment() -> None:
    assert SubmitSettings.from_env(ENV).routes["default"].model == "fraud"
    assert SubmitSettings.from_env(ENV).inputs.names == ("*.csv", "*.csv.gz")
    assert TrackSettings.from_env(ENV).jobs_table == "jobs"
    assert WorkerSettings.from_env(ENV).models["fraud"].max_payload_bytes == 5_000_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"JOBS_TABLE": ""}, "JOBS_TABLE is missing"),
        ({"JOB_TTL_DAYS": "many"}, "JOB_TTL_DAYS is not a whole number"),
        ({"MODELS": "fraud"}, "MODELS is not a JSON object"),
        ({"MODELS": '{"fraud": {"endpont": "e"}}'}, "MODELS is not as expected"),
        ({"INPUTS": "*.csv"}, "INPUTS is not a JSON list"),
        ({"INPUTS": "[]"}, "INPUTS is not a JSON list"),
        ({"INPUTS": '["*.csv", 1]'}, "INPUTS is not a JSON list"),
        ({"ROUTES": '{"claims": {"model": "fraud"}}'}, "needs a default route"),
        ({"ROUTES": '{"default": {"model": "none"}}'}, "a model of MODELS"),
        ({"ROUTES": '{"default": {"modle": "none"}}'}, "ROUTES is not as expected"),
        ({"ROUTES": '{"default": {"model": "fraud", "hedaer": true}}'}, "did you mean header"),
        ({"ROUTES": '{"default": {"model": "fraud", "priority": 10000}}'}, "route 'default' has no priority"),
    ],
)
def test_a_wrong_environment_is_named(change: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        SubmitSettings.from_env(ENV | change)


def test_a_shard_is_told_by_batch() -> None:
    assert WorkerSettings.from_env(ENV).shard is None
    assert WorkerSettings.from_env(ENV | {"AWS_BATCH_JOB_ARRAY_INDEX": "7"}).shard == 7
