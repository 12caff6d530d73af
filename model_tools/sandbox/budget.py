"""Limit what reading one file may cost, over all its layers: a gzip in a gzip uses the same budget."""

from __future__ import annotations

from model_tools.errors import Code, ModelImportError

MIB = 1 << 20
SIZE_LIMIT_BYTES = 1 << 30
UNPACKED_BASE_BYTES = 16 * MIB
UNPACKED_FACTOR = 32  # models compress by 3 to 7; each layer counts again: gzip, tar, text of a pickle, bytes
STEPS_LIMIT = 1_000_000  # a pickle or RDS file of a model has hundreds, with an evaluation history thousands


class Budget:
    """Call `spend` when bytes are allocated, and `step` for each step of a pickle or item of an RDS file.

    Both raise ModelImportError TOO_LARGE.
    """

    def __init__(self, artifact_bytes: int) -> None:
        self.limit_bytes = UNPACKED_BASE_BYTES + UNPACKED_FACTOR * artifact_bytes
        self.left_bytes = self.limit_bytes
        self.left_steps = STEPS_LIMIT

    def spend(self, count: int) -> None:
        self.left_bytes -= count
        if self.left_bytes < 0:
            raise ModelImportError(
                f"when unpacked, the artifact exceeds {self.limit_bytes} bytes, the limit for its size. "
                "If it is a model, unpack it yourself and import the file inside",
                code=Code.TOO_LARGE,
            )

    def step(self) -> None:
        self.left_steps -= 1
        if self.left_steps < 0:
            raise ModelImportError(
                f"reading it takes over {STEPS_LIMIT} steps, more than any model needs. Save only the booster: "
                "save_model('model.ubj')",
                code=Code.TOO_LARGE,
            )
