"""Types of hyperparameters. Each reads a string, or raises ValueError with what is expected."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    low: float = -math.inf
    high: float = math.inf
    is_low_open: bool = False

    def read(self, text: str) -> float:
        number = _number(text, "a number")
        if not self.low <= number <= self.high or (self.is_low_open and number == self.low):
            raise ValueError(f"must be {self.expected()}")
        return number

    def expected(self) -> str:
        low = f"over {self.low:g}" if self.is_low_open else f"{self.low:g} or more"
        low = "" if math.isinf(self.low) else low
        high = "" if math.isinf(self.high) else f"{self.high:g} or less"
        return "a number" + (", " if low or high else "") + " and ".join(part for part in (low, high) if part)


@dataclass(frozen=True)
class Whole:
    low: int = 0
    high: int = 2**31 - 1

    def read(self, text: str) -> int:
        number = _number(text, "a whole number")  # tuning jobs may write 5.0
        if number != int(number) or not self.low <= number <= self.high:
            raise ValueError(f"must be a whole number from {self.low} to {self.high}")
        return int(number)


@dataclass(frozen=True)
class Choice:
    names: tuple[str, ...]

    def read(self, text: str) -> str:
        if text not in self.names:
            raise ValueError(f"must be one of {', '.join(self.names)}")
        return text


@dataclass(frozen=True)
class Flag:
    def read(self, text: str) -> bool:
        if text.lower() not in {"0", "1", "true", "false"}:
            raise ValueError("must be 0, 1, true or false")
        return text.lower() in {"1", "true"}


@dataclass(frozen=True)
class Pattern:
    pattern: str
    example: str

    def read(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"must look like {self.example}")
        return text


@dataclass(frozen=True)
class Metrics:
    """Names separated by commas, as in the built-in algorithm; `error@0.7` includes a threshold."""

    names: tuple[str, ...]

    def read(self, text: str) -> list[str]:
        found = [part.strip() for part in text.strip("[]").replace('"', "").split(",") if part.strip()]
        wrong = [name for name in found if re.sub(r"@[0-9.]+$", "", name) not in self.names]
        if wrong or not found:
            raise ValueError(f"must be one or more of {', '.join(self.names)}, separated by commas")
        return found


Type = Number | Whole | Choice | Flag | Pattern | Metrics
Value = float | int | str | bool | list[str]


def _number(text: str, expected: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"must be {expected}")
    return number
