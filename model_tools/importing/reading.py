"""`main(ARTIFACT, FOLDER, TREES)`: find the model in ARTIFACT and write it, without loading it, into FOLDER.

Runs in a sandbox (`model_tools.sandbox.sandbox`), because the file is untrusted.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model_tools.artifact import digest
from model_tools.importing import orders
from model_tools.importing.foreign import find


def main(artifact: str, folder: str, trees_a_round: str) -> None:
    content = Path(artifact).read_bytes()
    found = find(content)
    orders.write(Path(folder), replace(found, trees_a_round=int(trees_a_round) or None))
    (Path(folder) / "sha256").write_text(digest(content))
