from __future__ import annotations

import pytest

from local.shim.batch.retry import Outcome, RetryStrategy, Rule
from tests.stacks.building import Json, Templates, only, properties, rendered
from tests.stacks.conftest import Build
from worker import main as doorway

EC2 = {"worker.compute": "ec2"}
BIG = {
    "worker.vcpus": 4,
    "worker.memory_mib": 8192,
    "worker.max_vcpus": 9,
    "worker.attempts": 5,
    "worker.timeout_minutes": 10,
    "worker.max_concurrent_requests": 7,
    "worker.shard_mib": 3,
}
OUT_OF_MEMORY = Outcome(137, reason="OutOfMemoryError: Container killed due to memory usage")
EXITED = "Essential container in task exited"
both = pytest.mark.parametrize("settings", [{}, EC2])


@both
def test_the_job_ends_at_once_for_what_stays(build_template: Build, settings: dict[str, object]) -> None:
    strategy = only(build_template(settings).scoring, "AWS::Batch::JobDefinition")["RetryStrategy"]
    assert strategy == {
        "Attempts": 3,
        "EvaluateOnExit": [
            {"Action": "EXIT", "OnExitCode": "1"},
            {"Action": "EXIT", "OnExitCode": str(doorway.PERMANENT)},
            {"Action": "EXIT", "OnReason": "OutOfMemory*"},
            {"Action": "EXIT", "OnStatusReason": "OutOfMemory*"},
        ],
    }
    assert len(strategy["EvaluateOnExit"]) <= 5, "Batch accepts no more"


@both
@pytest.mark.parametrize(
    ("outcome", "is_retried"),
    [
        (Outcome(doorway.TRANSIENT, status_reason=EXITED), True),
        (Outcome(137, status_reason=EXITED), True),
        (Outcome(139, status_reason=EXITED), True),
        (Outcome(143, status_reason=EXITED), True),
        (Outcome(None, status_reason="ResourceInitializationError: unable to pull secrets or registry auth"), True),
        (Outcome(None, "DockerTimeoutError: Could not transition to started", "Task failed to start"), True),
        (Outcome(137, status_reason="OutOfMemoryError: container killed due to memory usage"), False),
        (Outcome(None, "CannotPullContainerError: i/o timeout", "Task failed to start"), True),
        (OUT_OF_MEMORY, False),
        (Outcome(10, status_reason=EXITED), False),
        (Outcome(1, status_reason=EXITED), False),
        (Outcome(143, status_reason="Job attempt duration exceeded timeout"), False),
    ],
)
def test_causes_are_told_apart(
    build_template: Build, settings: dict[str, object], outcome: Outcome, is_retried: bool
) -> None:
    assert _strategy(build_template(settings).scoring).retries(outcome, 1) is is_retried


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({}, "Your Spot Task was interrupted."), (EC2, "Host EC2 (instance i-0123456789abcdef0) terminated.")],
)
def test_a_reclaimed_worker_starts_again(build_template: Build, settings: dict[str, object], reason: str) -> None:
    strategy = _strategy(build_template(settings).scoring)
    assert strategy.retries(Outcome(None, status_reason=reason), 1)
    assert strategy.retries(Outcome(137, status_reason=reason), 1)


def test_the_job_has_an_end(templates: Templates) -> None:
    assert only(templates.scoring, "AWS::Batch::JobDefinition")["Timeout"] == {"AttemptDurationSeconds": 43200}


@both
def test_the_container_is_read_only_nobodys_and_its_roles_differ(
    build_template: Build, settings: dict[str, object]
) -> None:
    container = _container(build_template(settings).scoring)
    assert container["ReadonlyRootFilesystem"] is True
    assert container["User"] == "10001:10001"
    assert not container.get("Privileged")
    assert "Volumes" not in container
    assert container["JobRoleArn"] != container["ExecutionRoleArn"]


def test_on_fargate_it_gets_no_public_address_and_no_disk(templates: Templates) -> None:
    container = _container(templates.scoring)
    assert container["NetworkConfiguration"] == {"AssignPublicIp": "DISABLED"}
    assert "LinuxParameters" not in container


