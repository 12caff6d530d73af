"""Ready-made permissions for the account's users and systems: to upload, to read and to operate.

They belong to the storage stack, so that scoring can be deleted and deployed again while they are attached
(docs/access.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from schema.keys import INPUT, OUTPUT
from stacks.constructs.findings import accept
from stacks.constructs.grants import grant, grant_describe
from stacks.storage.jobs_table import INDEXES

UPLOAD = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
PREFIX_REASON = (
    "All objects under one prefix of one bucket, whose names are not known beforehand, with only the necessary actions."
)


class Access(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket: s3.IBucket,
        jobs: dynamodb.ITable,
        key: kms.IKey,
        upload_routes: Sequence[str] = (),
    ) -> None:
        """`upload_routes` are the routes with their own policy for uploaders."""
        super().__init__(scope, construct_id)
        self._bucket, self._jobs, self._key = bucket, jobs, key
        self.operators = iam.Role(
            self,
            "Operators",
            # The account's own policies decide who may assume the role.
            assumed_by=iam.AccountRootPrincipal(),
            description="Dropscore: reads scores, retries, redrives, ends jobs",
        )
        outputs = {
            "UploadersPolicyArn": self._uploaders("Uploaders", f"{INPUT}*").managed_policy_arn,
            **{
                f"UploadersPolicyArnOf{route}": self._uploaders(
                    f"UploadersOf{route}", f"{INPUT}{route}/*"
                ).managed_policy_arn
                for route in upload_routes
            },
            "ReadersPolicyArn": self._readers().managed_policy_arn,
            "OperatorsRoleArn": self.operators.role_arn,
        }
        for name, value in outputs.items():
            CfnOutput(Stack.of(self), name, value=value)

    def _uploaders(self, construct_id: str, pattern: str) -> iam.ManagedPolicy:
        """Limit uploads to `pattern`: elsewhere, an uploader could add job options to another route's inputs."""
        # Do not change the description: CloudFormation would replace the policy, whose ARN users have attached.
        description = f"Dropscore: puts files under {pattern.removesuffix('*')}, reads none"
        policy = iam.ManagedPolicy(self, construct_id, description=description)
        self._allow(policy, UPLOAD, pattern)
        self._allow_key_use(policy, ["kms:Decrypt", "kms:GenerateDataKey"], ["s3"])  # multipart uploads need Decrypt
        return policy

    def _readers(self) -> iam.ManagedPolicy:
        policy = iam.ManagedPolicy(
            self, "Readers", description="Dropscore: reads scores and the jobs table", roles=[self.operators]
        )
        self._allow(policy, ["s3:GetObject"], f"{OUTPUT}*")
        grant(policy, ["dynamodb:GetItem"], self._jobs.table_arn)
        grant(policy, ["dynamodb:Query"], *(f"{self._jobs.table_arn}/index/{index}" for index in INDEXES))
        self._allow_key_use(policy, ["kms:Decrypt"], ["s3", "dynamodb"])
        return policy

    def _allow(self, policy: iam.ManagedPolicy, actions: Sequence[str], pattern: str) -> None:
        """Allow `actions` on objects that match `pattern`, listing only these, and reading the stack's outputs."""
        objects = self._bucket.arn_for_objects(pattern)
        grant(policy, actions, objects)
        conditions = {"StringLike": {"s3:prefix": pattern}}
        policy.add_statements(_statement(["s3:ListBucket"], self._bucket.bucket_arn, conditions))
        grant_describe(policy, Stack.of(self).stack_name)
        # cdk-nag writes the bucket's ARN as <LogicalId.Arn>.
        bucket = Stack.of(self).resolve(self._bucket.bucket_arn)["Fn::GetAtt"]
        accept(policy, f"AwsSolutions-IAM5[Resource::<{'.'.join(bucket)}>/{pattern}]", PREFIX_REASON)

    def _allow_key_use(self, policy: iam.ManagedPolicy, actions: Sequence[str], services: Sequence[str]) -> None:
        """Allow using the key only through these services, not by calling KMS directly."""
        stack = Stack.of(self)
        through = [f"{service}.{stack.region}.{stack.url_suffix}" for service in services]
        conditions = {"StringEquals": {"kms:ViaService": through}}
        policy.add_statements(_statement(actions, self._key.key_arn, conditions))


def _statement(
    actions: Sequence[str], resource: str, conditions: Mapping[str, Mapping[str, str | list[str]]]
) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=[resource], conditions=conditions)
