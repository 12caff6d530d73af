"""The variables that the stacks write are those that the code reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from dropscore.jobs.input_keys import Inputs
from dropscore.jobs.options import Options
from dropscore.jobs.routes import Model
from dropscore.settings import ReconcileSettings, SubmitSettings, TrackSettings, WorkerSettings
from stacks.settings.problems import SettingsError
from tests.stacks.building import VERSION, Templates, build_templates, digest_of, only, rendered
from tests.stacks.conftest import Build
from tests.stacks.hosting.test_hosting import TWO_MODELS
from tests.stacks.scoring.test_worker import BIG

OWN_CONTAINER = {"models.fraud.artifact": None, "models.fraud.container": "mine"}
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


def test_submit_and_reconcile_read_which_files_are_inputs(templates: Templates, build_template: Build) -> None:
    names = ["*.tsv", "unload/*", "übung*.csv"]
    built = build_template({"inputs.names": names})
    for function in ("Submit", "Reconcile"):
        assert SubmitSettings.from_env(_function(templates, function)).inputs == Inputs()
        assert SubmitSettings.from_env(_function(built, function)).inputs.names == tuple(names)


def test_the_command_line_finds_routes_and_inputs_in_the_outputs(build_template: Build) -> None:
    names = ["*.tsv", "übung*.csv"]
    outputs = build_template({**TWO_MODELS, "inputs.names": names}).storage["Outputs"]
    assert all(outputs[name]["Value"].isascii() for name in ("InputNames", "RouteNames"))
    assert json.loads(outputs["InputNames"]["Value"]) == names
    assert json.loads(outputs["RouteNames"]["Value"]) == ["cards", "default"]


def test_track_reads_what_the_stack_writes(templates: Templates) -> None:
    assert "Jobs" in TrackSettings.from_env(_function(templates, "Track")).jobs_table


def test_the_worker_reads_what_the_stack_writes(templates: Templates) -> None:
    settings = WorkerSettings.from_env({**_job(templates), **FROM_BATCH})
    assert "Jobs" in settings.jobs_table
    assert "Bucket" in settings.bucket
    assert settings.max_concurrent_requests == 4
    assert (len(settings.image), settings.shard) == (64, None)
    _is_the_fraud_model(settings.models["fraud"])


def test_the_worker_reads_changed_settings(build_template: Build) -> None:
    assert WorkerSettings.from_env({**_job(build_template(BIG)), **FROM_BATCH}).max_concurrent_requests == 7


def test_submit_reads_the_options_of_every_route(build_template: Build) -> None:
    options = {"max_bad_rows": "0.5%", "header": True, "exclude": ["label", 3], "id": "customer", "output": "id"}
    options |= {"delimiter": "\t", "threshold": 0.25, "labels": ["good", "bad"], "score_names": ["fraud"]}
    settings = {f"routes.cards.{key}": value for key, value in {"model": "fraud", **options}.items()}
    routes = SubmitSettings.from_env(_function(build_template(settings), "Submit")).routes
    assert routes["default"].options == Options()
    assert routes["cards"].options == Options.parse(options, "")


def test_reconcile_reads_what_the_stack_writes(build_template: Build) -> None:
    env = _function(build_template({"reconcile.window_hours": 24, "reconcile.grace_minutes": 0}), "Reconcile")
    settings = ReconcileSettings.from_env(env)
    assert (settings.window_hours, settings.grace_minutes) == (24, 0)
    assert SubmitSettings.from_env(env).bucket == settings.bucket


def test_the_environments_hold_nothing_that_nobody_reads(templates: Templates) -> None:
    where = {"JOBS_TABLE", "BUCKET", "ENVIRONMENT", "MODELS"}
    assert set(_job(templates)) == where | {"MAX_CONCURRENT_REQUESTS", "WORKER_IMAGE"}
    assert set(_function(templates, "Track")) == {"JOBS_TABLE", "BUCKET"}
    assert set(_function(templates, "Submit")) == where | {
        "ROUTES",
        "INPUTS",
        "JOB_QUEUE",
        "JOB_DEFINITION",
        "JOB_TTL_DAYS",
        "SHARD_BYTES",
    }


def test_submit_is_told_the_size_of_a_shard_in_bytes(templates: Templates, build_template: Build) -> None:
    for built, mebibytes in ((templates, 256), (build_template(BIG), 3)):
        assert SubmitSettings.from_env(_function(built, "Submit")).shard_bytes == mebibytes * 1024 * 1024


@pytest.mark.parametrize("names", [300, 220])  # 220 names exceed 3500 bytes only as Lambda counts: escaped quotes
def test_more_options_than_a_function_has_room_for_are_refused_before_deployment(tmp_path: Path, names: int) -> None:
    columns = [f"column_{number:03}" for number in range(names)]
    fix = r"models, routes and names of inputs together take \d{4} bytes of the 3500 .*; select columns by number"
    with pytest.raises(SettingsError, match=fix):
        build_templates(tmp_path, {"routes.default.columns": columns})


def test_a_hundred_and_fifty_names_of_columns_have_room(build_template: Build) -> None:
    columns = [f"column_{number:03}" for number in range(150)]
    submit = _function(build_template({"routes.default.columns": columns}), "Submit")
    assert SubmitSettings.from_env(submit).routes["default"].options.columns == tuple(columns)


def test_the_worker_is_told_which_image_it_is(templates: Templates) -> None:
    image = only(templates.scoring, "AWS::Batch::JobDefinition")["ContainerProperties"]["Image"]["Fn::Sub"]
    tag = _job(templates)["WORKER_IMAGE"]
    assert len(tag) == 64
    assert image.endswith(f":{tag}")


def test_a_model_carries_the_digest_of_its_archive(templates: Templates, build_template: Build) -> None:
    assert models_of(templates)["fraud"].digest == digest_of(templates.outdir.parent / "model.tar.gz")
    assert models_of(build_template(OWN_CONTAINER))["fraud"].digest is None


def models_of(templates: Templates) -> Mapping[str, Model]:
    """The models as a worker with these templates reads them."""
    return WorkerSettings.from_env({**_job(templates), **FROM_BATCH}).models


def _is_the_fraud_model(model: object) -> None:
    expected = {"name": "fraud", "version": VERSION, "max_payload_bytes": 5_000_000, "features": 30}
    assert {key: getattr(model, key) for key in expected} == expected
    assert getattr(model, "endpoint", "") == "dropscore-dev-fraud"


def _function(templates: Templates, name: str) -> dict[str, str]:
    variables = only(templates.scoring, "AWS::Lambda::Function", name)["Environment"]["Variables"]
    return {key: rendered(value) for key, value in variables.items()}


def _job(templates: Templates) -> dict[str, str]:
    container = only(templates.scoring, "AWS::Batch::JobDefinition")["ContainerProperties"]
    return {each["Name"]: rendered(each["Value"]) for each in container["Environment"]}
