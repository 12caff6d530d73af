"""SIGTERM: SageMaker stops a job, or takes a spot machine back, with 120 s of grace."""

from __future__ import annotations

import signal


class Stop:
    def __init__(self) -> None:
        self.is_asked = False

    def ask(self, *_: object) -> None:
        self.is_asked = True

    def listen(self) -> None:
        signal.signal(signal.SIGTERM, self.ask)
