"""A loaded model that many threads use at once: scores, margins, contributions, leaves."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import xgboost

from model.serving import parallel
from model.serving.formats.replies import Scores
from model.serving.formats.schema import Matrix, Schema
from model.serving.output_type import OutputType
from model.serving.refusal import RefusalError

MAX_REPLY_CELLS = 6 * 1024 * 1024
MAX_WALKS = 128 * 1024 * 1024  # rows times trees walked by one request: a few seconds of one core
_OPTIONS = {
    OutputType.SCORES: {},
    OutputType.MARGIN: {"output_margin": True},
    OutputType.CONTRIBUTIONS: {"pred_contribs": True},
    OutputType.LEAVES: {"pred_leaf": True},
}


@dataclass(frozen=True, kw_only=True)
class Model:
    """`iterations` is the number of rounds that predict, 0 for all; `missing` is the number that means a missing value.

    `widths` is the count of numbers per row for each output that the model supports; `walks` is the cost of one row in
    trees walked.
    """

    booster: xgboost.Booster
    booster_type: str
    schema: Schema
    sha256: str
    iterations: int
    missing: float
    widths: Mapping[OutputType, int] = field(default_factory=dict)
    walks: Mapping[OutputType, int] = field(default_factory=dict)
    lock: AbstractContextManager[object] = field(default_factory=threading.Lock)

    @property
    def version(self) -> str:
        return self.sha256[:12]

    @cached_property
    def attributes(self) -> str:
        """The header of each reply: the model's version and, if its features have names, their digest."""
        digest = self.schema.names_digest
        return f"model-version={self.version}" + (f";feature-names={digest}" if digest else "")

    def compute(self, matrix: Matrix, output_type: OutputType, cores: int = 1) -> Scores:
        """Return one float32, or one list of them, per row. A row's result does not depend on the other rows.

        Raises a RefusalError if the model does not support the output, or there are too many rows.
        """
        if output_type not in self.widths:
            raise RefusalError(400, "BAD_ATTRIBUTES", f"this {self.booster_type} model does not support {output_type}")
        most = self.most_rows(output_type)
        if len(matrix) > most:
            raise RefusalError(413, "ANSWER_TOO_LARGE", f"send at most {most} rows in a request for {output_type}")
        parts = np.array_split(matrix, parallel.count(matrix.nbytes, cores))
        results = parallel.side_by_side(lambda part: self.predict(part, output_type), parts)
        return results[0] if len(results) == 1 else np.concatenate(results)

    def most_rows(self, output_type: OutputType) -> int:
        """Return the most rows of one request: a small request can otherwise ask for minutes of work."""
        return max(1, min(MAX_REPLY_CELLS // self.widths[output_type], MAX_WALKS // self.walks.get(output_type, 1)))

    def predict(self, matrix: Matrix, output_type: OutputType = OutputType.SCORES) -> Scores:
        """Return exactly what `Booster.predict` returns. In place only for gbtree: dart's last bit would differ."""
        if output_type in {OutputType.SCORES, OutputType.MARGIN} and self.booster_type == "gbtree":
            predict_type = "value" if output_type is OutputType.SCORES else "margin"
            scores: Scores = self.booster.inplace_predict(
                matrix,
                iteration_range=self._rounds,
                predict_type=predict_type,
                missing=self.missing,
                validate_features=False,
            )
            return scores
        return self.predict_from_copy(matrix, output_type)

    def predict_from_copy(self, matrix: Matrix, output_type: OutputType) -> Scores:
        with (
            self.lock if self.booster_type == "gblinear" else nullcontext()
        ):  # tree models are safe to use from many threads
            rows = xgboost.DMatrix(matrix, missing=self.missing, nthread=1)
            return self.booster.predict(
                rows, iteration_range=self._rounds, validate_features=False, **_OPTIONS[output_type]
            ).astype(np.float32, copy=False)

    @property
    def _rounds(self) -> tuple[int, int]:
        return 0, self.iterations
