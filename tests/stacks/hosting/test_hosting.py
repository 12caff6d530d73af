from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from botocore.loaders import Loader

from stacks.hosting.config import has_local_disk
from stacks.hosting.stack import construct_name, endpoint_name, type_code
from stacks.settings import ServedModel
from stacks.settings.artifact import read_archive
from stacks.settings.container import OURS
from stacks.settings.models import ModelSettings
from stacks.settings.problems import SettingsError
from stacks.settings.sections import Deploy
from tests.stacks.building import MODEL_SHA256, Templates, listed, only, pack, properties, rendered, statements
from tests.stacks.conftest import Build

ENDPOINT = "AWS::SageMaker::Endpoint"
TWO_MODELS = {
    "models.credit-card.artifact": "model.tar.gz",
    "models.credit-card.instance_type": "ml.g4dn.xlarge",
    "models.credit-card.instance_count": 2,
    "routes.cards.model": "credit-card",
    "deploy.env": "prod",
    "network.max_azs": 3,
}


def test_the_model_cannot_reach_the_network(templates: Templates) -> None:
    assert only(templates.hosting, "AWS::SageMaker::Model")["EnableNetworkIsolation"] is True


def test_the_model_is_told_which_file_it_must_find(templates: Templates) -> None:
    container = only(templates.hosting, "AWS::SageMaker::Model")["PrimaryContainer"]
    assert container["Environment"] == {"DROPSCORE_MODEL_SHA256": MODEL_SHA256}


def test_ones_own_container_is_told_of_its_only_file_and_nothing_of_several(tmp_path: Path) -> None:
    archive = pack(tmp_path / "one.tar.gz", {"model.pkl": b"pickled"})
    two = pack(tmp_path / "two.tar.gz", {"model.pkl": b"pickled", "vocabulary.txt": b""})
    assert read_archive(archive, "key").model_sha256 == sha256(b"pickled").hexdigest()
    assert read_archive(two, "key").model_sha256 is None


def test_the_model_waits_for_its_permissions(templates: Templates) -> None:
    (model,) = [each for each in templates.hosting["Resources"].values() if each["Type"] == "AWS::SageMaker::Model"]
    (policy,) = [name for name in properties(templates.hosting, "AWS::IAM::Policy") if name.startswith("FraudRole")]
    assert model["DependsOn"] == [policy]


def test_the_model_reads_its_artifact_alone(templates: Templates) -> None:
    container = only(templates.hosting, "AWS::SageMaker::Model")["PrimaryContainer"]
    bucket, _, key = rendered(container["ModelDataUrl"]).removeprefix("s3://").partition("/")
    (read,) = [each for each in statements(templates.hosting, "FraudRole") if "s3:GetObject" in listed(each["Action"])]
    assert listed(read["Action"]) == ["s3:GetObject"]
    assert rendered(read["Resource"]) == f"arn:sample-AWS::Partition:s3:::{bucket}/{key}"


def test_the_volume_is_encrypted_where_the_instance_has_one(build_template: Build) -> None:
    configs = properties(build_template(TWO_MODELS).hosting, "AWS::SageMaker::EndpointConfig")
    encrypted = {config["ProductionVariants"][0]["InstanceType"]: "KmsKeyId" in config for config in configs.values()}
    assert encrypted == {"ml.m5.large": True, "ml.g4dn.xlarge": False}


