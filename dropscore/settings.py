"""The environment variables of each process, read once at its start. The stacks set them (schema/environment.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from dropscore.errors import ConfigurationError
from dropscore.jobs.input_keys import Inputs
from dropscore.jobs.options import Options
from dropscore.jobs.routes import DEFAULT_ROUTE, Model, Route, StoredNames
from schema import environment
from schema.options import PRIORITIES


@dataclass(frozen=True, kw_only=True)
class SubmitSettings:
    jobs_table: str
    bucket: str
    environment: str
    job_queue: str
    job_definition: str
    models: Mapping[str, Model]
    routes: Mapping[str, Route]
    inputs: Inputs
    job_ttl_days: int
    shard_bytes: int

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        models = _models(env)
        return cls(
            jobs_table=_required(env, environment.JOBS_TABLE),
            bucket=_required(env, environment.BUCKET),
            environment=_required(env, environment.ENVIRONMENT),
            job_queue=_required(env, environment.JOB_QUEUE),
            job_definition=_required(env, environment.JOB_DEFINITION),
            models=models,
            routes=_routes(env, models),
            inputs=_inputs(env),
            job_ttl_days=_integer(env, environment.JOB_TTL_DAYS),
            shard_bytes=_integer(env, environment.SHARD_BYTES),
        )


@dataclass(frozen=True, kw_only=True)
class TrackSettings:
    jobs_table: str
    bucket: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        return cls(jobs_table=_required(env, environment.JOBS_TABLE), bucket=_required(env, environment.BUCKET))


@dataclass(frozen=True, kw_only=True)
class AnnounceSettings:
    bucket: str
    environment: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        return cls(bucket=_required(env, environment.BUCKET), environment=_required(env, environment.ENVIRONMENT))


@dataclass(frozen=True, kw_only=True)
class ReconcileSettings:
    """`reconcile` ignores files older than the window, and files and jobs younger than the grace period."""

    bucket: str
    environment: str
    window_hours: int
    grace_minutes: int

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        return cls(
            bucket=_required(env, environment.BUCKET),
            environment=_required(env, environment.ENVIRONMENT),
            window_hours=_integer(env, environment.RECONCILE_WINDOW_HOURS),
            grace_minutes=_integer(env, environment.RECONCILE_GRACE_MINUTES),
        )


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """`batch_job_id`, `attempt` and, in an array, `shard` come from AWS Batch; the first two name the job's owner."""

    jobs_table: str
    bucket: str
    environment: str
    models: Mapping[str, Model]
    max_concurrent_requests: int
    image: str
    batch_job_id: str
    attempt: int
    shard: int | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        return cls(
            jobs_table=_required(env, environment.JOBS_TABLE),
            bucket=_required(env, environment.BUCKET),
            environment=_required(env, environment.ENVIRONMENT),
            models=_models(env),
            max_concurrent_requests=_integer(env, environment.MAX_CONCURRENT_REQUESTS),
            image=_required(env, environment.WORKER_IMAGE),
            batch_job_id=_required(env, "AWS_BATCH_JOB_ID"),
            attempt=_integer(env, "AWS_BATCH_JOB_ATTEMPT"),
            shard=_integer(env, "AWS_BATCH_JOB_ARRAY_INDEX") if "AWS_BATCH_JOB_ARRAY_INDEX" in env else None,
        )


def _required(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise ConfigurationError(f"the environment variable {name} is missing; redeploy the stacks, which set it")
    return env[name]


def _integer(env: Mapping[str, str], name: str) -> int:
    try:
        return int(_required(env, name))
    except ValueError:
        raise ConfigurationError(
            f"the environment variable {name} is not a whole number: {env[name]!r}; redeploy the stacks, which set it"
        ) from None


def _json(env: Mapping[str, str], name: str) -> dict[str, dict[str, Any]]:
    try:
        return dict(json.loads(_required(env, name)))
    except ValueError:
        raise ConfigurationError(
            f"the environment variable {name} is not a JSON object; redeploy the stacks, which set it"
        ) from None


def _inputs(env: Mapping[str, str]) -> Inputs:
    try:
        names = json.loads(_required(env, environment.INPUTS))
    except ValueError:
        names = None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ConfigurationError("the environment variable INPUTS is not a JSON list of patterns")
    return Inputs(tuple(names))


def _models(env: Mapping[str, str]) -> dict[str, Model]:
    try:
        return {name: _model(name, dict(fields), env) for name, fields in _json(env, environment.MODELS).items()}
    except TypeError as error:
        raise ConfigurationError(f"the environment variable MODELS is not as expected: {error}") from None


def _model(name: str, fields: dict[str, Any], env: Mapping[str, str]) -> Model:
    key = fields.pop("feature_names", None)
    stored = None if key is None else StoredNames(_required(env, environment.FEATURE_NAMES_BUCKET), key)
    return Model(name=name, feature_names=stored, **fields)


def _routes(env: Mapping[str, str], models: Mapping[str, Model]) -> dict[str, Route]:
    routes = {name: _route(name, dict(fields)) for name, fields in _json(env, environment.ROUTES).items()}
    if DEFAULT_ROUTE not in routes or any(route.model not in models for route in routes.values()):
        raise ConfigurationError("ROUTES needs a default route, and each route a model of MODELS; redeploy the stacks")
    return routes


def _route(name: str, fields: dict[str, Any]) -> Route:
    model, priority = fields.pop("model", None), fields.pop("priority", 0)
    if not isinstance(model, str):
        raise ConfigurationError(f"the environment variable ROUTES is not as expected: route {name!r} has no model")
    if priority not in PRIORITIES:
        raise ConfigurationError(f"the environment variable ROUTES is not as expected: route {name!r} has no priority")
    return Route(name=name, model=model, options=Options.parse(fields, f"routes.{name}"), priority=priority)
