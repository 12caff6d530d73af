from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from dropscore.errors import ConfigurationError
from local.daemons import free_port, listen
from local.deployment import deploy
from local.deployment.deploy import _requirements, _zip
from local.deployment.synthesis import ROOT, ImageAsset
from local.shim.resources import parse


def test_a_folder_is_zipped_with_relative_names(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.py").write_text("c")
    with zipfile.ZipFile(io.BytesIO(_zip(tmp_path))) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == {"a/b/c.py": b"c"}


def requirements_of(folder: Path, text: str | None) -> Path:
    if text is not None:
        (folder / "requirements.txt").write_text(text)
    return _requirements(ImageAsset("tag", folder, "Dockerfile"))


def test_our_images_use_the_requirements_in_containers(tmp_path: Path) -> None:
    requirements = ROOT / "containers" / "worker" / "requirements.txt"
    assert requirements_of(tmp_path, requirements.read_text()) == requirements


@pytest.mark.parametrize("text", ["# nothing\n", "a==1 ; python_version < '4' \\\n    --hash=sha256:00\n    # via b\n"])
def test_other_images_use_their_own_requirements(tmp_path: Path, text: str) -> None:
    assert requirements_of(tmp_path, text) == tmp_path / "requirements.txt"


def test_an_image_without_requirements_gets_an_empty_environment(tmp_path: Path) -> None:
    nothing = requirements_of(tmp_path, None)
    assert [line for line in nothing.read_text().splitlines() if not line.startswith("#")] == []


@pytest.mark.parametrize("text", ["numpy\n", "numpy==2.4.6\n", "a==1 --hash=sha256:00\nb>=2 --hash=sha256:00\n"])
def test_error_when_an_images_requirements_are_not_pinned_by_hash(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"pin every package by version and hash.*uv pip compile"):
        requirements_of(tmp_path, text)


def test_the_previous_port_is_reused_if_it_is_free() -> None:
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
    with pytest.raises(ConfigurationError, match="there is no AWS::SageMaker::EndpointConfig named c"):
        parse([endpoint])


def test_placeholders_of_asset_buckets_are_resolved() -> None:
    assert deploy._resolved("assets-${AWS::AccountId}-${AWS::Region}") == "assets-000000000000-us-east-1"
