"""What a deployment needs of the account's quotas, and what is said where they are too small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from stacks.settings import Settings
from tests.stacks.building import write_settings
from tools import quotas
from tools.quotas import Need, Quota, needs, report

EC2 = {"worker.compute": "ec2", "worker.max_vcpus": 100}


def _amounts(folder: Path, changes: dict[str, object]) -> dict[str, int]:
    write_settings(folder, changes)
    return {f"{need.service}: {need.name}": need.amount for need in needs(Settings.load(folder, {}))}


def test_workers_and_twice_the_instances_are_needed(tmp_path: Path) -> None:
    assert _amounts(tmp_path, {"worker.max_vcpus": 64, "models.fraud.instance_count": 3}) == {
        "fargate: Fargate On-Demand vCPU resource count": 16,
        "fargate: Fargate Spot vCPU resource count": 48,
        "sagemaker: ml.m5.large for endpoint usage": 6,
    }


def test_a_model_that_scales_needs_its_maximum_twice(tmp_path: Path) -> None:
    found = _amounts(tmp_path, {"models.fraud.max_instances": 4})
    assert found["sagemaker: ml.m5.large for endpoint usage"] == 8


def test_models_on_one_type_of_instance_need_their_sum(tmp_path: Path) -> None:
    found = _amounts(tmp_path, {"models.next.artifact": "model.tar.gz", "models.next.instance_count": 2})
    assert found["sagemaker: ml.m5.large for endpoint usage"] == 6


def test_serverless_models_need_no_instances(tmp_path: Path) -> None:
    types = dict.fromkeys([f"models.fraud.{key}" for key in ("instance_type", "instance_count", "max_payload_bytes")])
    found = _amounts(tmp_path, {**types, "models.fraud.serverless_memory_mib": 1024})
    assert not [name for name in found if "endpoint usage" in name]


@pytest.mark.parametrize(("changes", "kind"), [(EC2, "Standard"), ({**EC2, "worker.gpus": 1}, "G and VT")])
def test_workers_on_ec2_need_vcpus_of_their_kind(tmp_path: Path, changes: dict[str, object], kind: str) -> None:
    found = _amounts(tmp_path, changes)
    assert sorted(amount for name, amount in found.items() if kind in name and name.startswith("ec2")) == [25, 75]


def _need(amount: int) -> Need:
    return Need(service="sagemaker", name="ml.m5.large for endpoint usage", amount=amount, why="two models")


@pytest.mark.parametrize(("value", "code"), [(2, 0), (3, 0), (1, 1), (0, 1)])
def test_a_quota_that_is_too_small_fails(value: float, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    found = {"sagemaker": {"ml.m5.large for endpoint usage": Quota("L-123", value)}}
    assert report([_need(2)], found) == code
    output = capsys.readouterr().out
    assert output.startswith("FAIL " if code else "ok ")
    assert ("--quota-code L-123 --desired-value 2" in output) == bool(code)


def test_an_unknown_quota_is_reported_and_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([_need(2)], {"sagemaker": {}}) == 0
    assert "no quota has this name; needs 2" in capsys.readouterr().out


def test_the_applied_value_counts_before_the_default() -> None:
    client = boto3.client("service-quotas", region_name="us-east-1")
    with Stubber(client) as stub:
        for operation, value in (("list_aws_default_service_quotas", 0.0), ("list_service_quotas", 20.0)):
            answer: Any = {"Quotas": [{"QuotaName": "a", "QuotaCode": "L-1", "Value": value}]}
            stub.add_response(operation, answer, {"ServiceCode": "sagemaker"})
        assert quotas.quotas(client, "sagemaker") == {"a": Quota("L-1", 20.0)}


def test_a_refusal_of_aws_is_an_error_with_a_way_round(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = boto3.client("service-quotas", region_name="us-east-1")
    monkeypatch.setattr("boto3.client", lambda _service: client)
    with Stubber(client) as stub:
        stub.add_client_error("list_aws_default_service_quotas", "AccessDeniedException")
        assert quotas.main() == 4
    assert "make deploy QUOTAS=ignore" in capsys.readouterr().err
