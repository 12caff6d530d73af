from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.images.builder.waiting import Waiting
from local.deployment.synthesis import _stacks as read_stacks
from stacks.images.stack import RETAINED_IMAGES
from tests.stacks.building import ROOT, Json, Templates, build_templates, listed, only, properties, rendered, statements
from tests.stacks.conftest import Build
from tests.stacks.scoring.test_environment import models_of
from tools.manifests import published

LOG_GROUPS = "arn:sample-AWS::Partition:logs:sample-AWS::Region:sample-AWS::AccountId:log-group:"
MODEL = "AWS::SageMaker::Model"
BUILT = {"deploy.images": "codebuild", "models.mine.container": "mine"}
DOCKER = {"models.mine.container": "mine"}
PUSH = {
    *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload"),
    *("ecr:PutImage", "ecr:UploadLayerPart"),
}
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
SETTINGS = [BUILT, {**BUILT, "worker.architecture": "arm64"}]


@pytest.fixture(scope="module")
def built(build_template: Build) -> Templates:
    return build_template(BUILT)


@pytest.fixture(scope="module")
def docker(build_template: Build) -> Templates:
    return build_template(DOCKER)


def tags(templates: Templates) -> dict[str, str]:
    """Tags by the name of the image's user."""
    images = {name: each["Tag"] for name, each in properties(templates.images, "Custom::ImageBuild").items()}
    return {name.split("Image")[0].removesuffix("Worker") or "Worker": tag for name, tag in images.items()}


def resources_of(template: Json, kind: str) -> dict[str, Json]:
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}


def variables(templates: Templates, project: str) -> dict[str, str]:
    environment = only(templates.images, "AWS::CodeBuild::Project", project)["Environment"]
    return {each["Name"]: rendered(each["Value"]) for each in environment["EnvironmentVariables"]}


def context_key(templates: Templates, name: str) -> str:
    """The object with the build's context."""
    project = only(templates.images, "AWS::CodeBuild::Project", f"{name}{'' if name == 'Worker' else 'Image'}Project")
    return rendered(project["Source"]["Location"]).rpartition("/")[2]


def allowed(template: Json, role: str) -> dict[str, set[str]]:
    """Actions by resource."""
    found: dict[str, set[str]] = {}
    for statement in statements(template, role):
        for resource in listed(statement["Resource"]):
            found.setdefault(rendered(resource), set()).update(listed(statement["Action"]))
    return found


def worker_image(templates: Templates) -> tuple[str, str]:
    """The image of the job definition, and the tag in the worker's environment."""
    container = only(templates.scoring, "AWS::Batch::JobDefinition")["ContainerProperties"]
    (tag,) = (each["Value"] for each in container["Environment"] if each["Name"] == "WORKER_IMAGE")
    return rendered(container["Image"]), tag


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_stack_comes_before_those_that_use_its_images_and_only_when_it_is_wanted(
    built: Templates, docker: Templates
) -> None:
    assert not (docker.outdir / "Images.template.json").exists()
    artifacts = json.loads((built.outdir / "manifest.json").read_text())["artifacts"]
    assert artifacts["Images"]["properties"]["stackName"] == "dropscore-dev-images"
    for user in ("Hosting", "Scoring"):
        assert "Images" in artifacts[user]["dependencies"]


def test_nothing_is_left_for_docker(built: Templates) -> None:
    for manifest in built.outdir.glob("*.assets.json"):
        assert json.loads(manifest.read_text())["dockerImages"] == {}


def test_every_image_is_built_with_a_docker_manifest(docker: Templates) -> None:
    """SageMaker rejects OCI manifests, which Docker's containerd store makes unless the output disables them."""
    built = [
        image["source"]["dockerOutputs"]
        for file in docker.outdir.glob("*.assets.json")
        for image in json.loads(file.read_text())["dockerImages"].values()
    ]
    assert len(built) >= 3
    assert {tuple(each) for each in built} == {("type=docker,oci-mediatypes=false",)}


