"""Images: built in the account by AWS CodeBuild into private repositories, without a local Docker."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from constructs import Construct, IConstruct

from stacks.constructs.code import Image, Source
from stacks.constructs.delivery import dead_letter_queue, to_function
from stacks.constructs.function import Function, Operations
from stacks.constructs.grants import grant
from stacks.images.build import ImageBuild
from stacks.settings.sections import Deploy, MonitoringSettings
from stacks.storage.stack import Storage

RETAINED_IMAGES = 20
"""Per container. ECR deletes the oldest, in use or not: so many failed builds can follow before it deletes that one."""
ENDED = ["SUCCEEDED", "FAILED", "FAULT", "STOPPED", "TIMED_OUT"]


class Images(Stack):
    """Images that `make` returns exist as soon as this stack is deployed."""

    def __init__(
        self, scope: Construct, construct_id: str, *, deploy: Deploy, monitoring: MonitoringSettings, storage: Storage
    ) -> None:
        super().__init__(
            scope, construct_id, stack_name=deploy.stack_name("images"), description="Dropscore: the images, built here"
        )
        removal = RemovalPolicy.RETAIN if deploy.retain_data else RemovalPolicy.DESTROY
        self._key = kms.Key(
            self, "Key", description="Dropscore: images", enable_key_rotation=True, removal_policy=removal
        )
        # Not one per model: Hosting imports the export of each repository, so a model could never be removed.
        self._repositories = {
            # Two, so that a model's build, which runs its author's commands, cannot push a worker.
            "model": self._repository("Models", removal),
            "worker": self._repository("Workers", removal),
        }
        self._log = f"/aws/codebuild/{deploy.stack_name('images')}"
        storage.add_log_group("BuildLogs", name=self._log, days=monitoring.log_days)
        self.add_stack_dependency(storage)  # the log group is used by name, which adds no dependency
        self._dead_letters = dead_letter_queue(self, "DeadLetters", key=storage.operations_key)
        operations = Operations(self._dead_letters, monitoring.log_days, storage.operations_key)
        self._function = Function(self, "Build", path="images/builder", environment={}, operations=operations)
        self._ended = events.Rule(
            self,
            "Ended",
            description="The build of a Dropscore image has ended",
            event_pattern=events.EventPattern(
                source=["aws.codebuild"], detail_type=["CodeBuild Build State Change"], detail={"build-status": ENDED}
            ),
            targets=[to_function(self._function.resource, self._dead_letters)],
        )
        self._builds: list[IConstruct] = []
        """Builds run one after another: a new account runs one at a time and does not queue others."""
        for repository in self._repositories.values():
            grant(self._function.role, ["ecr:DescribeImages"], repository.repository_arn)
            self._export(repository)
        CfnOutput(self, "DeadLetterQueueUrl", value=self._dead_letters.queue_url)

    def make(self, scope: Construct, construct_id: str, source: Source) -> Image:  # noqa: ARG002 - all images belong to this stack
        repository = self._repositories[source.program]
        name = "Worker" if source.program == "worker" else construct_id  # cannot collide: models' ids end in Image
        build = ImageBuild(self, name, source=source, repository=repository, log_group_name=self._log, key=self._key)
        repository.add_lifecycle_rule(tag_prefix_list=[build.tag_prefix], max_image_count=RETAINED_IMAGES)
        self._ended.add_event_pattern(detail={"project-name": [build.project.ref]})
        grant(self._function.role, ["codebuild:StartBuild", "codebuild:BatchGetBuilds"], build.project.attr_arn)
        # An event that arrives before the rule and its permission exist is lost: the stack would wait for an hour.
        before = [self._function, self._ended, self._dead_letters, *self._builds[-1:]]
        self._builds.append(build.wait(self._function.resource.function_arn, *before))
        return Image(f"{repository.repository_uri}:{build.tag}", build.hash, repository)

    def _export(self, repository: ecr.Repository) -> None:
        """Export always: CloudFormation refuses to remove an export in use, and updates this stack before its users."""
        self.export_value(repository.repository_arn)
        self.export_value(repository.repository_name)

    def _repository(self, construct_id: str, removal: RemovalPolicy) -> ecr.Repository:
        return ecr.Repository(
            self,
            construct_id,
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=self._key,
            image_scan_on_push=True,
            # Tags that never move let duplicate events, two builds of one image and rollbacks end correctly (0031).
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            lifecycle_rules=[ecr.LifecycleRule(tag_status=ecr.TagStatus.UNTAGGED, max_image_age=Duration.days(1))],
            removal_policy=removal,
            empty_on_delete=removal == RemovalPolicy.DESTROY,
        )
