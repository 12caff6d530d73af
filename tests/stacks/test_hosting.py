from __future__ import annotations

import pytest

from stacks.endpoint import has_local_disk
from stacks.hosting import construct_name
from tests.stacks.building import Templates, listed, only, properties, rendered, statements
from tests.stacks.conftest import Build

TWO_MODELS = {
    "models.credit-card.artefact": "model.tar.gz",
    "models.credit-card.instance_type": "ml.g4dn.xlarge",
    "models.credit-card.instance_count": 2,
    "routes.cards.model": "credit-card",
    "deploy.env": "prod",
    "network.azs": 3,
}


def test_the_model_cannot_reach_the_network(templates: Templates) -> None:
    assert only(templates.hosting, "AWS::SageMaker::Model")["EnableNetworkIsolation"] is True


def test_the_model_waits_for_its_permissions(templates: Templates) -> None:
    (model,) = [each for each in templates.hosting["Resources"].values() if each["Type"] == "AWS::SageMaker::Model"]
    (policy,) = properties(templates.hosting, "AWS::IAM::Policy")
    assert model["DependsOn"] == [policy]


def test_the_model_reads_its_artefact_alone(templates: Templates) -> None:
    container = only(templates.hosting, "AWS::SageMaker::Model")["PrimaryContainer"]
    bucket, _, key = rendered(container["ModelDataUrl"]).removeprefix("s3://").partition("/")
    (read,) = [each for each in statements(templates.hosting, "FraudRole") if "s3:GetObject" in listed(each["Action"])]
    assert listed(read["Action"]) == ["s3:GetObject"]
    assert rendered(read["Resource"]) == f"arn:sample-AWS::Partition:s3:::{bucket}/{key}"


def test_the_volume_is_encrypted_where_the_instance_has_one(build_template: Build) -> None:
    configs = properties(build_template(TWO_MODELS).hosting, "AWS::SageMaker::EndpointConfig")
    encrypted = {config["ProductionVariants"][0]["InstanceType"]: "KmsKeyId" in config for config in configs.values()}
    assert encrypted == {"ml.m5.large": True, "ml.g4dn.xlarge": False}


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