def test_the_check_of_manifests_finds_every_published_image(docker: Templates, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/me"}
    monkeypatch.setattr("tools.manifests.boto3.client", lambda _: SimpleNamespace(get_caller_identity=lambda: here))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    found = list(published(docker.outdir))
    used = {
        *(rendered(each["PrimaryContainer"]["Image"]) for each in properties(docker.hosting, MODEL).values()),
        worker_image(docker)[0],
    }
    assert {each.identifier.removeprefix("imageTag=") for each in found} == {uri.rpartition(":")[2] for uri in used}
    assert {each.repository for each in found} == {"cdk-hnb659fds-container-assets-123456789012-eu-west-1"}
    assert all("${" not in str(each.role) for each in found)


def test_a_deployment_checks_images_before_it_changes_anything() -> None:
    commands = subprocess.run(["make", "-n", "deploy"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    steps = ["cdk synth", "cdk publish-assets --all --app cdk.out", "tools.manifests", "cdk deploy --all --app cdk.out"]
    assert [commands.index(step) for step in steps] == sorted(commands.index(step) for step in steps)


def test_versions_are_the_same_wherever_an_image_is_built(built: Templates, docker: Templates) -> None:
    """Otherwise a change of the setting would look like a change of the models."""
    versions = [{name: model.version for name, model in models_of(each).items()} for each in (built, docker)]
    assert versions[0] == versions[1]
    assert set(versions[0]) == {"fraud", "mine"}
    assert worker_image(built)[1] == worker_image(docker)[1]


@pytest.mark.parametrize("name", ["Mine", "Model", "Worker"])
def test_a_context_is_what_docker_would_be_given(built: Templates, docker: Templates, name: str) -> None:
    uploaded = built.outdir / f"asset.{context_key(built, name).removesuffix('.zip')}"
    staged = docker.outdir / f"asset.{tags(built)[name].partition('.')[2]}"
    assert files(uploaded) == files(staged) != {}


def test_users_name_the_tag_that_is_built(built: Templates) -> None:
    images = {
        name: rendered(each["PrimaryContainer"]["Image"]).rpartition(":")[2]
        for name, each in properties(built.hosting, "AWS::SageMaker::Model").items()
    }
    of_model = {title: tag for title in ("Fraud", "Mine") for name, tag in images.items() if name.startswith(title)}
    assert of_model == {"Fraud": tags(built)["Model"], "Mine": tags(built)["Mine"]}
    uri, tag = worker_image(built)
    assert uri.endswith(f":{tags(built)['Worker']}")
    assert tags(built)["Worker"] == f"Worker.{tag}"


def test_another_architecture_is_another_image_on_another_machine(built: Templates, build_template: Build) -> None:
    on_arm = build_template({**BUILT, "worker.architecture": "arm64"})
    before, after = tags(built), tags(on_arm)
    assert after["Worker"] != before["Worker"]
    assert {**after, "Worker": ""} == {**before, "Worker": ""}
    machines = {}
    for templates in (built, on_arm):
        environment = only(templates.images, "AWS::CodeBuild::Project", "Worker")["Environment"]
        platform = variables(templates, "Worker")["PLATFORM"]
        machines[platform] = (environment["Type"], environment["Image"].split("-")[1])
    assert machines == {
        "linux/amd64": ("LINUX_CONTAINER", "x86_64"),
        "linux/arm64": ("ARM_CONTAINER", "aarch64"),
    }
    assert variables(on_arm, "ModelImage")["PLATFORM"] == "linux/amd64"


@pytest.mark.parametrize(("name", "repository"), [("Mine", "Models"), ("Model", "Models"), ("Worker", "Workers")])
def test_a_build_may_do_its_own_work_and_no_more(built: Templates, name: str, repository: str) -> None:
    role = allowed(built.images, f"{name}Role" if name == "Worker" else f"{name}ImageRole")
    source = "arn:sample-AWS::Partition:s3:::cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"
    (pushed,) = [each for each in properties(built.images, "AWS::ECR::Repository") if each.startswith(repository)]
    assert role == {
        f"{source}/{context_key(built, name)}": {"s3:GetObject", "s3:GetObjectVersion"},
        source: {"s3:GetBucketAcl", "s3:GetBucketLocation"},
        f"sample-{pushed}-Arn": PUSH,
        f"{LOG_GROUPS}/aws/codebuild/dropscore-dev-images:*": {"logs:CreateLogStream", "logs:PutLogEvents"},
        "sample-Key961B73FD-Arn": {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"},
        "*": {"ecr:GetAuthorizationToken"},
    }


def test_the_function_may_start_these_builds_and_look_for_these_images(built: Templates) -> None:
    role = allowed(built.images, "BuildRole")
    projects = {f"sample-{name}-Arn" for name in properties(built.images, "AWS::CodeBuild::Project")}
    repositories = {f"sample-{name}-Arn" for name in properties(built.images, "AWS::ECR::Repository")}
    assert {name for name, actions in role.items() if "codebuild:StartBuild" in actions} == projects
    assert all(role[name] == {"codebuild:BatchGetBuilds", "codebuild:StartBuild"} for name in projects)
    assert {name for name, actions in role.items() if actions == {"ecr:DescribeImages"}} == repositories
    assert not {action for actions in role.values() for action in actions if action.endswith(("PutImage", "PassRole"))}


def test_a_user_pulls_from_its_own_repository_only(built: Templates) -> None:
    for template, role, repository in (
        (built.hosting, "FraudRole", "Models"),
        (built.hosting, "MineRole", "Models"),
        (built.scoring, "WorkerExecutionRole", "Workers"),
    ):
        pulled = [name for name, actions in allowed(template, role).items() if actions >= PULL]
        assert len(pulled) == 1
        assert f"ExportsOutputFnGetAtt{repository}" in pulled[0]


def test_repositories_are_private_scanned_encrypted_and_their_tags_never_move(built: Templates) -> None:
    for repository in properties(built.images, "AWS::ECR::Repository").values():
        assert repository["ImageTagMutability"] == "IMMUTABLE"
        assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
        assert repository["EncryptionConfiguration"]["EncryptionType"] == "KMS"
        assert rendered(repository["EncryptionConfiguration"]["KmsKey"]) == "sample-Key961B73FD-Arn"
        assert "RepositoryPolicyText" not in repository


def test_old_images_go_but_none_of_a_container_that_others_have_more_of(built: Templates) -> None:
    policy = only(built.images, "AWS::ECR::Repository", "Models")["LifecyclePolicy"]["LifecyclePolicyText"]
    selections = [rule["selection"] for rule in json.loads(policy)["rules"]]
    assert selections[0] == {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countNumber": 1,
        "countUnit": "days",
    }
    assert [each["tagPrefixList"] for each in selections[1:]] == [["Mine."], ["Model."]]
    assert {(each["countType"], each["countNumber"]) for each in selections[1:]} == {
        ("imageCountMoreThan", RETAINED_IMAGES)
    }
    for name, tag in tags(built).items():
        assert tag.startswith(f"{name}.")


@pytest.mark.parametrize(("retain_data", "policy"), [(False, "Delete"), (True, "Retain")])
def test_images_go_with_their_stack_unless_data_is_kept(build_template: Build, retain_data: bool, policy: str) -> None:
    images = build_template({**BUILT, "deploy.retain_data": retain_data}).images
    kept = {**resources_of(images, "AWS::ECR::Repository"), **resources_of(images, "AWS::KMS::Key")}
    assert {each["DeletionPolicy"] for each in kept.values()} == {policy}
    for repository in properties(images, "AWS::ECR::Repository").values():
        assert repository.get("EmptyOnDelete", False) is not retain_data


def test_a_build_ends_before_cloudformation_stops_waiting_for_it(built: Templates) -> None:
    for project in properties(built.images, "AWS::CodeBuild::Project").values():
        assert project["ConcurrentBuildLimit"] == 1
        minutes = project["TimeoutInMinutes"] + project["QueuedTimeoutInMinutes"]
        for image in properties(built.images, "Custom::ImageBuild").values():
            assert minutes * 60 < int(image["ServiceTimeout"]) <= 3600


def test_a_build_is_encrypted_and_keeps_its_log(built: Templates) -> None:
    for project in properties(built.images, "AWS::CodeBuild::Project").values():
        assert rendered(project["EncryptionKey"]) == "sample-Key961B73FD-Arn"
        assert project["LogsConfig"]["CloudWatchLogs"]["GroupName"] == "/aws/codebuild/dropscore-dev-images"
        assert project["Artifacts"] == {"Type": "NO_ARTIFACTS"}
        assert project["Environment"]["PrivilegedMode"] is True, "or there is no Docker daemon"
    log = only(built.storage, "AWS::Logs::LogGroup", "BuildLogs")
    assert log["LogGroupName"] == "/aws/codebuild/dropscore-dev-images"
    assert log["RetentionInDays"] == 90
    artifacts = json.loads((built.outdir / "manifest.json").read_text())["artifacts"]
    assert "Storage" in artifacts["Images"]["dependencies"]
    assert "OperationsKey" in rendered(log["KmsKeyId"])


def test_nothing_is_asked_for_before_its_end_can_be_heard_of(built: Templates) -> None:
    rules = {
        *resources_of(built.images, "AWS::Events::Rule"),
        *resources_of(built.images, "AWS::Lambda::Permission"),
        *resources_of(built.images, "AWS::Lambda::Function"),
        *resources_of(built.images, "AWS::SQS::QueuePolicy"),
        *(name for name in resources_of(built.images, "AWS::IAM::Policy") if name.startswith("BuildRole")),
    }
    assert len(rules) == 5
    projects = resources_of(built.images, "AWS::CodeBuild::Project")
    for image in resources_of(built.images, "Custom::ImageBuild").values():
        project = image["Properties"]["Project"]["Ref"]
        assert rules | {project} <= set(image["DependsOn"])
        (role,) = [name for name in projects[project]["DependsOn"] if "DefaultPolicy" in name]
        assert role.startswith(project.split("Project")[0])


def test_images_are_asked_for_one_after_the_other(built: Templates) -> None:
    """A new account builds one image at a time and queues no builds."""
    builds = resources_of(built.images, "Custom::ImageBuild")
    after = {name: [each for each in image["DependsOn"] if each in builds] for name, image in builds.items()}
    assert sorted(map(len, after.values())) == [0, *[1] * (len(builds) - 1)]
    assert len({each for names in after.values() for each in names}) == len(builds) - 1


def test_the_end_of_each_build_however_it_ends_reaches_the_function_or_the_queue(built: Templates) -> None:
    rule = only(built.images, "AWS::Events::Rule")
    pattern = rule["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.codebuild"], ["CodeBuild Build State Change"])
    assert set(pattern["detail"]["build-status"]) == {"SUCCEEDED", "FAILED", "FAULT", "STOPPED", "TIMED_OUT"}
    projects = {each["Ref"] for each in pattern["detail"]["project-name"]}
    assert projects == set(properties(built.images, "AWS::CodeBuild::Project"))
    (target,) = rule["Targets"]
    assert "DeadLetters" in rendered(target["DeadLetterConfig"]["Arn"])
    assert "BuildFunction" in rendered(target["Arn"])


def test_what_the_stack_asks_for_is_what_the_build_pushes(built: Templates) -> None:
    envelope = {"RequestType": "Create", "ResponseURL": "", "StackId": "", "RequestId": "", "LogicalResourceId": ""}
    images = properties(built.images, "Custom::ImageBuild")
    assert len(images) == 3
    for requested in images.values():
        given = {name: rendered(value) for name, value in requested.items()}
        waiting = Waiting.from_request({**envelope, "ResourceProperties": given})
        pushed = variables(built, requested["Project"]["Ref"])["IMAGE"]
        assert pushed.endswith(f"/{waiting.image}")


def test_what_others_import_is_there_whether_they_do_or_not(built: Templates, build_template: Build) -> None:
    """An export in use cannot be removed, and this stack is updated before the one that imports it."""
    uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/mine:1"
    pulled = build_template({**BUILT, "models.mine.container": None, "models.mine.image": uri, **_no_other_model()})
    assert set(tags(pulled)) == {"Worker"}
    assert _exports(pulled) == _exports(built)
    assert not [value for value in _exports(built).values() if "." in value.rpartition("-")[2]]


def test_a_model_may_be_called_worker(build_template: Build) -> None:
    images = properties(
        build_template(
            {
                **BUILT,
                "models.worker.container": "mine",
                "models.mine.container": None,
                "models.mine.artifact": "model.tar.gz",
            }
        ).images,
        "Custom::ImageBuild",
    )
    assert len({rendered(each["Repository"]) + each["Tag"] for each in images.values()}) == len(images) == 3


def test_the_embedded_cloud_finds_the_context_and_the_dockerfile_of_each_image(built: Templates) -> None:
    images = {image.tag: image for stack in read_stacks(built.outdir) for image in stack.images}
    assert set(images) == set(tags(built).values())
    for image in images.values():
        assert (image.context / image.dockerfile).is_file()
    assert images[tags(built)["Worker"]].dockerfile == "containers/worker/Dockerfile"


@pytest.mark.parametrize("overrides", SETTINGS, ids=["x86_64", "arm64"])
def test_the_template_is_lint_free(build_template: Build, overrides: Mapping[str, object]) -> None:
    file = str(build_template(overrides).outdir / "Images.template.json")
    lint = [str(Path(sys.executable).with_name("cfn-lint")), "--config-file", str(ROOT / ".cfnlintrc"), "--", file]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_two_synths_give_the_same_template_and_assets(built: Templates, tmp_path: Path) -> None:
    again = build_templates(tmp_path, BUILT)
    for kind in ("template", "assets"):
        first, second = (folder / f"Images.{kind}.json" for folder in (built.outdir, again.outdir))
        assert first.read_bytes() == second.read_bytes()


def _no_other_model() -> dict[str, Any]:
    uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/fraud:1"
    return {"models.fraud.artifact": None, "models.fraud.image": uri}


def _exports(templates: Templates) -> dict[str, str]:
    outputs = templates.images["Outputs"]
    return {each["Export"]["Name"]: rendered(each["Value"]) for each in outputs.values() if "Export" in each}
