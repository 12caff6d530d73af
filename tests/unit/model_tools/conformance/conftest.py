"""Servers with one fault each, and rows for them."""

from __future__ import annotations

import sys
from pathlib import Path

from model_tools.conformance.process import Command, Process
from model_tools.conformance.sample import Sample
from model_tools.conformance.subject import Bounds

BAD_SERVER = Path(__file__).with_name("bad_server.py")
BOUNDS = Bounds(
    ping_seconds=1.0,
    start_seconds=1.3,
    start_timeout_seconds=10.0,
    answer_seconds=10.0,
    stop_seconds=1.5,
    largest_body_bytes=(1 << 20) + (1 << 19),
)
# Cells of 300 digits: bodies of a megabyte have a thousand rows, which pure Python parses quickly.
SAMPLE = Sample(tuple(f"{n % 17}.{'0' * 300},{n % 5}.{'0' * 300},{n}.{'0' * 300}".encode() for n in range(60)))


def served(fault: str, bounds: Bounds = BOUNDS) -> Process:
    words = (sys.executable, "-S", str(BAD_SERVER), fault, "serve")
    return Process(Command(words, BAD_SERVER.parent, {}, bounds.start_timeout_seconds))
