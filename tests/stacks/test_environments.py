"""What the stacks write into each environment is what the code reads out of it."""

from __future__ import annotations

from collections.abc import Mapping

from dropscore.allowance import Allowance
from dropscore.routes import Model
from dropscore.runtime import SubmitSettings, TrackSettings, WorkerSettings
from tests.stacks.building import VERSION, Templates, only, rendered
from tests.stacks.conftest import Build
from tests.stacks.test_hosting import TWO_MODELS
from tests.stacks.test_worker import BIG

FROM_BATCH = {"AWS_BATCH_JOB_ID": "job", "AWS_BATCH_JOB_ATTEMPT": "1"}


def test_submit_reads_what_the_stack_writes(templates: Templates) -> None:
    settings = SubmitSettings.from_env(_function(templates, "Submit"))
    assert "Jobs" in settings.jobs_table
    assert "Bucket" in settings.bucket
    assert "Queue" in settings.job_queue
    assert "WorkerScore" in settings.job_definition
    assert settings.job_ttl_days == 90
    assert settings.routes["default"].model == "fraud"
    _is_the_fraud_model(settings.models["fraud"])


def test_submit_reads_every_model_and_route(build_template: Build) -> None:
    settings = SubmitSettings.from_env(_function(build_template(TWO_MODELS), "Submit"))
    routes = {name: route.model for name, route in settings.routes.items()}
    assert routes == {"default": "fraud", "cards": "credit-card"}
    assert set(settings.models) == {"fraud", "credit-card"}
    assert settings.models["fraud"].endpoint != settings.models["credit-card"].endpoint


def test_track_reads_what_the_stack_writes(templates: Templates) -> None:
    assert "Jobs" in TrackSettings.from_env(_function(templates, "Track")).jobs_table


def test_the_worker_reads_what_the_stack_writes(templates: Templates) -> None:
    settings = WorkerSettings.from_env({**_job(templates), **FROM_BATCH})
    assert "Jobs" in settings.jobs_table
    assert "Bucket" in settings.bucket
    assert settings.in_flight == 4
    _is_the_fraud_model(settings.models["fraud"])


def test_the_worker_reads_changed_settings(build_template: Build) -> None:
    assert WorkerSettings.from_env({**_job(build_template(BIG)), **FROM_BATCH}).in_flight == 7


def test_the_worker_reads_how_many_bad_rows_a_route_bears(build_template: Build) -> None:
    settings = WorkerSettings.from_env({**_job(build_template({"routes.default.max_bad_rows": "0.5%"})), **FROM_BATCH})
    assert Allowance.parse(settings.routes["default"].max_bad_rows) == Allowance(percent=0.5)


def test_the_environments_hold_nothing_that_nobody_reads(templates: Templates) -> None:
    where = {"JOBS_TABLE", "BUCKET", "MODELS", "ROUTES"}
    assert set(_job(templates)) == where | {"IN_FLIGHT"}
    assert set(_function(templates, "Track")) == {"JOBS_TABLE"}
    assert set(_function(templates, "Submit")) == where | {"JOB_QUEUE", "JOB_DEFINITION", "JOB_TTL_DAYS"}


def models_of(templates: Templates) -> Mapping[str, Model]:
    """The models as the worker that is deployed by these templates sees them."""
    return WorkerSettings.from_env({**_job(templates), **FROM_BATCH}).models


def _is_the_fraud_model(model: object) -> None:
    expected = {"name": "fraud", "version": VERSION, "body_limit_bytes": 5_000_000, "features": 30}
    assert {key: getattr(model, key) for key in expected} == expected
    assert "FraudEndpoint" in getattr(model, "endpoint", "")


def _function(templates: Templates, name: str) -> dict[str, str]:
    variables = only(templates.scoring, "AWS::Lambda::Function", name)["Environment"]["Variables"]
    return {key: rendered(value) for key, value in variables.items()}


def _job(templates: Templates) -> dict[str, str]:
    container = only(templates.scoring, "AWS::Batch::JobDefinition")["ContainerProperties"]
    return {each["Name"]: rendered(each["Value"]) for each in container["Environment"]}
