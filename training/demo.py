"""Train the demo model on generated data: `python -m training.demo` writes build/demo/model.tar.gz and sample.csv.

The bytes are the same every time: one thread, seeded data, no timestamps in the archive.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xgboost

from model_tools.artifact import Manifest, Source, digest, pack
from model_tools.importing.booster import describe
from training import data

ROWS = 60_000
ROUNDS = 100
SAMPLE_ROWS = 500
SAMPLE_SEED = 13  # three of its rows are fraud
PARAMETERS = {
    "objective": "binary:logistic",
    "max_depth": 4,
    "eta": 0.3,
    "tree_method": "hist",
    "nthread": 1,
    "seed": 0,
}


def train(rows: int = ROWS, rounds: int = ROUNDS) -> xgboost.Booster:
    """Return a model of generated rows; the same arguments give the same bytes."""
    features, labels = zip(*data.blocks(rows), strict=True)
    matrix = xgboost.DMatrix(np.concatenate(features), np.concatenate(labels), nthread=1)
    return xgboost.train(PARAMETERS, matrix, rounds)


def write(directory: Path, *, rows: int = ROWS, rounds: int = ROUNDS) -> None:
    booster = train(rows, rounds)
    model = bytes(booster.save_raw("ubj"))
    shape = describe(booster)
    manifest = Manifest(
        model="model.ubj",
        sha256=digest(model),
        features=shape.features,
        objective=shape.objective,
        outputs=shape.outputs,
        trees=shape.trees,
        iterations=shape.rounds,
        missing=None,
        source=Source(name="demo", sha256=digest(model), format="trained by training.demo"),
        converted_with=None,
        verified_rows=0,
        feature_names=shape.names,
    )
    directory.mkdir(parents=True, exist_ok=True)
    pack(directory / "model.tar.gz", manifest, model)
    data.write(directory / "sample.csv", SAMPLE_ROWS, SAMPLE_SEED)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/demo"), help="folder to write to")
    write(parser.parse_args().out)


if __name__ == "__main__":
    main()
