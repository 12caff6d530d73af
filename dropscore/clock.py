"""Points in time, as the jobs table keeps them."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(moment: datetime) -> str:
    """ISO-8601 UTC with milliseconds: 2026-11-21T01:40:19.123Z. Sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    return timestamp(datetime.now(UTC))


def seconds_between(earlier: str, later: str) -> float:
    """The seconds between two timestamps; negative if the clocks of two machines disagree."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
