"""Every checker works: run over a naive stack, each finds its mistakes, under the rule's name."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from aws_cdk import App

from stacks.constructs.findings import check_policies
from tests.checks.naive import Naive, write_tree
from tools.checks.running import CHECKERS
from tools.checks.subject import Assembly, Subject, distinct

BITES = {
    "nag": {
        "AwsSolutions-EC23",
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/AmazonS3FullAccess]",
        "AwsSolutions-IAM5[Resource::*]",
        "AwsSolutions-L1",
        "AwsSolutions-S1",
        "AwsSolutions-S10",
        "AwsSolutions-SQS4",
        "AwsSolutions-VPC7",
        "NIST.800.53.R5-CloudWatchLogGroupEncrypted",
        "NIST.800.53.R5-CloudWatchLogGroupRetentionPeriod",
        "NIST.800.53.R5-EC2RestrictedSSH",
        "NIST.800.53.R5-LambdaDLQ",
        "NIST.800.53.R5-S3BucketPublicReadProhibited",
        "NIST.800.53.R5-S3BucketVersioningEnabled",
    },
    "lint": {"E2531"},
    "checkov": {"CKV_AWS_20", "CKV_AWS_21", "CKV_AWS_24", "CKV_AWS_51", "CKV_AWS_116", "CKV_AWS_158", "CKV_AWS_163"},
    "guard": {
        "batch_jobs_are_tried_again",
        "batch_jobs_propagate_tags",
        "batch_jobs_time_out",
        "batch_permanent_errors_are_not_retried",
        "batch_root_is_read_only",
        "batch_user_is_not_root",
        "buckets_end_broken_uploads",
        "ecr_scans_on_push",
        "ecr_tags_are_immutable",
        "endpoints_have_policies",
        "events_that_fail_are_kept",
        "functions_keep_what_fails",
        "images_are_pinned",
        "logs_expire",
        "logs_have_a_key",
        "queues_have_a_key",
        "roles_borrow_no_broad_policy",
        "sagemaker_models_are_isolated",
        "subnets_give_no_public_addresses",
    },
    "policies": {"RESOURCE_STAR s3:GetObject", "UNKNOWN_ACTION"},
    "permissions": {"wildcard-action s3:*", "any-resource sagemaker:InvokeEndpoint"},
    "hadolint": {"DL3002", "DL3007", "DL3008", "DL3013", "DL3020", "DL3025", "DL3042"},
    "bandit": {"B306", "B307", "B324", "B602"},
    "secrets": {"AWS Access Key"},
}


@pytest.fixture(scope="module")
def naive(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = tmp_path_factory.mktemp("naive")
    app = App(outdir=str(folder / "cdk.out"), analytics_reporting=False)
    Naive(app)
    check_policies(app)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    assembly = Assembly("naive", folder / "cdk.out")
    write_tree(folder)
    return Subject(
        assemblies=[assembly],
        folder=folder / "templates",
        templates=distinct([assembly], folder / "templates"),
        root=folder,
        dockerfiles=[Path("Dockerfile")],
        code=[Path("main.py")],
        files=[Path("Dockerfile"), Path("main.py")],
    )


def test_every_checker_is_put_to_the_test() -> None:
    assert BITES.keys() == CHECKERS.keys()


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_checker_bites(checker: str, naive: Subject) -> None:
    found = defaultdict(list)
    for finding in CHECKERS[checker](naive):
        assert finding.checker == checker
        assert finding.message
        found[finding.rule].append(finding.place)
    assert BITES[checker] <= found.keys(), f"{checker} found only {sorted(found)}"
