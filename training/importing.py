"""Import: what people have → the artefact that we serve."""

from __future__ import annotations

from pathlib import Path

from training.artefact import MANIFEST, Manifest, Source, digest, load, members, pack, write_atomically
from training.conversion import convert
from training.foreign import find
from training.recognise import Kind, recognise, unwrap


def import_artefact(source: Path, destination: Path) -> Manifest:
    """Write the served artefact of the model in `source` to `destination`; nothing is written when it fails.

    An artefact of ours is checked against its digest and copied as it is.
    """
    content = source.read_bytes()
    if _is_ours(content):
        manifest, _ = load(content)
        write_atomically(destination, content)
        return manifest
    found = find(content)
    converted = convert(found)
    manifest = Manifest(
        model="model.ubj",
        sha256=digest(converted.model),
        features=converted.shape.features,
        objective=converted.shape.objective,
        outputs=converted.shape.outputs,
        trees=converted.shape.trees,
        iterations=converted.iterations,
        missing=found.missing,
        source=Source(name=source.name, sha256=digest(content), format=found.format),
        converted_with=converted.converted_with,
        verified_rows=converted.verified_rows,
    )
    pack(destination, manifest, converted.model)
    return manifest


def _is_ours(content: bytes) -> bool:
    plain = unwrap(content)
    return recognise(plain) is Kind.TAR and MANIFEST in members(plain)
