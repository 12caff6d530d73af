"""A typical first draft, with the mistakes that every checker must find."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App, Stack
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_sqs as sqs

# Split in two, or the checker of our own tree would find it here.
ACCESS_KEY = "AKIA" + "Z3MGNWQPL7RTXK2D"

DOCKERFILE = f"""FROM python:latest
ENV AWS_ACCESS_KEY_ID={ACCESS_KEY}
RUN cd /tmp && apt-get install curl
RUN pip install boto3
ADD . /app
USER root
CMD python main.py
"""

CODE = """import hashlib
import subprocess
import tempfile


def fetch(name):
    subprocess.run("aws s3 cp s3://bucket/" + name + " .", shell=True)
    eval(open(tempfile.mktemp()).read())
    return hashlib.md5(name.encode()).hexdigest()
"""


class Naive(Stack):
    """Public subnets, borrowed permissions, one attempt, no encryption, unlimited retention."""

    def __init__(self, scope: App) -> None:
        super().__init__(scope, "Naive")
        self._store()
        self._connect()
        self._score()
        self._permit()

    def _store(self) -> None:
        s3.CfnBucket(self, "Bucket", access_control="PublicRead")
        sqs.CfnQueue(self, "Queue")
        logs.CfnLogGroup(self, "Logs")
        ecr.CfnRepository(self, "Images")

    def _connect(self) -> None:
        vpc = ec2.Vpc(self, "Vpc", nat_gateways=0, max_azs=1)
        vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        group = ec2.SecurityGroup(self, "Open", vpc=vpc)
        group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(22))

    def _score(self) -> None:
        batch.CfnJobDefinition(
            self,
            "Job",
            type="container",
            container_properties={"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:latest"},
        )
        sagemaker.CfnModel(
            self, "Model", primary_container={"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/model"}
        )
        code = lambda_.CfnFunction.CodeProperty(zip_file="def handler(event, context): ...")
        function = lambda_.CfnFunction(
            self, "Function", code=code, role=self._role.role_arn, runtime="python3.7", handler="index.handler"
        )
        events.CfnRule(
            self,
            "Rule",
            event_pattern={"source": ["aws.s3"]},
            targets=[events.CfnRule.TargetProperty(arn=function.attr_arn, id="Target")],
        )

    def _permit(self) -> None:
        self._role.add_to_policy(iam.PolicyStatement(actions=["s3:*", "sagemaker:InvokeEndpoint"], resources=["*"]))
        self._role.add_to_policy(iam.PolicyStatement(actions=["s3:ReadObject"], resources=["arn:aws:s3:::bucket/*"]))

    @property
    def _role(self) -> iam.Role:
        made = self.node.try_find_child("Role")
        if isinstance(made, iam.Role):
            return made
        full = iam.ManagedPolicy.from_aws_managed_policy_name("AmazonS3FullAccess")
        return iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"), managed_policies=[full])


def write_tree(folder: Path) -> None:
    """A Dockerfile with a secret, and a program."""
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "main.py").write_text(CODE)
