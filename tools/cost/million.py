"""What a million rows cost on top of what stands: the workers' time, requests, and bytes on their way."""

from __future__ import annotations

from math import ceil

from stacks.settings import ServedModel
from tools.cost.idle import Prices
from tools.cost.templates import Configuration

ROWS = 1_000_000
GIB = 1 << 30
FARGATE_LEAST_SECONDS = 60


def million(configuration: Configuration, prices: Prices) -> dict[str, float]:
    """US dollars for one file of a million rows, by what they are for. Its model is the default route's."""
    settings, assumed = configuration.settings, prices["assumed"]
    model = next(each for each in settings.models if each.name == settings.routes["default"].model)
    size = ROWS * assumed["row_bytes"]
    shards = max(1, ceil(size / (settings.worker.shard_mib << 20)))
    bodies = max(shards, ceil(size / model.max_payload_bytes))
    return {
        "workers, on spot": _workers(configuration, prices, shards),
        "serverless inference": _serverless(model, prices, size),
        "bytes through the network": _bytes(configuration, prices, size),
        "requests, events, logs": _requests(configuration, prices, shards, bodies),
    }


def _workers(configuration: Configuration, prices: Prices, shards: int) -> float:
    worker, hour, assumed = configuration.settings.worker, prices["hour"]["worker"], prices["assumed"]
    jobs = shards + (1 if shards > 1 else 0)  # and the one that puts the shards' scores together
    each = max(FARGATE_LEAST_SECONDS, assumed["start_seconds"] + ROWS / assumed["rows_a_second"] / shards)
    hourly = worker.vcpus * hour[f"{worker.compute}_vcpu_{worker.architecture}"]
    if worker.compute == "fargate":
        hourly += worker.memory_mib / 1024 * hour[f"fargate_gib_{worker.architecture}"]
    return float(jobs * each / 3600 * hourly * hour["spot_share"])


def _serverless(model: ServedModel, prices: Prices, size: int) -> float:
    memory_mib = model.serving.serverless_memory_mib
    if memory_mib is None:
        return 0.0
    seconds = ROWS / prices["assumed"]["rows_a_second"]
    return float(seconds * prices["second"]["serverless"][str(memory_mib)] + size / GIB * prices["gib"]["serverless"])


def _bytes(configuration: Configuration, prices: Prices, size: int) -> float:
    """To the endpoint and back; S3 and DynamoDB are reached by gateway endpoints, which cost nothing."""
    door = "interface_endpoint" if configuration.settings.network.mode == "endpoints" else "nat_gateway"
    there_and_back = size + ROWS * prices["assumed"]["score_bytes"]
    return float(there_and_back / GIB * prices["gib"][door])


def _requests(configuration: Configuration, prices: Prices, shards: int, bodies: int) -> float:
    """A generous count: each shard writes its part and its record, the worker says once a body how far it is."""
    each, jobs = prices["each"], shards + 1
    objects = 4 * jobs + ROWS * prices["assumed"]["score_bytes"] / (8 << 20)
    requests = objects * each["s3_put"] + 12 * jobs * each["s3_get"] + 20 * jobs * each["kms_request"]
    table = (8 * jobs + bodies) * each["dynamodb_write"] + 10 * jobs * each["dynamodb_read"]
    functions = 6 * jobs * (each["lambda_request"] + 0.25 * each["lambda_gib_second"] + each["event"])
    trail = 16 * jobs * each["data_event"] if configuration.settings.storage.data_events else 0.0
    logs = jobs * prices["assumed"]["log_bytes_a_job"] / GIB * prices["gib"]["log"]
    return float(requests + table + functions + trail + logs)
