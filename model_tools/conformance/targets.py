"""Start the server to check, from an artifact, an image or a URL, and find sample rows for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dropscore.errors import ConfigurationError
from model_tools.artifact import MANIFEST, Manifest, members, unpack
from model_tools.conformance.container import Recipe, start_as_strictly_as_possible
from model_tools.conformance.engine import Engine, EngineError
from model_tools.conformance.process import Command, Process
from model_tools.conformance.remote import Remote
from model_tools.conformance.sample import Sample
from model_tools.conformance.subject import Bounds, Server, Subject
from model_tools.environments import python_environment
from model_tools.importing.command import import_artifact

CONTAINER = Path(__file__).resolve().parents[2] / "containers" / "model"
# As in its Dockerfile: requests run in parallel, so each library gets one thread.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}
SAMPLE_FIX = "pass some rows that the model can score with --sample FILE"


@contextmanager
def address(url: str, sample: Path | None, bounds: Bounds) -> Iterator[Subject]:
    """Use a server that is already running."""
    rows = _sample(sample, None)
    yield Subject(Remote.find(url, bounds.answer_seconds), rows, bounds)


@contextmanager
def artifact(file: Path, sample: Path | None, bounds: Bounds) -> Iterator[Subject]:
    """Start the server of our own container as a process, with the artifact that `dropscore model import` makes."""
    with tempfile.TemporaryDirectory(prefix="dropscore-check-") as folder:
        served = Path(folder) / "model.tar.gz"
        rows = _sample(sample, import_artifact(file, served))
        model = _unpacked(served, Path(folder))
        environment = {**ENVIRONMENT, "SM_MODEL_DIR": str(model), "HOME": folder}
        words = (str(python_environment(CONTAINER / "requirements.txt")), "serve.py", "serve")
        with _running(Process(Command(words, CONTAINER, environment, bounds.start_timeout_seconds))) as server:
            yield Subject(server, rows, bounds)


@contextmanager
def image(name: str, model: Path | None, sample: Path | None, engine: Engine, bounds: Bounds) -> Iterator[Subject]:
    """Start a container of the image, with the files of `model` under /opt/ml/model."""
    try:
        engine("image", "inspect", name)
    except EngineError as error:
        raise EngineError(f"{error}; check that the engine is running, and that the image is built or pulled") from None
    with tempfile.TemporaryDirectory(prefix="dropscore-check-") as folder:
        rows = _sample(sample, _manifest(model) if model else None)
        mounted = _unpacked(model, Path(folder)) if model else None
        recipe = Recipe(engine, name, mounted, bounds.start_timeout_seconds)
        with _running(start_as_strictly_as_possible(recipe)) as server:
            yield Subject(server, rows, bounds)


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.close()


def _sample(file: Path | None, manifest: Manifest | None) -> Sample:
    if file is not None:
        return Sample.read(file)
    if manifest is None:
        raise ConfigurationError(f"the columns of the model are unknown; {SAMPLE_FIX}")
    return Sample.for_model(manifest)


def _manifest(model: Path) -> Manifest | None:
    """Return the manifest of a Dropscore artifact; None for any other archive, which the image may need."""
    files = members(model.read_bytes())
    return Manifest.from_json(files[MANIFEST]) if MANIFEST in files else None


def _unpacked(artifact: Path, folder: Path) -> Path:
    """Unpack so that any user of an image can read the files."""
    target = folder / "model"
    target.mkdir()
    unpack(artifact, target)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target
