"""The fault laboratory's fixtures, and the final table: case, expected, seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.laboratory import Laboratory
from tests.faults.processes import Zygote
from tests.faults.schedule import Answer, Call, ResetError
from tests.faults.server import Server

PROPERTY = "fault case"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a few rows enough for an upload of several parts."""
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    made = Zygote(tmp_path_factory.mktemp("zygote"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server(_refuse) as made:
        threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        made.shutdown()


def _refuse(_call: Call) -> Answer:
    raise ResetError


@pytest.fixture
def new_laboratory(zygote: Zygote, server: Server, tmp_path: Path) -> Iterator[Callable[[], Laboratory]]:
    """Makes a laboratory and closes the previous one: a sweep needs hundreds in one test."""
    made: list[Laboratory] = []

    def make() -> Laboratory:
        _close(made, server)
        folder = tmp_path / str(len(made))
        folder.mkdir()
        lab = Laboratory(folder, zygote, server.url)
        made.append(lab)
        server.answer = lab.answer
        return lab

    yield make
    _close(made, server)
    errors, server.errors = server.errors, []
    assert errors == [], "the laboratory itself failed"


def _close(made: list[Laboratory], server: Server) -> None:
    server.answer = _refuse
    if made:
        made[-1].close()


@pytest.fixture
def lab(new_laboratory: Callable[[], Laboratory]) -> Laboratory:
    return new_laboratory()


@pytest.fixture
def report_line(record_property: Callable[[str, object], None]) -> Callable[[str, str, str], None]:
    """Adds a line to the final table."""
    return lambda case, expected, seen: record_property(PROPERTY, (case, expected, seen))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        report
        for category in terminalreporter.stats.values()
        for report in category
        if hasattr(report, "user_properties")
    ]
    lines = {tuple(value): None for report in reports for name, value in report.user_properties if name == PROPERTY}
    if not lines:
        return
    terminalreporter.section("faults: case, expected, seen")
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    for case, expected, seen in lines:
        terminalreporter.write_line(f"{case:<{widths[0]}}  {expected:<{widths[1]}}  {seen}")
