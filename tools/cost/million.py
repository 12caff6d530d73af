"""The cost of a million rows on top of the idle cost: worker time, requests and network traffic."""

from __future__ import annotations

from math import ceil

from stacks.settings import ServedModel
from tools.cost.idle import Prices
from tools.cost.templates import Configuration

ROWS = 1_000_000
GIB = 1 << 30
FARGATE_LEAST_SECONDS = 60


def million(configuration: Configuration, prices: Prices) -> dict[str, float]:
    """US dollars for one file of a million rows by purpose, scored by the default route's model."""
    settings, assumed = configuration.settings, prices["assumed"]
    model = next(model for model in settings.models if model.name == settings.routes["default"].model)
    size = ROWS * assumed["row_bytes"]
    shards = max(1, ceil(size / (settings.worker.shard_mib << 20)))
    requests = max(shards, ceil(size / model.max_payload_bytes))
    return {
        "workers, on spot": _workers(configuration, prices, shards),
        "serverless inference": _serverless(model, prices, size),
        "bytes through the network": _bytes(configuration, prices, size),
        "requests, events, logs": _requests(configuration, prices, shards, requests),
    }


def _workers(configuration: Configuration, prices: Prices, shards: int) -> float:
    worker, hour, assumed = configuration.settings.worker, prices["hour"]["worker"], prices["assumed"]
    jobs = shards + (1 if shards > 1 else 0)  # plus the job that publishes the shards' scores
    job_seconds = max(FARGATE_LEAST_SECONDS, assumed["start_seconds"] + ROWS / assumed["rows_a_second"] / shards)
    hourly = worker.vcpus * hour[f"{worker.compute}_vcpu_{worker.architecture}"]
    if worker.compute == "fargate":
        hourly += worker.memory_mib / 1024 * hour[f"fargate_gib_{worker.architecture}"]
    return float(jobs * job_seconds / 3600 * hourly * hour["spot_share"])


def _serverless(model: ServedModel, prices: Prices, size: int) -> float:
    memory_mib = model.serving.serverless_memory_mib
    if memory_mib is None:
        return 0.0
    seconds = ROWS / prices["assumed"]["rows_a_second"]
    return float(seconds * prices["second"]["serverless"][str(memory_mib)] + size / GIB * prices["gib"]["serverless"])


def _bytes(configuration: Configuration, prices: Prices, size: int) -> float:
    """Traffic to and from the endpoint; S3 and DynamoDB use gateway endpoints, which are free."""
    gateway = "interface_endpoint" if configuration.settings.network.mode == "endpoints" else "nat_gateway"
    traffic_bytes = size + ROWS * prices["assumed"]["score_bytes"]
    return float(traffic_bytes / GIB * prices["gib"][gateway])


def _requests(configuration: Configuration, prices: Prices, shards: int, requests: int) -> float:
    """An upper estimate: each shard writes its part and its record, and the worker saves its progress per request."""
    unit, jobs = prices["each"], shards + 1
    objects = 4 * jobs + ROWS * prices["assumed"]["score_bytes"] / (8 << 20)
    request_dollars = objects * unit["s3_put"] + 12 * jobs * unit["s3_get"] + 20 * jobs * unit["kms_request"]
    table = (8 * jobs + requests) * unit["dynamodb_write"] + 10 * jobs * unit["dynamodb_read"]
    functions = 6 * jobs * (unit["lambda_request"] + 0.25 * unit["lambda_gib_second"] + unit["event"])
    trail = 16 * jobs * unit["data_event"] if configuration.settings.storage.data_events else 0.0
    logs = jobs * prices["assumed"]["log_bytes_a_job"] / GIB * prices["gib"]["log"]
    return float(request_dollars + table + functions + trail + logs)
