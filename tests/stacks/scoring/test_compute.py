"""The queue and its pools, on Fargate and on EC2."""

from __future__ import annotations

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from stacks.scoring.compute import pools
from stacks.settings.workers import WorkerSettings
from tests.stacks.building import Json, Templates, only, properties, rendered
from tests.stacks.conftest import Build

EC2 = {"worker.compute": "ec2"}
ARM = {"worker.architecture": "arm64"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, ["FARGATE_SPOT", "FARGATE"]), (ARM, ["FARGATE_SPOT", "FARGATE"]), (EC2, ["SPOT", "EC2"])],
)
def test_spot_comes_first_and_on_demand_second(
    build_template: Build, settings: dict[str, object], expected: list[str]
) -> None:
    assert [pool["ComputeResources"]["Type"] for pool in _pools(build_template(settings).scoring)] == expected


@pytest.mark.parametrize("settings", [{}, EC2])
def test_all_workers_together_stay_under_the_limit(build_template: Build, settings: dict[str, object]) -> None:
    found = _pools(build_template(settings).scoring)
    assert [pool["ComputeResources"]["MaxvCpus"] for pool in found] == [48, 16]


def test_each_pool_has_room_for_one_worker() -> None:
    for vcpus, memory_mib, max_vcpus in ((0.25, 512, 2), (1, 2048, 2), (4, 8192, 8), (16, 32768, 33)):
        by_name = pools(WorkerSettings(vcpus=vcpus, memory_mib=memory_mib, max_vcpus=max_vcpus))
        assert min(by_name.values()) >= vcpus
        assert sum(by_name.values()) == max_vcpus


@pytest.mark.parametrize("settings", [{}, EC2])
def test_workers_run_in_the_private_subnets_behind_their_security_group(
    build_template: Build, settings: dict[str, object]
) -> None:
    template = build_template(settings).scoring
    for pool in _pools(template):
        assert {each["Ref"] for each in pool["ComputeResources"]["Subnets"]} == set(
            properties(template, "AWS::EC2::Subnet")
        )
        (group,) = pool["ComputeResources"]["SecurityGroupIds"]
        assert "Workers" in group["Fn::GetAtt"][0]


def test_the_queue_knows_priorities(templates: Templates) -> None:
    """A queue that was created without a scheduling policy can never get one."""
    queue = only(templates.scoring, "AWS::Batch::JobQueue")
    (policy,) = properties(templates.scoring, "AWS::Batch::SchedulingPolicy")
    assert queue["SchedulingPolicyArn"] == {"Fn::GetAtt": [policy, "Arn"]}


def test_a_job_that_cannot_start_is_given_up(templates: Templates, build_template: Build) -> None:
    for template, limit in ((templates, 86_400), (build_template({"worker.queue_timeout_minutes": 10}), 600)):
        actions = only(template.scoring, "AWS::Batch::JobQueue")["JobStateTimeLimitActions"]
        assert {(each["State"], each["Action"]) for each in actions} == {("RUNNABLE", "CANCEL")}
        assert {each["Reason"]: each["MaxTimeSeconds"] for each in actions} == {
            "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": limit,
            "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": 1800,
            "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": 1800,
        }


def test_another_compute_or_architecture_is_another_queue(build_template: Build) -> None:
    """Batch does not mix them in a queue, so a change needs a new queue."""
    names = [(*properties(build_template(each).scoring, "AWS::Batch::JobQueue"),) for each in ({}, EC2, {**EC2, **ARM})]
    assert len(set(names)) == 3
    assert names[0] == (*properties(build_template(ARM).scoring, "AWS::Batch::JobQueue"),)


def test_queue_and_pools_carry_our_tags(build_template: Build) -> None:
    for settings in ({}, EC2):
        template = build_template(settings).scoring
        for kind in ("JobQueue", "ComputeEnvironment", "JobDefinition", "SchedulingPolicy"):
            for each in properties(template, f"AWS::Batch::{kind}").values():
                assert each["Tags"]["dropscore:env"] == "dev"


