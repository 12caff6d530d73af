from __future__ import annotations

from pathlib import Path

import pytest

from stacks.settings import Settings
from stacks.settings.artifact import read_archive
from stacks.settings.container import OURS, EcrImage, Folder, read_folder, read_uri
from stacks.settings.problems import SettingsError
from tests.stacks.building import (
    ROOT,
    VERSION,
    Json,
    Templates,
    listed,
    only,
    pack,
    properties,
    rendered,
    statements,
    write_container,
)
from tests.stacks.conftest import Build
from tests.stacks.scoring.test_environment import models_of

URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/mine"
DIGEST = "0123456789abcdef" * 4
OWN = {"models.fraud.artifact": None, "models.fraud.container": "mine"}
BOTH = {"models.fraud.artifact": "model.tar.gz", "models.fraud.container": "mine"}
PULLED = {"models.fraud.artifact": None, "models.fraud.image": f"{URI}:3.1"}
MIXED = {"models.mine.container": "mine", "models.two.container": "mine", "models.three.artifact": "model.tar.gz"}


def container(templates: Templates, model: str = "Fraud") -> Json:
    served: Json = only(templates.hosting, "AWS::SageMaker::Model", model)["PrimaryContainer"]
    return served


@pytest.mark.parametrize(
    ("reference", "version"),
    [(":3.1", "3.1"), (f"@sha256:{DIGEST}", DIGEST[:12]), (f":3.1@sha256:{DIGEST}", DIGEST[:12])],
)
def test_an_image_in_ecr_is_known_by_its_parts(reference: str, version: str) -> None:
    expected = EcrImage(URI + reference, "123456789012", "eu-west-1", "team/mine", version)
    assert read_uri(URI + reference) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "mine:1",
        "public.ecr.aws/me/mine:1",
        "quay.io/me/mine:1",
        f"x{URI}:1",
        "12345.dkr.ecr.eu-west-1.amazonaws.com/mine:1",
        f"{URI}:1 ",
        f"https://{URI}:1",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.org/mine:1",
    ],
)
def test_another_registry_is_refused_with_the_reason(uri: str) -> None:
    with pytest.raises(ValueError, match="SageMaker pulls from Amazon ECR only; push the image there"):
        read_uri(uri)


@pytest.mark.parametrize("ignore", ["", "# only a comment\n", "__pycache__\n*\n", "**/*.pyc\n"])
def test_a_folder_without_an_allow_list_is_refused(tmp_path: Path, ignore: str) -> None:
    with pytest.raises(SettingsError, match=r"^key: .*\.dockerignore must be an allow-list.*begin it with `\*`"):
        read_folder(write_container(tmp_path / "mine", ignore), "key")


def test_a_folder_without_a_list_at_all_is_refused(tmp_path: Path) -> None:
    folder = write_container(tmp_path / "mine")
    (folder / ".dockerignore").unlink()
    with pytest.raises(SettingsError, match="must be an allow-list"):
        read_folder(folder, "key")


def test_the_examples_settings_name_the_example() -> None:
    settings = Settings.load(ROOT, {"DROPSCORE_SETTINGS": "examples/linear/dropscore.toml"})
    (model,) = settings.models
    assert (model.container, model.artifact) == (Folder(ROOT / "examples" / "linear"), None)


def test_a_folder_is_built_from_what_its_allow_list_names(build_template: Build) -> None:
    templates = build_template(OWN)
    tag = rendered(container(templates)["Image"]).rpartition(":")[2]
    built = {path.name for path in (templates.outdir / f"asset.{tag}").iterdir()}
    assert built == {"Dockerfile", ".dockerignore", "server.py"}


def test_without_an_artifact_the_image_is_the_version_and_nothing_is_fetched(build_template: Build) -> None:
    templates = build_template(OWN)
    tag = rendered(container(templates)["Image"]).rpartition(":")[2]
    assert "ModelDataUrl" not in container(templates)
    assert not [
        statement
        for statement in statements(templates.hosting, "FraudRole")
        if "s3:GetObject" in listed(statement["Action"])
    ]
    model = models_of(templates)["fraud"]
    assert (model.version, model.features) == (tag[:12], None)


def test_with_an_artifact_either_makes_another_version(build_template: Build, tmp_path: Path) -> None:
    templates = build_template(BOTH)
    tag = rendered(container(templates)["Image"]).rpartition(":")[2]
    version, _, image = models_of(templates)["fraud"].version.partition("-")
    assert image == tag[:12]
    assert version == read_archive(templates.outdir.parent / "model.tar.gz", "").version != VERSION
    assert "ModelDataUrl" in container(templates)


def test_an_image_is_pulled_from_its_own_repository_only(build_template: Build) -> None:
    templates = build_template(PULLED)
    assert container(templates) == {"Image": f"{URI}:3.1"}
    pulls = [
        statement for statement in statements(templates.hosting, "FraudRole") if "ecr:" in str(statement["Action"])
    ]
    allowed = {rendered(statement["Resource"]): set(listed(statement["Action"])) for statement in pulls}
    assert allowed == {
        "*": {"ecr:GetAuthorizationToken"},
        "arn:sample-AWS::Partition:ecr:eu-west-1:123456789012:repository/team/mine": {
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        },
    }
    assert models_of(templates)["fraud"].version == "3.1"


def test_models_of_one_container_share_its_image_and_ours_stays_ours(build_template: Build) -> None:
    templates = build_template(MIXED)
    images = {
        name: rendered(served["PrimaryContainer"]["Image"])
        for name, served in properties(templates.hosting, "AWS::SageMaker::Model").items()
    }
    by_model = {
        model: image for model in ("Fraud", "Mine", "Two", "Three") for name, image in images.items() if model in name
    }
    assert by_model["Fraud"] == by_model["Three"] == rendered(container(build_template({}))["Image"])
    assert by_model["Mine"] == by_model["Two"] != by_model["Fraud"]
    assert OURS.path.name == "model"


@pytest.mark.parametrize("images", ["docker", "codebuild"])
def test_a_model_that_is_called_model_has_an_image_of_its_own(build_template: Build, images: str) -> None:
    overrides = {"deploy.images": images, "models.model.container": "mine", "routes.model.model": "model"}
    served = properties(build_template(overrides).hosting, "AWS::SageMaker::Model").values()
    assert len({rendered(each["PrimaryContainer"]["Image"]) for each in served}) == 2


@pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8bdamaged"])
def test_an_artifact_for_ones_own_container_must_be_an_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.tar.gz").write_bytes(content)
    with pytest.raises(SettingsError, match=r"^key: .* is not a \.tar\.gz archive; SageMaker unpacks"):
        read_archive(tmp_path / "model.tar.gz", "key")


def test_an_artifact_for_ones_own_container_may_hold_anything(tmp_path: Path) -> None:
    first, other = (
        read_archive(pack(tmp_path / f"{name}.tar.gz", {"model.pkl": name.encode()}), "key") for name in ("one", "two")
    )
    assert first.version != other.version
    assert first.features is None


def test_a_missing_artifact_for_ones_own_container_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^key: .*gone\.tar\.gz does not exist"):
        read_archive(tmp_path / "gone.tar.gz", "key")
