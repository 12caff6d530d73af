"""Convert a model to `.ubj` with the XGBoost release that reads it best; verify that our release scores the same."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_tools.environments import python_environment
from model_tools.errors import Code, ModelImportError
from model_tools.importing.shape import Shape
from model_tools.sandbox.sandbox import Sandbox

LEGACY = Path(__file__).parent / "legacy"
CONVERT = "model_tools.importing.legacy.convert"
VERIFY = "model_tools.importing.verification"


@dataclass(frozen=True, kw_only=True)
class Converted:
    """`categorical` are the columns, from 1, that hold category codes."""

    model: bytes
    shape: Shape
    iterations: int
    categorical: tuple[int, ...]
    converted_with: str | None
    verified_rows: int


def convert(places: Sequence[Path], sandbox: Sandbox) -> list[Converted]:
    """Convert the models in `places`, folders with an order.json and a source.

    One process reads all old models, one all new ones, and one verifies all. Raises ModelImportError if one fails.
    """
    orders = {here: json.loads((here / "order.json").read_text()) for here in places}
    for is_legacy in (True, False):
        share = [here for here, order in orders.items() if order["is_legacy"] is is_legacy]
        if share:
            _run(sandbox, python_environment(LEGACY / "requirements.txt") if is_legacy else None, CONVERT, share)
    # Always with our own XGBoost: it is the release that serves the model.
    _run(sandbox, None, VERIFY, places)
    return [_result(here, order) for here, order in orders.items()]


def _run(sandbox: Sandbox, python: Path | None, module: str, places: Sequence[Path]) -> None:
    size = max((here / "source").stat().st_size for here in places)
    sandbox.run(python or Path(sys.executable), module, *map(str, places), read_bytes=size)


def _result(here: Path, order: dict[str, object]) -> Converted:
    facts, verified = (json.loads((here / name).read_text()) for name in ("facts.json", "verified.json"))
    if verified["wrong"]:
        raise ModelImportError(
            f"old and new XGBoost, or two ways to predict, disagree on {verified['wrong']} of {verified['rows']} "
            "random rows; nothing was written. Please report the model's XGBoost version and objective",
            code=Code.SCORES_DIFFER,
        )
    return Converted(
        model=(here / "model.ubj").read_bytes(),
        shape=Shape(**verified["shape"]),
        iterations=facts["iterations"],
        categorical=tuple(facts["categorical"]),
        converted_with=f"xgboost {facts['xgboost']}" if order["is_legacy"] else None,
        verified_rows=verified["rows"],
    )
