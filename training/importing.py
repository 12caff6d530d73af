"""Import: what people have → the artefact that we serve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from training.artefact import MANIFEST, Manifest, Source, digest, load, members, pack, write_atomically
from training.conversion import convert
from training.foreign import find
from training.recognise import Kind, recognise, unwrap


def import_artefact(source: Path, destination: Path, *, trees_a_round: int | None = None) -> Manifest:
    """Write the served artefact of the model in `source` to `destination`; nothing is written when it fails.

    `trees_a_round` is the num_parallel_tree of training, for files of before 1.6 that early stopping left without it.
    An artefact of ours is checked against its digest and copied as it is.
    """
    content = source.read_bytes()
    if _is_ours(content):
        manifest, _ = load(content)
        write_atomically(destination, content)
        return manifest
    found = replace(find(content), trees_a_round=trees_a_round)
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
        categorical=converted.categorical,
        feature_names=None if converted.shape.names is None else tuple(converted.shape.names),
        source=Source(name=source.name, sha256=digest(content), format=found.format),
        converted_with=converted.converted_with,
        verified_rows=converted.verified_rows,
    )
    pack(destination, manifest, converted.model)
    return manifest


def _is_ours(content: bytes) -> bool:
    plain = unwrap(content)
    return recognise(plain) is Kind.TAR and MANIFEST in members(plain)
