"""`python -m tools.quotas`: checks that the account's quotas allow the settings. `make deploy` runs it first.

Quotas are looked up by name in Service Quotas. The usage of other deployments in the account is not counted, because
Service Quotas does not report it.

Exit codes: 0 enough, 1 a quota is too small, 3 the settings are wrong, 4 AWS returned an error.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from stacks.scoring.compute import pools
from stacks.settings import Settings
from stacks.settings.problems import SettingsError

BLUE_GREEN = 2
"""During a model's update, old and new instances run together."""

STANDARD = (
    "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
)
GPU = ("Running On-Demand G and VT instances", "All G and VT Spot Instance Requests")
FARGATE = ("Fargate On-Demand vCPU resource count", "Fargate Spot vCPU resource count")


@dataclass(frozen=True, kw_only=True)
class Need:
    """`name` is the quota's name in Service Quotas, `service` its service code; `why` names the settings."""

    service: str
    name: str
    amount: int
    why: str


@dataclass(frozen=True)
class Quota:
    code: str
    value: float


def needs(settings: Settings) -> Iterator[Need]:
    """The maximum of each quota that the deployment can use at once."""
    by_pool = pools(settings.worker)
    on_ec2 = settings.worker.compute == "ec2"
    service = "ec2" if on_ec2 else "fargate"
    on_demand, spot = (GPU if settings.worker.gpus else STANDARD) if on_ec2 else FARGATE
    why = f"a part of worker.max_vcpus = {settings.worker.max_vcpus}"
    yield Need(service=service, name=on_demand, amount=by_pool["OnDemand"], why=why)
    yield Need(service=service, name=spot, amount=by_pool["Spot"], why=why)
    instances: Counter[str] = Counter()
    for model in settings.models:
        if model.serving.serverless_memory_mib is None:
            instances[model.serving.instance_type] += model.serving.maximum_count
    for instance_type, count in sorted(instances.items()):
        why = f"{count} of the models' instances, twice while a model is replaced (blue/green)"
        yield Need(service="sagemaker", name=f"{instance_type} for endpoint usage", amount=BLUE_GREEN * count, why=why)


def quotas(client: Any, service: str) -> Mapping[str, Quota]:
    """The account's quotas by name: the applied value, or AWS's default."""
    found: dict[str, Quota] = {}
    for operation in ("list_aws_default_service_quotas", "list_service_quotas"):  # the applied value wins
        for page in client.get_paginator(operation).paginate(ServiceCode=service):
            found |= {quota["QuotaName"]: Quota(quota["QuotaCode"], quota["Value"]) for quota in page["Quotas"]}
    return found


def main() -> int:
    try:
        required = list(needs(Settings.load(Path(__file__).resolve().parents[1])))
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    try:
        client: Any = boto3.client("service-quotas")
        found = {service: quotas(client, service) for service in {need.service for need in required}}
    except (ClientError, BotoCoreError) as error:
        print(f"error: Service Quotas returned an error: {error}", file=sys.stderr)
        print(
            "Allow servicequotas:ListServiceQuotas and ListAWSDefaultServiceQuotas, or skip the check:",
            file=sys.stderr,
        )
        print("make deploy QUOTAS=ignore", file=sys.stderr)
        return 4
    return report(required, found)


def report(required: list[Need], found: Mapping[str, Mapping[str, Quota]]) -> int:
    """Print a line for each need; returns the exit code."""
    too_small = 0
    for need in required:
        quota = found[need.service].get(need.name)
        if quota is None:
            print(f"?     {need.name}: no quota has this name; needs {need.amount} ({need.why}). Check the console")
        elif quota.value >= need.amount:
            print(f"ok    {need.name}: {quota.value:g}, needs {need.amount}")
        else:
            too_small += 1
            print(f"FAIL  {need.name}: {quota.value:g}, needs {need.amount} ({need.why})")
            print(
                f"      aws service-quotas request-service-quota-increase --service-code {need.service} "
                f"--quota-code {quota.code} --desired-value {need.amount}"
            )
    return 1 if too_small else 0


if __name__ == "__main__":
    sys.exit(main())