def test_instances_are_chosen_from_many_families_by_what_is_cheap_and_stays(build_template: Build) -> None:
    spot, on_demand = [pool["ComputeResources"] for pool in _pools(build_template(EC2).scoring)]
    assert spot["AllocationStrategy"] == "SPOT_PRICE_CAPACITY_OPTIMIZED"
    assert on_demand["AllocationStrategy"] == "BEST_FIT_PROGRESSIVE"
    for pool in (spot, on_demand):
        assert pool["InstanceTypes"] == ["m7i", "m6i", "m5", "c7i", "c6i", "c5", "r6i"]
        assert pool["MinvCpus"] == 0


@pytest.mark.parametrize(
    ("settings", "image", "first"),
    [
        ({}, "ECS_AL2023", "m7i"),
        (ARM, "ECS_AL2023", "m7g"),
        ({"worker.gpus": 1}, "ECS_AL2023_NVIDIA", "g6"),
        ({"worker.instance_families": ["c7a"]}, "ECS_AL2023", "c7a"),
    ],
)
def test_machine_image_and_families_follow_the_settings(
    build_template: Build, settings: dict[str, object], image: str, first: str
) -> None:
    for pool in _pools(build_template({**EC2, **settings}).scoring):
        assert pool["ComputeResources"]["Ec2Configuration"] == [{"ImageType": image}]
        assert pool["ComputeResources"]["InstanceTypes"][0] == first


def test_pools_of_instances_are_updated_in_place_and_follow_the_launch_template(build_template: Build) -> None:
    template = build_template(EC2).scoring
    (launch,) = properties(template, "AWS::EC2::LaunchTemplate")
    for pool in _pools(template):
        assert pool["ReplaceComputeEnvironment"] is False
        assert pool["UpdatePolicy"] == {"TerminateJobsOnUpdate": False, "JobExecutionTimeoutMinutes": 720}
        assert pool["ComputeResources"]["LaunchTemplate"] == {
            "LaunchTemplateId": {"Ref": launch},
            "Version": {"Fn::GetAtt": [launch, "LatestVersionNumber"]},
        }


@pytest.mark.parametrize(("timeout", "kept"), [(30, 30), (7200, 7200), (20_160, 7200)])
def test_a_pool_update_lets_running_jobs_finish(build_template: Build, timeout: int, kept: int) -> None:
    """AWS Batch accepts at most 7200 minutes."""
    for pool in _pools(build_template({**EC2, "worker.timeout_minutes": timeout}).scoring):
        assert pool["UpdatePolicy"] == {"TerminateJobsOnUpdate": False, "JobExecutionTimeoutMinutes": kept}


@pytest.mark.parametrize("settings", [{}, EC2, {**EC2, **ARM}], ids=["fargate", "ec2", "arm"])
def test_a_new_tag_replaces_nothing(build_template: Build, settings: dict[str, object]) -> None:
    """By AWS's own schemas of the resource types: a pool's tags cannot change after its creation."""
    before = build_template(settings).scoring["Resources"]
    after = build_template({**settings, "deploy.tags": {"team": "risk"}}).scoring["Resources"]
    assert before.keys() == after.keys()
    changed = 0
    for name, resource in after.items():
        keys = [
            key for key, value in resource.get("Properties", {}).items() if before[name]["Properties"].get(key) != value
        ]
        created_only = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        fixed = {path.split("/")[2] for path in created_only.get("createOnlyProperties", [])}
        assert not fixed & set(keys), (name, keys)
        changed += bool(keys)
    assert changed > 10


def test_pools_carry_the_environment_as_their_only_tag(build_template: Build) -> None:
    for settings in ({}, EC2):
        for pool in _pools(build_template({**settings, "deploy.tags": {"team": "risk"}}).scoring):
            assert pool["Tags"] == {"dropscore:env": "dev"}


def _pools(template: Json) -> list[Json]:
    """The pools in the queue's order."""
    found = properties(template, "AWS::Batch::ComputeEnvironment")
    order = only(template, "AWS::Batch::JobQueue")["ComputeEnvironmentOrder"]
    in_order = [rendered(each["ComputeEnvironment"]) for each in sorted(order, key=lambda each: each["Order"])]
    return [found[name.removeprefix("sample-").removesuffix("-ComputeEnvironmentArn")] for name in in_order]
