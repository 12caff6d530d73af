from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from dropscore.errors import ConfigurationError
from local.deployment import synthesis
from local.deployment.synthesis import synthesize
from stacks.settings.container import Folder, read_uri
from stacks.settings.problems import SettingsError

APP = """
import json, os, pathlib
out = pathlib.Path(os.environ["CDK_OUTDIR"]); out.mkdir(parents=True)
pathlib.Path("runs").open("a").write("x")
stack = lambda name, file, needs: {"type": "aws:cloudformation:stack", "dependencies": needs,
                                   "properties": {"templateFile": file, "stackName": name}}
(out / "manifest.json").write_text(json.dumps({"artifacts": {
    "A": stack("last", "a.json", ["B", "assets"]), "B": stack("first", "b.json", ["assets"]),
    "assets": {"type": "cdk:asset-manifest", "properties": {"file": "assets.json"}}}}))
for name in "ab": (out / f"{name}.json").write_text(json.dumps({"Resources": {name: {}}}))
source = lambda **s: {"source": s, "destinations": {"x": {"bucketName": "b", "objectKey": "k", "imageTag": "t"}}}
(out / "assets.json").write_text(json.dumps({"files": {"f": source(path="asset.f", packaging="zip")},
    "dockerImages": {"i": source(directory="asset.i", dockerFile="c/Dockerfile")}}))
"""


SETTINGS = "dropscore.toml"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tree = tmp_path / "tree"
    for name in (
        "mine/Dockerfile",
        "stacks/a.py",
        "stacks/__pycache__/a.pyc",
        "containers/model/serve.py",
        "dropscore.toml",
        "model.tar.gz",
    ):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    (tree / "app.py").write_text(APP)
    model = SimpleNamespace(
        name="fraud",
        artifact=SimpleNamespace(path=tree / "model.tar.gz"),
        container=Folder(tree / "mine"),
        max_payload_bytes=7,
    )
    settings = SimpleNamespace(load=lambda *_: SimpleNamespace(models=[model]))
    monkeypatch.setattr(synthesis, "Settings", settings)
    return tree


def runs(root: Path) -> int:
    return len((root / "runs").read_text())


def test_stacks_come_after_what_they_depend_on_with_their_assets(root: Path, tmp_path: Path) -> None:
    assembly = synthesize({}, root=root, cache=tmp_path / "cache")

    assert [(stack.name, list(stack.template["Resources"])) for stack in assembly.stacks] == [
        ("first", ["b"]),
        ("last", ["a"]),
    ]
    assert assembly.max_payload_bytes == 7
    (file,), (image,) = assembly.stacks[0].files, assembly.stacks[0].images
    home = tmp_path / "cache" / assembly.digest
    assert (file.path, file.is_zip, file.bucket, file.key) == (home / "asset.f", True, "b", "k")
    assert (image.tag, image.context, image.dockerfile) == ("t", home / "asset.i", "c/Dockerfile")


@pytest.mark.parametrize(
    "changed",
    ["app.py", "stacks/a.py", "containers/model/serve.py", "dropscore.toml", "model.tar.gz", "mine/Dockerfile"],
)
def test_synthesized_again_only_when_an_input_changes(root: Path, tmp_path: Path, changed: str) -> None:
    first = synthesize({}, root=root, cache=tmp_path / "cache")
    (root / "stacks/__pycache__/a.pyc").write_text("other")
    (root / "README.md").write_text("other")
    assert synthesize({}, root=root, cache=tmp_path / "cache") == first
    assert runs(root) == 1

    with (root / changed).open("a") as file:
        file.write("\n#")
    assert synthesize({}, root=root, cache=tmp_path / "cache").digest != first.digest
    assert runs(root) == 2


def test_the_artifacts_location_does_not_matter(root: Path, tmp_path: Path) -> None:
    digests = set()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        artifact = tmp_path / folder / "model.tar.gz"
        artifact.write_text("the same model")
        vars(synthesis)["Settings"].load(root).models[0].artifact.path = artifact
        digests.add(synthesize({}, root=root, cache=tmp_path / "cache").digest)
    assert len(digests) == 1
    assert runs(root) == 1


def test_synthesized_again_when_a_container_file_is_renamed(root: Path, tmp_path: Path) -> None:
    first = synthesize({}, root=root, cache=tmp_path / "cache")
    (root / "mine" / "Dockerfile").rename(root / "mine" / "other")
    assert synthesize({}, root=root, cache=tmp_path / "cache").digest != first.digest


def test_a_model_may_have_no_artifact(root: Path, tmp_path: Path) -> None:
    vars(synthesis)["Settings"].load(root).models[0].artifact = None
    (root / "model.tar.gz").unlink()
    assert synthesize({}, root=root, cache=tmp_path / "cache").max_payload_bytes == 7


def test_error_when_a_model_is_an_image(root: Path, tmp_path: Path) -> None:
    image = read_uri("123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1")
    vars(synthesis)["Settings"].load(root).models[0].container = image
    with pytest.raises(ConfigurationError, match=r"models\.fraud\.image: .*cannot run the image 1234.*set `container`"):
        synthesize({}, root=root, cache=tmp_path / "cache")
    assert not (root / "runs").exists()


def test_only_the_newest_assemblies_are_kept(root: Path, tmp_path: Path) -> None:
    for number in range(synthesis.KEPT_ASSEMBLIES + 2):
        (root / "stacks/a.py").write_text(str(number))
        newest = synthesize({}, root=root, cache=tmp_path / "cache")
    homes = [home.name for home in (tmp_path / "cache").iterdir()]
    assert len(homes) == synthesis.KEPT_ASSEMBLIES
    assert newest.digest in homes


def test_error_contains_the_output_of_the_app(root: Path, tmp_path: Path) -> None:
    (root / "app.py").write_text("raise SystemExit('error: no such thing')")
    with pytest.raises(ConfigurationError, match="could not be synthesized:\nerror: no such thing"):
        synthesize({}, root=root, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_error_of_the_settings_is_a_configuration_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> None:
        raise SettingsError("dropscore.toml: models.fraud.artifact: missing; `make setup` makes it")

    monkeypatch.setattr(synthesis, "Settings", SimpleNamespace(load=load))
    with pytest.raises(ConfigurationError, match="`make setup` makes it"):
        synthesize({}, root=tmp_path, cache=tmp_path / "cache")
    assert json.dumps([str(entry) for entry in tmp_path.iterdir()]) == "[]"
