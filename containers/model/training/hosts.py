"""resourceconfig.json: which machines train together, and which of them this is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.training.errors import TrainingError

ALONE = "algo-1"


@dataclass(frozen=True)
class Hosts:
    """`names` in the same order on every host; the first one keeps the tracker and saves what is saved."""

    names: tuple[str, ...]
    current: str

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Hosts:
        names = config.get("hosts", [ALONE])
        current = config.get("current_host", names[0] if isinstance(names, list) and names else ALONE)
        if not isinstance(names, list) or not names or len(set(names)) != len(names) or current not in names:
            raise TrainingError("resourceconfig.json: `hosts` must list each host once, `current_host` among them")
        return cls(tuple(sorted(names)), current)

    @property
    def index(self) -> int:
        return self.names.index(self.current)

    @property
    def is_first(self) -> bool:
        return self.index == 0

    @property
    def is_alone(self) -> bool:
        return len(self.names) == 1
