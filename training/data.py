"""Generate rows like the public credit-card fraud data: time, 28 principal components, amount; 0.17 % are fraud.

`python -m training.data --rows N --out FILE` writes CSV without a header, 500 bytes per row, in constant memory.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COLUMNS = ("time", *(f"v{n}" for n in range(1, 29)), "amount")
FRAUD_SHARE = 0.0017
BLOCK_ROWS = 10_000
SECONDS_BETWEEN_ROWS = 172_792 / 284_807  # two days of transactions, as in the public data

_SPREAD = np.linspace(1.96, 0.33, 28)  # principal components have decreasing variance
_FRAUD_SHIFT = np.zeros(28)
_FRAUD_SHIFT[[0, 2, 3, 9, 10, 11, 13, 15, 16]] = [-1.4, -1.9, 1.6, -1.7, 1.4, -2.1, -2.5, -1.3, -1.8]
_CELLS = ",".join(["%.14f"] * 28)

Block = tuple[NDArray[np.float64], NDArray[np.int8]]


def blocks(rows: int, seed: int = 0) -> Iterator[Block]:
    """Yield pairs of features (n x 30) and labels (n). The first rows do not depend on `rows`."""
    for number, start in enumerate(range(0, rows, BLOCK_ROWS)):
        features, labels = _block(number, seed)
        count = min(BLOCK_ROWS, rows - start)
        yield features[:count], labels[:count]


def _block(number: int, seed: int) -> Block:
    rng = np.random.default_rng([seed, number])
    labels = (rng.random(BLOCK_ROWS) < FRAUD_SHARE).astype(np.int8)
    components = rng.normal(size=(BLOCK_ROWS, 28)) * _SPREAD + labels[:, None] * _FRAUD_SHIFT
    time = np.floor((np.arange(BLOCK_ROWS) + number * BLOCK_ROWS) * SECONDS_BETWEEN_ROWS)
    amount = np.round(np.exp(rng.normal(3.0, 1.6, BLOCK_ROWS)), 2)
    return np.column_stack([time, components.round(14), amount]), labels


def write(path: Path, rows: int, seed: int = 0, *, label: bool = False) -> None:
    """Write `rows` rows to `path`; `label` puts the label (0 or 1) first."""
    line = "%d," * label + "%d," + _CELLS + ",%.2f\n"
    with path.open("w", encoding="ascii") as out:
        for features, labels in blocks(rows, seed):
            cells = np.column_stack([labels, features]) if label else features
            # One format call per block is several times as fast as pandas' to_csv.
            out.write(line * len(cells) % tuple(cells.ravel().tolist()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.data", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--label", action="store_true", help="put the label first")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write(options.out, options.rows, options.seed, label=options.label)


if __name__ == "__main__":
    main()
