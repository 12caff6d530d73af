"""The container's entry point: `python serve.py [serve | train]`. Each command imports only its own half."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # this folder is the package `model`
    if list(arguments) == ["train"]:
        from model.training.main import main as train

        return train()
    if list(arguments) in ([], ["serve"]):
        from model.serving.main import main as serve

        return serve()
    print("usage: serve.py [serve | train]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