def test_the_volumes_have_a_key_of_their_own_that_rotates(templates: Templates) -> None:
    key = only(templates.hosting, "AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    (statement,) = key["KeyPolicy"]["Statement"]
    assert rendered(statement["Principal"]["AWS"]) == "arn:sample-AWS::Partition:iam::sample-AWS::AccountId:root"
    config = only(templates.hosting, "AWS::SageMaker::EndpointConfig")
    (name,) = properties(templates.hosting, "AWS::KMS::Key")
    assert config["KmsKeyId"] == {"Fn::GetAtt": [name, "Arn"]}


def test_what_a_model_logs_ends_and_is_encrypted_and_it_can_write_nowhere_else(build_template: Build) -> None:
    templates = build_template({"monitoring.log_days": 30})
    group = only(templates.storage, "AWS::Logs::LogGroup", "FraudEndpointsLogs")
    assert group["LogGroupName"] == "/aws/sagemaker/Endpoints/dropscore-dev-fraud"
    assert group["RetentionInDays"] == 30
    assert "OperationsKey" in rendered(group["KmsKeyId"])
    allowed = statements(templates.hosting, "FraudRole")
    (logs,) = [each for each in allowed if "logs:PutLogEvents" in listed(each["Action"])]
    assert rendered(logs["Resource"]).endswith(":log-group:/aws/sagemaker/Endpoints/dropscore-dev-fraud:*")


@pytest.mark.parametrize("overrides", [{}, {"models.fraud.min_instances": 0}, {"deploy.images": "codebuild"}])
def test_logs_of_a_failed_deployment_outlive_its_rollback(build_template: Build, overrides: dict[str, object]) -> None:
    """A stack that cannot be created removes its resources: logs with the reason are in Storage, with their key."""
    templates = build_template(overrides)
    storage = templates.storage["Resources"]
    kept = {name: each for name, each in storage.items() if each["Type"] == "AWS::Logs::LogGroup"}
    written = {each["Properties"]["LogGroupName"] for each in kept.values()}
    endpoints = {each["EndpointName"] for each in properties(templates.hosting, ENDPOINT).values()}
    assert {f"/aws/sagemaker/Endpoints/{name}" for name in endpoints} <= written
    assert properties(templates.hosting, "AWS::Logs::LogGroup") == {}
    for group in kept.values():
        (key, _) = group["Properties"]["KmsKeyId"]["Fn::GetAtt"]
        assert storage[key]["Type"] == "AWS::KMS::Key"
        assert storage[key]["DeletionPolicy"] == group["DeletionPolicy"] == "Delete"
    manifest = json.loads((templates.outdir / "manifest.json").read_text())["artifacts"]
    assert "Storage" in manifest["Hosting"]["dependencies"]
    assert [name for name in templates.storage["Outputs"] if "Logs" in name] == []


def test_endpoints_of_every_deployment_and_model_have_names_that_sagemaker_takes(build_template: Build) -> None:
    names = [each["EndpointName"] for each in properties(build_template(TWO_MODELS).hosting, ENDPOINT).values()]
    assert sorted(names) == ["dropscore-prod-credit-card", "dropscore-prod-fraud"]


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ({}, "dropscore-dev-fraud"),
        ({"instance_type": "ml.c6i.large"}, "dropscore-dev-fraud"),
        ({"max_instances": 2}, f"dropscore-dev-fraud-2{type_code('ml.m5.large')}"),
        ({"max_instances": 2, "instance_type": "ml.c6i.large"}, f"dropscore-dev-fraud-2{type_code('ml.c6i.large')}"),
        ({"max_instances": 9}, f"dropscore-dev-fraud-2{type_code('ml.m5.large')}"),
        ({"min_instances": 0}, f"dropscore-dev-fraud-0{type_code('ml.m5.large')}"),
        ({"min_instances": 0, "instance_type": "ml.c6i.large"}, f"dropscore-dev-fraud-0{type_code('ml.c6i.large')}"),
        ({"serverless_memory_mib": 1024}, "dropscore-dev-fraud-1"),
    ],
)
def test_another_kind_of_endpoint_is_another_endpoint(overrides: dict[str, object], name: str) -> None:
    """SageMaker cannot change the type of an endpoint; a new name makes CloudFormation replace it.

    The same applies to the instance type of an endpoint that scales, while its variant is a scalable target.
    """
    assert endpoint_name(Deploy(), served("fraud", **overrides)) == name


