"""Builds the environment variables of the functions and the worker; dropscore/settings.py reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from schema import environment
from stacks.hosting.endpoint import Endpoint
from stacks.scoring.feature_names import FeatureNames
from stacks.scoring.worker import Worker
from stacks.settings.problems import SettingsError
from stacks.settings.routes import RouteSettings
from stacks.settings.workers import WorkerSettings
from stacks.storage.stack import Storage

ROUTING_BYTES = 3_500
"""Of the 4096 bytes that AWS Lambda allows for a function's environment; the rest is for names and ARNs."""


class Environments:
    """Raises SettingsError if models and routes do not fit into a function's environment."""

    def __init__(
        self,
        *,
        env: str,
        worker: WorkerSettings,
        job_ttl_days: int,
        routes: Mapping[str, RouteSettings],
        input_patterns: Sequence[str],
        storage: Storage,
        endpoints: Sequence[Endpoint],
        names: FeatureNames,
    ) -> None:
        self._worker, self._job_ttl_days = worker, job_ttl_days
        self.storage_names = {
            environment.JOBS_TABLE: storage.jobs.table_name,
            environment.BUCKET: storage.bucket.bucket_name,
        }
        self.deployment_names = {
            environment.ENVIRONMENT: env,
            environment.BUCKET: storage.bucket.bucket_name,
        }
        self._models, self._routes = _models(endpoints, names.keys), _routes(routes)
        self._inputs = json.dumps(list(input_patterns))
        self._names = names.environment
        _check_size(self._models + self._routes + self._inputs)

    def for_worker(self) -> dict[str, str]:
        max_concurrent_requests = str(self._worker.max_concurrent_requests)
        return {
            **self.storage_names,
            **self.deployment_names,
            environment.MODELS: self._models,
            **self._names,
            environment.MAX_CONCURRENT_REQUESTS: max_concurrent_requests,
        }

    def for_submission(self, worker: Worker) -> dict[str, str]:
        """Return the environment of the functions that submit jobs to `worker`."""
        return {
            **self.storage_names,
            **self.deployment_names,
            environment.MODELS: self._models,
            **self._names,
            environment.ROUTES: self._routes,
            environment.INPUTS: self._inputs,
            environment.JOB_QUEUE: worker.queue.job_queue_arn,
            environment.JOB_DEFINITION: worker.job_definition.job_definition_arn,
            environment.JOB_TTL_DAYS: str(self._job_ttl_days),
            environment.SHARD_BYTES: str(self._worker.shard_mib << 20),
        }


def _models(endpoints: Sequence[Endpoint], names: Mapping[str, str]) -> str:
    """Return what the runtime needs of each model, as JSON; `names` holds the S3 keys of the feature names by model."""
    models = {endpoint.model.name: _model(endpoint, names.get(endpoint.model.name)) for endpoint in endpoints}
    return json.dumps(models)


def _model(endpoint: Endpoint, names: str | None) -> dict[str, str | int | None]:
    properties: dict[str, str | int | None] = {
        "endpoint": endpoint.endpoint_name,
        "version": endpoint.version,
        "max_payload_bytes": endpoint.model.max_payload_bytes,
        "features": endpoint.model.features,
        "digest": endpoint.model.digest,
    }
    if endpoint.component_name is not None:
        properties["component"] = endpoint.component_name
    if names is not None:
        properties["feature_names"] = names
    return properties


def _routes(routes: Mapping[str, RouteSettings]) -> str:
    return json.dumps({name: route.spelled_out() for name, route in routes.items()})


def _check_size(routing: str) -> None:
    """Check before the deployment, which would fail half-way. AWS Lambda measures an environment as escaped JSON."""
    size = len(json.dumps(routing))
    if size > ROUTING_BYTES:
        raise SettingsError(
            f"dropscore.toml: models, routes and names of inputs together take {size} bytes of the {ROUTING_BYTES} "
            "that fit into a function's environment; select columns by number, or with `exclude` if that is "
            "shorter than `columns`"
        )
