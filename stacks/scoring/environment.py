"""What the processes of scoring are told in their environment variables; dropscore/settings.py reads them."""

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
"""Of the 4096 that AWS Lambda has for a function's environment; the rest is for names and ARNs."""


class Environments:
    """Raises SettingsError where models and routes are too many words for a function."""

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
        self.where = {environment.JOBS_TABLE: storage.jobs.table_name, environment.BUCKET: storage.bucket.bucket_name}
        self.named = {environment.ENVIRONMENT: env, environment.BUCKET: storage.bucket.bucket_name}
        self._models, self._routes = _models(endpoints, names.keys), _routes(routes)
        self._inputs = json.dumps(list(input_patterns))
        self._names = names.environment
        _check_room(self._models + self._routes + self._inputs)

    def of_worker(self) -> dict[str, str]:
        max_concurrent_requests = str(self._worker.max_concurrent_requests)
        return {
            **self.where,
            **self.named,
            environment.MODELS: self._models,
            **self._names,
            environment.MAX_CONCURRENT_REQUESTS: max_concurrent_requests,
        }

    def of_submission(self, worker: Worker) -> dict[str, str]:
        """Of whoever submits jobs to `worker`."""
        return {
            **self.where,
            **self.named,
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
    """What the runtime knows of each model; `names` are the keys of the objects that name a model's features."""
    return json.dumps({each.model.name: _model(each, names.get(each.model.name)) for each in endpoints})


def _model(endpoint: Endpoint, names: str | None) -> dict[str, str | int | None]:
    known: dict[str, str | int | None] = {
        "endpoint": endpoint.endpoint_name,
        "version": endpoint.version,
        "max_payload_bytes": endpoint.model.max_payload_bytes,
        "features": endpoint.model.features,
        "digest": endpoint.model.digest,
    }
    if endpoint.component_name is not None:
        known["component"] = endpoint.component_name
    if names is not None:
        known["feature_names"] = names
    return known


def _routes(routes: Mapping[str, RouteSettings]) -> str:
    return json.dumps({name: route.spelled_out() for name, route in routes.items()})


def _check_room(routing: str) -> None:
    """Or the deployment would fail half-way. AWS Lambda measures an environment as JSON, each quote with its escape."""
    size = len(json.dumps(routing))
    if size > ROUTING_BYTES:
        raise SettingsError(
            f"dropscore.toml: models, routes and names of inputs together take {size} bytes of the {ROUTING_BYTES} "
            "that fit into a function's environment; name columns by number, or by `exclude` where that is "
            "shorter than `columns`"
        )
