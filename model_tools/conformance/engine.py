"""Run Docker, Podman or another engine with the same command line."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from dropscore.errors import ConfigurationError

VARIABLE = "DROPSCORE_ENGINE"


class EngineError(ConfigurationError):
    """The engine failed; the message is its own."""


@dataclass(frozen=True)
class Engine:
    command: tuple[str, ...]

    @classmethod
    def named(cls, command: str | None, environ: Mapping[str, str] = os.environ) -> Engine:
        """`command` may include arguments. Default: $DROPSCORE_ENGINE, then docker."""
        return cls(tuple(shlex.split(command or environ.get(VARIABLE) or "docker")))

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Raises EngineError only if the engine is not installed."""
        try:
            return subprocess.run([*self.command, *arguments], input=stdin, capture_output=True, check=False)
        except FileNotFoundError:
            fix = f"install it, or choose another with --engine or ${VARIABLE}"
            raise EngineError(f"{self.command[0]} is not installed; {fix}") from None

    def __call__(self, *arguments: str) -> str:
        """Return the output. Raises EngineError if the command fails."""
        done = self.run(*arguments)
        if done.returncode != 0:
            message = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise EngineError(f"{' '.join(self.command)} {arguments[0]} failed: {' '.join(message)}")
        return done.stdout.decode(errors="replace").strip()
