from __future__ import annotations

from stacks.settings.workers import WorkerSettings
from stacks.worker import _pools
from tests.stacks.building import Templates, only, properties
from tests.stacks.conftest import Build

BIG = {
    "worker.vcpus": 4,
    "worker.memory_mib": 8192,
    "worker.max_vcpus": 9,
    "worker.attempts": 5,
    "worker.timeout_minutes": 10,
    "worker.in_flight": 7,
    "worker.shard_mib": 3,
}


def test_spot_comes_first_and_on_demand_second(templates: Templates) -> None:
    pools = properties(templates.scoring, "AWS::Batch::ComputeEnvironment")
    order = only(templates.scoring, "AWS::Batch::JobQueue")["ComputeEnvironmentOrder"]
    names = [each["ComputeEnvironment"]["Fn::GetAtt"][0] for each in sorted(order, key=lambda each: each["Order"])]
    assert [pools[name]["ComputeResources"]["Type"] for name in names] == ["FARGATE_SPOT", "FARGATE"]


def test_all_workers_together_stay_under_the_limit(templates: Templates) -> None:
    pools = properties(templates.scoring, "AWS::Batch::ComputeEnvironment").values()
    assert sorted(pool["ComputeResources"]["MaxvCpus"] for pool in pools) == [16, 48]


def test_each_pool_has_room_for_one_worker() -> None:
    for vcpus, memory_mib, max_vcpus in ((0.25, 512, 2), (1, 2048, 2), (4, 8192, 8), (16, 32768, 33)):
        pools = _pools(WorkerSettings(vcpus=vcpus, memory_mib=memory_mib, max_vcpus=max_vcpus))
        assert min(pools.values()) >= vcpus
        assert sum(pools.values()) == max_vcpus


def test_workers_run_in_the_private_subnets_behind_their_security_group(templates: Templates) -> None:
    subnets = set(properties(templates.scoring, "AWS::EC2::Subnet"))
    for pool in properties(templates.scoring, "AWS::Batch::ComputeEnvironment").values():
        assert {each["Ref"] for each in pool["ComputeResources"]["Subnets"]} == subnets
        (group,) = pool["ComputeResources"]["SecurityGroupIds"]
        assert "Workers" in group["Fn::GetAtt"][0]
    assert _container(templates)["NetworkConfiguration"] == {"AssignPublicIp": "DISABLED"}


def test_the_job_retries_what_another_attempt_may_cure_and_nothing_else(templates: Templates) -> None:
    strategy = only(templates.scoring, "AWS::Batch::JobDefinition")["RetryStrategy"]
    assert strategy == {
        "Attempts": 3,
        "EvaluateOnExit": [
            {"Action": "RETRY", "OnStatusReason": "Your Spot Task was interrupted*"},
            {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
            {"Action": "RETRY", "OnExitCode": "75"},
            {"Action": "RETRY", "OnReason": "CannotPull*"},
            {"Action": "EXIT", "OnReason": "*"},
        ],
    }
    assert len(strategy["EvaluateOnExit"]) <= 5, "Batch takes no more"


def test_the_job_has_an_end(templates: Templates) -> None:
    assert only(templates.scoring, "AWS::Batch::JobDefinition")["Timeout"] == {"AttemptDurationSeconds": 43200}


def test_the_container_is_read_only_and_its_roles_differ(templates: Templates) -> None:
    container = _container(templates)
    assert container["ReadonlyRootFilesystem"] is True
    assert "Volumes" not in container
    assert container["JobRoleArn"] != container["ExecutionRoleArn"]


def test_the_command_takes_the_job_from_the_parameters(templates: Templates) -> None:
    definition = only(templates.scoring, "AWS::Batch::JobDefinition")
    assert definition["ContainerProperties"]["Command"] == ["score", "--job-id", "Ref::job_id"]
    assert set(definition["Parameters"]) == {"job_id", "run"}


def test_the_job_writes_to_a_log_of_ours_and_carries_our_tags(templates: Templates) -> None:
    definition = only(templates.scoring, "AWS::Batch::JobDefinition")
    options = definition["ContainerProperties"]["LogConfiguration"]["Options"]
    group = properties(templates.scoring, "AWS::Logs::LogGroup")[options["awslogs-group"]["Ref"]]
    assert group["RetentionInDays"] == 90
    assert definition["PropagateTags"] is True
    assert definition["Tags"] == {"dropscore:env": "dev"}


def test_size_attempts_and_timeout_follow_the_settings(build_template: Build) -> None:
    definition = only(build_template(BIG).scoring, "AWS::Batch::JobDefinition")
    needs = {each["Type"]: each["Value"] for each in definition["ContainerProperties"]["ResourceRequirements"]}
    assert needs == {"VCPU": "4", "MEMORY": "8192"}
    assert definition["RetryStrategy"]["Attempts"] == 5
    assert definition["Timeout"] == {"AttemptDurationSeconds": 600}


def _container(templates: Templates) -> dict[str, object]:
    container: dict[str, object] = only(templates.scoring, "AWS::Batch::JobDefinition")["ContainerProperties"]
    return container
