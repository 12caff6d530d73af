from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from local.deployment.account import new_root
from local.emulator.signature import Request
from local.shim.authority import Authority
from local.shim.errors import AwsError

ROLE = "arn:aws:iam::000000000000:role/path/worker"
CALLER = "arn:aws:sts::000000000000:assumed-role/worker/job"


def authority(decision: str = "allowed", service: Any = "ecs-tasks.amazonaws.com") -> tuple[Authority, list[Any]]:
    requests: list[Any] = []
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}

    def simulate(**request: Any) -> Any:
        requests.append(request)
        return {"EvaluationResults": [{"EvalDecision": decision}]}

    made = Authority("http://127.0.0.1:1", new_root())
    made._iam = SimpleNamespace(simulate_principal_policy=simulate)
    made._role = lambda _name: {"Arn": ROLE, "AssumeRolePolicyDocument": trust}  # type: ignore[assignment]
    return made, requests


def test_a_session_has_the_permissions_of_its_role() -> None:
    made, requests = authority()
    made.require(CALLER, "batch:SubmitJob", "arn:queue")
    assert requests == [{"PolicySourceArn": ROLE, "ActionNames": ["batch:SubmitJob"], "ResourceArns": ["arn:queue"]}]


def test_root_may_do_everything() -> None:
    made, requests = authority("implicitDeny")
    made.require("arn:aws:iam::000000000000:root", "batch:SubmitJob", "arn:queue")
    assert requests == []


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        ("implicitDeny", "because no identity-based policy allows the batch:SubmitJob action"),
        ("explicitDeny", "with an explicit deny in an identity-based policy"),
    ],
)
def test_a_denial_reads_like_that_of_aws(decision: str, why: str) -> None:
    made, _ = authority(decision)
    with pytest.raises(AwsError) as denied:
        made.require(CALLER, "batch:SubmitJob", "arn:queue")
    assert (denied.value.status, denied.value.code) == (403, "AccessDeniedException")
    assert denied.value.message == (
        f"User: {CALLER} is not authorized to perform: batch:SubmitJob on resource: arn:queue {why}"
    )


def test_a_role_must_trust_the_service_that_assumes_it() -> None:
    made, _ = authority(service=["lambda.amazonaws.com", "sagemaker.amazonaws.com"])
    with pytest.raises(AwsError, match=r"ecs-tasks\.amazonaws\.com may not assume .*worker"):
        made.assume(ROLE, "ecs-tasks.amazonaws.com", "job")


def test_the_emulator_verifies_the_caller() -> None:
    made, _ = authority()
    requests: list[Any] = []

    def called(path: str, body: dict[str, Any]) -> Any:
        requests.append((path, body))
        return {"arn": CALLER}

    made._call = called  # type: ignore[method-assign]
    request = Request(method="POST", path="/v1/submitjob", query="", headers=[("host", "h")], payload="00")
    assert made.caller(request) == CALLER
    assert requests == [("caller", asdict(request))]


def test_a_caller_whose_signature_is_wrong_is_refused() -> None:
    made, _ = authority()

    def called(_path: str, _body: dict[str, Any]) -> Any:
        return {"code": "SignatureDoesNotMatch", "message": "no"}

    made._call = called  # type: ignore[assignment]
    with pytest.raises(AwsError, match="SignatureDoesNotMatch"):
        made.caller(Request(method="GET", path="/", query="", headers=[], payload=""))
