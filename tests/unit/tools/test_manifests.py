"""`tools.manifests` with answers of ECR as `aws ecr batch-get-image` prints them (tests/fixtures/manifests)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from stacks.constructs.code import DOCKER_MANIFEST as OUTPUT
from tests.stacks.building import write_settings
from tools import manifests

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "manifests"
REFUSED = ["oci_image", "oci_index_with_attestation", "docker_manifest_list"]
OWN = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/mine"
DIGEST = f"sha256:{'b' * 64}"
REPOSITORY = "cdk-hnb659fds-container-assets-123456789012-eu-west-1"
NO_MODEL_TO_BUILD = {"models.fraud.artifact": None}


class Account:
    """STS and ECR by real clients: what they are asked is checked against AWS's own models, in this order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        keys = {"region_name": "eu-west-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}
        self.clients = {name: boto3.client(name, **keys) for name in ("sts", "ecr")}  # type: ignore[call-overload]
        self.sts, self.ecr = (Stubber(client) for client in self.clients.values())
        self.given: list[dict[str, Any]] = []
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setattr("tools.manifests.boto3.client", self._client)
        self.sts.activate()
        self.ecr.activate()

    def _client(self, name: str, **more: Any) -> Any:
        self.given.append({"service": name, **more})
        return self.clients[name]

    def is_called(self) -> None:
        identity = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/me", "UserId": "me"}
        self.sts.add_response("get_caller_identity", identity)

    def lends_role(self) -> None:
        role = "arn:aws:iam::123456789012:role/cdk-hnb659fds-image-publishing-role-123456789012-eu-west-1"
        key = {"AccessKeyId": "A" * 16, "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "2030-01-01"}
        self.sts.add_response("assume_role", {"Credentials": key}, {"RoleArn": role, "RoleSessionName": ANY})

    def holds(self, recorded: str, repository: str = "team/mine", **identifier: str) -> None:
        answer = json.loads((FIXTURES / f"{recorded}.json").read_text())
        asked = {
            "registryId": "123456789012",
            "repositoryName": repository,
            "imageIds": [identifier or {"imageTag": "1"}],
            "acceptedMediaTypes": manifests.TYPES,
        }
        self.ecr.add_response("batch_get_image", answer, asked)

    def is_done(self) -> None:
        self.sts.assert_no_pending_responses()
        self.ecr.assert_no_pending_responses()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(monkeypatch)


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    """Without an image of our own to publish."""
    (tmp_path / "cdk.out").mkdir()
    (tmp_path / "cdk.out" / "Hosting.assets.json").write_text('{"dockerImages": {}}')
    return tmp_path / "cdk.out"


def publishing(assembly: Path, *stacks: str, tag: str = "f" * 64) -> None:
    """As the CDK writes it: one and the same image, for each of the stacks."""
    prefix = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/cdk-hnb659fds-image-publishing-role"
    destination = {
        "repositoryName": "cdk-hnb659fds-container-assets-${AWS::AccountId}-${AWS::Region}",
        "imageTag": tag,
        "assumeRoleArn": f"{prefix}-${{AWS::AccountId}}-${{AWS::Region}}",
    }
    for stack in stacks:
        described = {"dockerImages": {tag: {"destinations": {"current_account-current_region-1": destination}}}}
        (assembly / f"{stack}.assets.json").write_text(json.dumps(described))


def own(folder: Path, image: str) -> None:
    write_settings(folder, {**NO_MODEL_TO_BUILD, "models.fraud.image": image})


def test_docker_manifests_pass_and_other_types_are_refused(
    account: Account, assembly: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own(assembly.parent, f"{OWN}:1")
    for recorded in ("docker_schema_2", *REFUSED):
        account.holds(recorded)
        code = manifests.main(assembly, assembly.parent)
        output = capsys.readouterr().err
        assert (code, output == "") == ((0, True) if recorded == "docker_schema_2" else (1, False)), recorded
    account.is_done()


@pytest.mark.parametrize("recorded", REFUSED)
def test_the_refusal_names_type_and_fix(
    account: Account, assembly: Path, capsys: pytest.CaptureFixture[str], recorded: str
) -> None:
    own(assembly.parent, f"{OWN}:1")
    account.holds(recorded)
    manifests.main(assembly, assembly.parent)
    output = capsys.readouterr().err
    assert json.loads((FIXTURES / f"{recorded}.json").read_text())["images"][0]["imageManifestMediaType"] in output
    assert "123456789012.dkr.ecr.eu-west-1/team/mine imageTag=1" in output
    assert f"--output {OUTPUT}" in output


def test_a_published_image_is_read_under_the_publishing_role(
    account: Account, assembly: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_settings(assembly.parent, {})
    publishing(assembly, "Hosting", "Scoring")
    account.is_called()
    account.lends_role()
    account.holds("oci_image", REPOSITORY, imageTag="f" * 64)
    assert manifests.main(assembly, assembly.parent) == 1
    assert account.given[-1]["aws_session_token"] == "t"
    output = " ".join(capsys.readouterr().err.replace("\\\n", "").split())
    assert f"--repository-name {REPOSITORY} --image-ids imageTag={'f' * 64}" in output
    account.is_done()


def test_own_permissions_are_used_when_the_role_is_refused(
    account: Account, assembly: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_settings(assembly.parent, {})
    publishing(assembly, "Hosting")
    account.is_called()
    account.sts.add_client_error("assume_role", "AccessDenied")
    account.holds("docker_schema_2", REPOSITORY, imageTag="f" * 64)
    assert manifests.main(assembly, assembly.parent) == 0
    assert "cannot be assumed" in capsys.readouterr().err


def test_an_own_image_may_be_named_by_digest(account: Account, assembly: Path) -> None:
    own(assembly.parent, f"{OWN}:1@{DIGEST}")
    account.holds("docker_schema_2", imageDigest=DIGEST)
    assert manifests.main(assembly, assembly.parent) == 0
    account.is_done()


def test_an_image_nobody_may_read_is_reported_unchecked(
    account: Account, assembly: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own(assembly.parent, f"{OWN}:1")
    account.ecr.add_client_error("batch_get_image", "AccessDeniedException", "not yours")
    assert manifests.main(assembly, assembly.parent) == 0
    assert "not checked: 123456789012.dkr.ecr.eu-west-1/team/mine imageTag=1" in capsys.readouterr().err


def test_a_missing_image_stops_the_deployment(
    account: Account, assembly: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own(assembly.parent, f"{OWN}:1")
    failure = {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
    account.ecr.add_response("batch_get_image", {"images": [], "failures": [failure]})
    assert manifests.main(assembly, assembly.parent) == 4
    assert "Requested image not found" in capsys.readouterr().err


def test_a_folder_without_assets_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_settings(tmp_path, {})
    assert manifests.main(tmp_path / "cdk.out", tmp_path) == 3
    assert "contains no assets; run `npx cdk synth` first" in capsys.readouterr().err
