"""Synthesizes many combinations of settings in one process, because starting the CDK takes most of the time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tools.checks.matrix import Combination, label, settings_text
from tools.checks.programs import run
from tools.checks.subject import Assembly

OUTDIR = "cdk.out"
SETTINGS = "dropscore.toml"


def synthesize(combinations: Sequence[Combination], folder: Path) -> list[Assembly]:
    """Synthesize each combination. cdk-nag's findings do not fail it; they are stored in the assembly."""
    homes = [folder / label(combination) for combination in combinations]
    for home, combination in zip(homes, combinations, strict=True):
        home.mkdir(parents=True)
        (home / SETTINGS).write_text(settings_text(combination))
    run([sys.executable, "-m", "tools.checks.synthesis", *map(str, homes)], expected=(0,))
    return [Assembly(home.name, home / OUTDIR) for home in homes]


def synthesize_one(home: Path) -> None:
    from app import build  # loading the CDK takes seconds, and only this process needs it
    from stacks.settings import Settings
    from tools.checks.checkers.nag import REPORT

    print(home.name, file=sys.stderr)
    app = build(Settings.load(home, {}), str(home / OUTDIR))
    try:
        app.synth()
    except RuntimeError:
        if not (home / OUTDIR / REPORT).exists():
            raise


if __name__ == "__main__":
    for _home in sys.argv[1:]:
        synthesize_one(Path(_home))
