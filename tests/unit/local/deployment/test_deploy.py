from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from dropscore.errors import ConfigurationError
from local.daemons import free_port, listen
from local.deployment import deploy as deploying
from local.deployment.deploy import _requirements, _zip
from local.deployment.synthesis import ROOT, ImageAsset
from local.shim.resources import parse


def test_a_folder_is_packed_with_its_relative_names(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.py").write_text("c")
    with zipfile.ZipFile(io.BytesIO(_zip(tmp_path))) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == {"a/b/c.py": b"c"}


def requirements_of(folder: Path, text: str | None) -> Path:
    if text is not None:
        (folder / "requirements.txt").write_text(text)
    return _requirements(ImageAsset("tag", folder, "Dockerfile"))


def test_an_image_of_ours_runs_in_the_environment_of_the_trees_requirements(tmp_path: Path) -> None:
    wanted = ROOT / "containers" / "worker" / "requirements.txt"
    assert requirements_of(tmp_path, wanted.read_text()) == wanted


@pytest.mark.parametrize("text", ["# nothing\n", "a==1 ; python_version < '4' \\\n    --hash=sha256:00\n    # via b\n"])
def test_another_image_runs_in_the_environment_of_its_own(tmp_path: Path, text: str) -> None:
    assert requirements_of(tmp_path, text) == tmp_path / "requirements.txt"


def test_an_image_without_requirements_runs_in_an_environment_of_nothing(tmp_path: Path) -> None:
    nothing = requirements_of(tmp_path, None)
    assert [line for line in nothing.read_text().splitlines() if not line.startswith("#")] == []


@pytest.mark.parametrize("text", ["numpy\n", "numpy==2.4.6\n", "a==1 --hash=sha256:00\nb>=2 --hash=sha256:00\n"])
def test_error_when_an_images_requirements_are_not_pinned_by_hash(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"pin every package by version and hash.*uv pip compile"):
        requirements_of(tmp_path, text)


def test_a_port_of_the_last_time_is_taken_again_unless_it_is_in_use() -> None:
    with listen(0) as first:
        port = first.getsockname()[1]
        assert first.getsockname()[0] == "127.0.0.1"
        assert free_port(port) != port
    assert free_port(port) == port


def test_error_when_an_endpoint_has_two_variants() -> None:
    config: dict[str, list[dict[str, str]]] = {"ProductionVariants": [{}, {}]}
    endpoint = {"type": "AWS::SageMaker::Endpoint", "name": "e", "arn": "", "properties": {"EndpointConfigName": "c"}}
    given = [{"type": "AWS::SageMaker::EndpointConfig", "name": "c", "arn": "", "properties": config}, endpoint]
    with pytest.raises(ConfigurationError, match="e has 2 variants"):
        parse(given)


def test_error_when_an_endpoints_configuration_is_not_deployed() -> None:
    endpoint = {"type": "AWS::SageMaker::Endpoint", "name": "e", "arn": "", "properties": {"EndpointConfigName": "c"}}
    with pytest.raises(ConfigurationError, match="no AWS::SageMaker::EndpointConfig is called c"):
        parse([endpoint])


def test_placeholders_of_asset_buckets_are_resolved() -> None:
    assert deploying._resolved("assets-${AWS::AccountId}-${AWS::Region}") == "assets-000000000000-us-east-1"