@pytest.mark.parametrize(
    ("length", "overrides"),
    [(30, {}), (30, {"serverless_memory_mib": 1024}), (26, {"min_instances": 0, "max_instances": 2})],
)
def test_the_longest_name_fits(length: int, overrides: dict[str, object]) -> None:
    longest = endpoint_name(Deploy(env="e" * 20), served("m" * length, **overrides))
    assert len(longest) <= 63
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", longest)


def test_a_longer_name_is_refused_with_the_fix() -> None:
    with pytest.raises(SettingsError, match=r"models\.m{28}: the endpoint name .*shorten .* by 2$"):
        endpoint_name(Deploy(env="e" * 20), served("m" * 28, max_instances=2))


def test_every_instance_type_has_a_code_of_its_own() -> None:
    types = Loader().load_service_model("sagemaker", "service-2")["shapes"]["ProductionVariantInstanceType"]["enum"]
    assert len({type_code(each) for each in types}) == len(types) > 200


def test_a_new_type_replaces_endpoint_and_target_together(build_template: Build) -> None:
    """CloudFormation creates both again and then deletes the old ones, the scalable target before its endpoint."""
    seen = []
    for instance_type in ("ml.m5.large", "ml.c6i.large"):
        overrides = {"models.fraud.max_instances": 3, "models.fraud.instance_type": instance_type}
        hosting = build_template(overrides).hosting
        name = only(hosting, ENDPOINT)["EndpointName"]
        target = only(hosting, "AWS::ApplicationAutoScaling::ScalableTarget")
        assert target["ResourceId"] == f"endpoint/{name}/variant/AllTraffic"
        seen.append(name)
    assert seen[0] != seen[1]


def served(name: str, **overrides: object) -> ServedModel:
    return ServedModel(name, OURS, None, ModelSettings.model_validate({"artifact": "model.tar.gz", **overrides}))


def test_a_model_can_be_taken_out_because_nothing_imports_it(build_template: Build) -> None:
    """CloudFormation does not remove what another stack imports. The order of the stacks does not change."""
    templates = build_template(TWO_MODELS)
    assert [name for name in templates.hosting["Outputs"] if name.startswith("ExportsOutput")] == []
    manifest = json.loads((templates.outdir / "manifest.json").read_text())["artifacts"]
    assert "Hosting" in manifest["Scoring"]["dependencies"]


ON_EBS = ["ml.m5.large", "ml.c6i.xlarge", "ml.t2.medium", "ml.c7g.large", "ml.p3.2xlarge", "ml.inf1.xlarge"]
WITH_A_DISK = ["ml.m5d.large", "ml.c6gd.large", "ml.m5dn.large", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.p4d.24xlarge"]


@pytest.mark.parametrize("instance_type", ON_EBS)
def test_instances_on_ebs_take_a_key(instance_type: str) -> None:
    assert not has_local_disk(instance_type)


@pytest.mark.parametrize("instance_type", WITH_A_DISK)
def test_instances_with_a_disk_of_their_own_take_none(instance_type: str) -> None:
    assert has_local_disk(instance_type)


def test_each_model_has_an_endpoint_a_role_and_an_output(build_template: Build) -> None:
    hosting = build_template(TWO_MODELS).hosting
    for resource_type in ("AWS::SageMaker::Endpoint", "AWS::SageMaker::Model", "AWS::IAM::Role"):
        assert len(properties(hosting, resource_type)) == 2
    assert {"EndpointNameFraud", "EndpointNameCreditCard"} <= set(hosting["Outputs"])
    counts = [
        config["ProductionVariants"][0]["InitialInstanceCount"]
        for config in properties(hosting, "AWS::SageMaker::EndpointConfig").values()
    ]
    assert sorted(counts) == [1, 2]


def test_construct_names() -> None:
    assert [construct_name(name) for name in ("fraud", "credit-card")] == ["Fraud", "CreditCard"]