def test_on_instances_its_scratch_is_memory_that_runs_nothing(build_template: Build) -> None:
    container = _container(build_template(EC2).scoring)
    assert container["Privileged"] is False
    assert container["LinuxParameters"] == {
        "InitProcessEnabled": True,
        "Tmpfs": [{"ContainerPath": "/tmp", "Size": 64, "MountOptions": ["nodev", "noexec", "nosuid"]}],  # noqa: S108
    }
    assert {"NetworkConfiguration", "RuntimePlatform", "FargatePlatformConfiguration"}.isdisjoint(container)


def test_on_instances_it_is_told_its_region_which_fargate_does_itself(
    templates: Templates, build_template: Build
) -> None:
    variable = {"Name": "AWS_DEFAULT_REGION", "Value": {"Ref": "AWS::Region"}}
    assert variable in _container(build_template(EC2).scoring)["Environment"]
    assert variable not in _container(templates.scoring)["Environment"]


def test_the_platform_follows_the_settings(templates: Templates, build_template: Build) -> None:
    for settings, architecture in (({}, "X86_64"), ({"worker.architecture": "arm64"}, "ARM64")):
        container = _container(build_template(settings).scoring)
        assert container["RuntimePlatform"] == {"CpuArchitecture": architecture}
    images = {
        rendered(_container(build_template(each).scoring)["Image"]) for each in ({}, {"worker.architecture": "arm64"})
    }
    assert len(images) == 2
    definition = only(build_template(EC2).scoring, "AWS::Batch::JobDefinition")
    assert definition["PlatformCapabilities"] == ["EC2"]


def test_the_command_takes_the_job_from_the_parameters(templates: Templates) -> None:
    definition = only(templates.scoring, "AWS::Batch::JobDefinition")
    assert definition["ContainerProperties"]["Command"] == ["score", "--job-id", "Ref::job_id"]
    assert set(definition["Parameters"]) == {"job_id", "run"}


def test_the_job_writes_to_a_log_of_ours_and_carries_our_tags(templates: Templates, build_template: Build) -> None:
    for built, days in ((templates, 90), (build_template({"monitoring.log_days": 30}), 30)):
        definition = only(built.scoring, "AWS::Batch::JobDefinition")
        options = definition["ContainerProperties"]["LogConfiguration"]["Options"]
        group = properties(built.scoring, "AWS::Logs::LogGroup")[options["awslogs-group"]["Ref"]]
        assert group["RetentionInDays"] == days
        assert "OperationsKey" in rendered(group["KmsKeyId"])
        assert definition["PropagateTags"] is True
        assert definition["Tags"] == {"dropscore:env": "dev"}


def test_size_attempts_and_timeout_follow_the_settings(build_template: Build) -> None:
    definition = only(build_template(BIG).scoring, "AWS::Batch::JobDefinition")
    assert _needs(definition) == {"VCPU": "4", "MEMORY": "8192"}
    assert definition["RetryStrategy"]["Attempts"] == 5
    assert definition["Timeout"] == {"AttemptDurationSeconds": 600}


def test_gpus_are_asked_for_where_the_settings_say(build_template: Build) -> None:
    with_gpus = only(build_template({**EC2, "worker.gpus": 2}).scoring, "AWS::Batch::JobDefinition")
    without = only(build_template(EC2).scoring, "AWS::Batch::JobDefinition")
    assert _needs(with_gpus) == {"VCPU": "1", "MEMORY": "2048", "GPU": "2"}
    assert _needs(without) == {"VCPU": "1", "MEMORY": "2048"}


def _container(template: Json) -> Json:
    container: Json = only(template, "AWS::Batch::JobDefinition")["ContainerProperties"]
    return container


def _needs(definition: Json) -> dict[str, str]:
    return {each["Type"]: each["Value"] for each in definition["ContainerProperties"]["ResourceRequirements"]}


def _strategy(template: Json) -> RetryStrategy:
    """The rendered strategy as the embedded cloud's Batch applies it."""
    strategy = only(template, "AWS::Batch::JobDefinition")["RetryStrategy"]
    rules = [
        Rule(each["Action"], each.get("OnExitCode"), each.get("OnReason"), each.get("OnStatusReason"))
        for each in strategy["EvaluateOnExit"]
    ]
    return RetryStrategy(strategy["Attempts"], rules)
