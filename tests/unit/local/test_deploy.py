from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from dropscore.errors import ConfigurationError
from local import deploy as deploying
from local.daemons import free_port, listen
from local.deploy import _requirements, _zip
from local.shim.resources import parse
from local.synthesis import ROOT, ImageAsset


def test_a_folder_is_packed_with_its_relative_names(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.py").write_text("c")
    with zipfile.ZipFile(io.BytesIO(_zip(tmp_path))) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == {"a/b/c.py": b"c"}


def test_an_image_runs_in_the_environment_of_its_own_requirements(tmp_path: Path) -> None:
    wanted = ROOT / "containers" / "worker" / "requirements.txt"
    (tmp_path / "requirements.txt").write_bytes(wanted.read_bytes())
    assert _requirements(ImageAsset("tag", tmp_path, "Dockerfile")) == wanted
    (tmp_path / "requirements.txt").write_text("other")
    with pytest.raises(ConfigurationError, match="synthesize again"):
        _requirements(ImageAsset("tag", tmp_path, "Dockerfile"))


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
