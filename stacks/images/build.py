"""One image, built in the account: the context is uploaded as a zip; AWS CodeBuild builds and pushes the image."""

from __future__ import annotations

import json
import re

from aws_cdk import CustomResource, Duration, FileSystem, IgnoreMode
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct, IConstruct

from stacks.constructs.code import DOCKER_MANIFEST, LEFTOVERS, Source
from stacks.constructs.findings import accept_resource
from stacks.constructs.grants import grant, grant_key_use, grant_read_asset, grant_write_log, service_principal
from stacks.settings.container import ROOT

BUILDSPEC = ROOT / "containers" / "buildspec.yml"
BUILD_MINUTES, QUEUED_MINUTES = 45, 10
"""Together less than the hour that CloudFormation waits for a custom resource."""
OFFICIAL_IMAGES = "public.ecr.aws/docker/library"
DOCKER_ASSET_VERSION = "1.21.0"
"""Part of the CDK's hash of a Docker asset. With it, an image has the same hash wherever it is built."""
MACHINES = {
    "x86_64": ("LINUX_CONTAINER", codebuild.LinuxBuildImage.AMAZON_LINUX_2023_6),
    "arm64": ("ARM_CONTAINER", codebuild.LinuxArmBuildImage.AMAZON_LINUX_2023_STANDARD_4_0),
}
PUSH = [
    *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload"),
    *("ecr:PutImage", "ecr:UploadLayerPart"),
]


class ImageBuild(Construct):
    """Builds the image `tag` in `repository`; call `wait` to make the deployment wait for it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        source: Source,
        repository: ecr.IRepository,
        log_group_name: str,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        self._repository = repository
        self.hash, context = _context(self, source)
        self.tag_prefix = f"{construct_id.removesuffix('Image')}."
        self.tag = self.tag_prefix + self.hash
        role = iam.Role(self, "Role", assumed_by=service_principal("codebuild.amazonaws.com"))
        self._grant(role, context, log_group_name, key)
        self.project = codebuild.CfnProject(
            self,
            "Project",
            description=f"Dropscore: builds the image {construct_id}",
            service_role=role.role_arn,
            encryption_key=key.key_arn,
            source=codebuild.CfnProject.SourceProperty(
                type="S3",
                location=f"{context.s3_bucket_name}/{context.s3_object_key}",
                build_spec=BUILDSPEC.read_text(),
            ),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="NO_ARTIFACTS"),
            environment=self._environment(source),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=log_group_name, stream_name=construct_id
                )
            ),
            concurrent_build_limit=1,
            timeout_in_minutes=BUILD_MINUTES,
            queued_timeout_in_minutes=QUEUED_MINUTES,
        )
        self.project.node.add_dependency(role)  # with its policy, which the first build needs to read its source

    def wait(self, function_arn: str, *before: IConstruct) -> CustomResource:
        """Make the deployment wait until the image exists. `before` lists what must exist before the build starts."""
        build = CustomResource(
            self,
            "Image",
            resource_type="Custom::ImageBuild",
            service_token=function_arn,
            service_timeout=Duration.hours(1),
            properties={
                "Project": self.project.ref,
                "Repository": self._repository.repository_name,
                "Tag": self.tag,
            },
        )
        build.node.add_dependency(self.project, *before)
        return build

    def _environment(self, source: Source) -> codebuild.CfnProject.EnvironmentProperty:
        environment_type, image = MACHINES[source.architecture]
        dockerfile = source.dockerfile or "Dockerfile"
        variables = {
            "IMAGE": f"{self._repository.repository_uri}:{self.tag}",
            "PLATFORM": source.platform.platform,
            "DOCKERFILE": dockerfile,
            "MIRRORS": mirrors((source.folder / dockerfile).read_text()),
        }
        return codebuild.CfnProject.EnvironmentProperty(
            type=environment_type,
            image=image.image_id,
            compute_type="BUILD_GENERAL1_MEDIUM",
            # CodeBuild runs a Docker daemon only in privileged builds; the machine is discarded afterwards.
            privileged_mode=True,
            environment_variables=[
                codebuild.CfnProject.EnvironmentVariableProperty(name=name, value=value)
                for name, value in variables.items()
            ],
        )

    def _grant(self, role: iam.Role, context: s3_assets.Asset, log_group_name: str, key: kms.IKey) -> None:
        grant_read_asset(role, context)
        # AWS also documents these for a source in S3: to read the version and to verify the bucket's owner.
        grant(role, ["s3:GetObjectVersion"], context.bucket.arn_for_objects(context.s3_object_key))
        grant(role, ["s3:GetBucketAcl", "s3:GetBucketLocation"], context.bucket.bucket_arn)
        grant(role, PUSH, self._repository.repository_arn)
        grant(role, ["ecr:GetAuthorizationToken"], "*")
        grant_write_log(role, log_group_name)
        grant_key_use(role, key)
        accept_resource(
            role, "*", "ecr:GetAuthorizationToken does not support resource ARNs; pushing is limited to one repository."
        )


def _context(scope: Construct, source: Source) -> tuple[str, s3_assets.Asset]:
    """Return the hash that the CDK's Docker asset of this source would have, and the uploaded build context."""
    dockerfile = source.folder / (source.dockerfile or "Dockerfile")
    ignore = [line for line in (source.folder / ".dockerignore").read_text().splitlines() if line]
    # The CDK's Docker asset adds the last two itself; without them the hash would differ from its hash.
    exclude = [*ignore, *LEFTOVERS, "!.dockerignore", f"!{dockerfile.name}"]
    named = {"file": source.dockerfile} if source.dockerfile else {}
    built = {"platform": {"platform": source.platform.platform}, "outputs": [DOCKER_MANIFEST]}
    # The CDK hashes this JSON, so the order of the keys counts.
    hashed = {**named, **built, "version": DOCKER_ASSET_VERSION}
    fingerprint = FileSystem.fingerprint(
        str(source.folder),
        exclude=exclude,
        ignore_mode=IgnoreMode.DOCKER,
        extra_hash=json.dumps(hashed, separators=(",", ":")),
    )
    asset = s3_assets.Asset(scope, "Context", path=str(source.folder), exclude=exclude, ignore_mode=IgnoreMode.DOCKER)
    return fingerprint, asset


def mirrors(dockerfile: str) -> str:
    """Return options of `docker build` that pull Docker's official images from Amazon ECR Public."""
    froms = re.findall(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", dockerfile, re.IGNORECASE | re.MULTILINE)
    stages = {"scratch", *(stage.lower() for _, stage in froms)}
    bases = dict.fromkeys(base for base, _ in froms if base.lower() not in stages and _is_official(base))
    return " ".join(f"--build-context {base}=docker-image://{OFFICIAL_IMAGES}/{base}" for base in bases)


def _is_official(base: str) -> bool:
    # An official image's name has no registry and no owner, and so no slash.
    return re.fullmatch(r"[a-z0-9][a-z0-9._-]*(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?", base) is not None
