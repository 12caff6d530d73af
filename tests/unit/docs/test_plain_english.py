"""The pages that people read keep to plain English and to the words of docs/glossary.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

BANNED = (
    # riddles that this project once used
    *("no row is lost, doubled or moved", "every role may what", "of ours", "in peace", "side by side"),
    *("none of churn", "comes? to nothing", "came to nothing", "have a say", "has its word", "has to say"),
    *("let be", "are let", "so much for", "it is no", "are told", "is said", "what is said", "says it of"),
    # odd words for usual ones
    *("it wants", "wants to", "mend", "mended", "heed", "bears?", "borne", "upkeep", "whoever", "somebody", "nobody"),
    *("doorways?", "doors", "rooms", "kin", "takes? away", "took away", "made anew", "anew", "meanwhile"),
    # words that the glossary replaces
    *("sidecars?", "packed", "unpacked", "bad rows?", "fortnight"),
)


def _banned_phrases(text: str) -> list[str]:
    """The banned phrases in the prose of a page: code between backticks is left out."""
    prose = " ".join(re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL).split())
    return sorted({found for phrase in BANNED for found in re.findall(rf"\b{phrase}\b", prose, re.IGNORECASE)})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_has_no_banned_phrase(page: Path) -> None:
    assert _banned_phrases(page.read_text()) == []


def test_phrases_are_found_in_prose_only() -> None:
    assert _banned_phrases("Mend\nthe `sidecar`. It wants\nno more.") == ["It wants", "Mend"]
