"""A loaded model, asked many times at once: scores, margins, contributions, leaves."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import xgboost

from model.serving import parallel as pieces
from model.serving.formats.answers import Scores
from model.serving.formats.schema import Matrix, Schema
from model.serving.output_kind import Wanted
from model.serving.refusal import RefusalError

MAX_ANSWER_CELLS = 6 * 1024 * 1024
MAX_WALKS = 128 * 1024 * 1024  # rows times trees walked by one request: some seconds of one core
_ASKED = {
    Wanted.SCORES: {},
    Wanted.MARGIN: {"output_margin": True},
    Wanted.CONTRIBUTIONS: {"pred_contribs": True},
    Wanted.LEAVES: {"pred_leaf": True},
}


@dataclass(frozen=True, kw_only=True)
class Model:
    """`iterations` is how many rounds predict, 0 for all; `missing` is what stands for a missing value.

    `widths` holds how many numbers a row's answer has, for each thing the model can answer; `walks` what one row costs,
    in trees walked.
    """

    booster: xgboost.Booster
    kind: str
    schema: Schema
    sha256: str
    iterations: int
    missing: float
    widths: Mapping[Wanted, int] = field(default_factory=dict)
    walks: Mapping[Wanted, int] = field(default_factory=dict)
    lock: AbstractContextManager[object] = field(default_factory=threading.Lock)

    @property
    def version(self) -> str:
        return self.sha256[:12]

    @cached_property
    def attributes(self) -> str:
        """What each answer says of the model: its version and, where its features have names, which."""
        digest = self.schema.names_digest
        return f"model-version={self.version}" + (f";feature-names={digest}" if digest else "")

    def answer(self, matrix: Matrix, wanted: Wanted, cores: int = 1) -> Scores:
        """One float32 a row, or one list of them a row. A row's answer does not depend on the rows beside it."""
        if wanted not in self.widths:
            raise RefusalError(400, "BAD_ATTRIBUTES", f"this model has no {wanted}: its booster is {self.kind}")
        most = self.most_rows(wanted)
        if len(matrix) > most:
            raise RefusalError(413, "ANSWER_TOO_LARGE", f"send at most {most} rows at a time for {wanted}")
        parts = np.array_split(matrix, pieces.count(matrix.nbytes, cores))
        answers = pieces.side_by_side(lambda part: self.predict(part, wanted), parts)
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    def most_rows(self, wanted: Wanted) -> int:
        """As many rows as one request may have: a body of a few bytes a row can ask for minutes of work."""
        return max(1, min(MAX_ANSWER_CELLS // self.widths[wanted], MAX_WALKS // self.walks.get(wanted, 1)))

    def predict(self, matrix: Matrix, wanted: Wanted = Wanted.SCORES) -> Scores:
        """As `Booster.predict` to the bit. Only gbtree is that in place too: dart's last bit differs there."""
        if wanted in {Wanted.SCORES, Wanted.MARGIN} and self.kind == "gbtree":
            kind = "value" if wanted is Wanted.SCORES else "margin"
            scores: Scores = self.booster.inplace_predict(
                matrix, iteration_range=self._rounds, predict_type=kind, missing=self.missing, validate_features=False
            )
            return scores
        return self.predict_from_copy(matrix, wanted)

    def predict_from_copy(self, matrix: Matrix, wanted: Wanted) -> Scores:
        with self.lock if self.kind == "gblinear" else nullcontext():  # trees may be asked by many threads at once
            rows = xgboost.DMatrix(matrix, missing=self.missing, nthread=1)
            return self.booster.predict(
                rows, iteration_range=self._rounds, validate_features=False, **_ASKED[wanted]
            ).astype(np.float32, copy=False)

    @property
    def _rounds(self) -> tuple[int, int]:
        return 0, self.iterations
