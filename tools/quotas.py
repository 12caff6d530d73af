"""`python -m tools.quotas`: does the account's quota allow what dropscore.toml asks for? `make deploy` asks this first.

Quotas are found by their names in Service Quotas, never by codes written down here. What other deployments in the
account use of a quota is not counted: Service Quotas does not report it.

Exit codes: 0 enough, 1 a quota is too small, 3 the settings are wrong, 4 AWS answered with an error.
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
"""While a new model is brought in, the instances of the old one still stand."""

STANDARD = (
    "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
)
GPU = ("Running On-Demand G and VT instances", "All G and VT Spot Instance Requests")
FARGATE = ("Fargate On-Demand vCPU resource count", "Fargate Spot vCPU resource count")


@dataclass(frozen=True, kw_only=True)
class Need:
    """`name` is the quota's own name in Service Quotas, `service` its service code; `why` names the settings."""

    service: str
    name: str
    amount: int
    why: str


@dataclass(frozen=True)
class Quota:
    code: str
    value: float


def needs(settings: Settings) -> Iterator[Need]:
    """The most of each quota that the deployment can use at one moment."""
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
            instances[model.serving.instance_type] += model.serving.most
    for kind, count in sorted(instances.items()):
        why = f"{count} of the models' instances, twice while a model is replaced (blue/green)"
        yield Need(service="sagemaker", name=f"{kind} for endpoint usage", amount=BLUE_GREEN * count, why=why)


def quotas(client: Any, service: str) -> Mapping[str, Quota]:
    """What applies to the account, by name; where nothing was ever applied, AWS's default."""
    found: dict[str, Quota] = {}
    for operation in ("list_aws_default_service_quotas", "list_service_quotas"):  # the applied value wins
        for page in client.get_paginator(operation).paginate(ServiceCode=service):
            found |= {each["QuotaName"]: Quota(each["QuotaCode"], each["Value"]) for each in page["Quotas"]}
    return found


def main() -> int:
    try:
        wanted = list(needs(Settings.load(Path(__file__).resolve().parents[1])))
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    try:
        client: Any = boto3.client("service-quotas")
        found = {service: quotas(client, service) for service in {need.service for need in wanted}}
    except (ClientError, BotoCoreError) as error:
        print(f"error: Service Quotas does not answer: {error}", file=sys.stderr)
        print(
            "Allow servicequotas:ListServiceQuotas and ListAWSDefaultServiceQuotas, or deploy without asking:",
            file=sys.stderr,
        )
        print("make deploy QUOTAS=ignore", file=sys.stderr)
        return 4
    return report(wanted, found)


def report(wanted: list[Need], found: Mapping[str, Mapping[str, Quota]]) -> int:
    """Prints a line for each need; the exit code."""
    too_small = 0
    for need in wanted:
        quota = found[need.service].get(need.name)
        if quota is None:
            print(f"?     {need.name}: no quota of this name; needs {need.amount} ({need.why}). See the console")
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
