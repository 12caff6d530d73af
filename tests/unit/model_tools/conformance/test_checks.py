"""The texts of findings, the report, and the command's exit codes."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dropscore.errors import ConfigurationError
from model_tools.artifact import Manifest, Source
from model_tools.cli import app
from model_tools.conformance import memory, report
from model_tools.conformance.client import Client
from model_tools.conformance.engine import Engine, EngineError
from model_tools.conformance.findings import Finding
from model_tools.conformance.outcomes import Outcome
from model_tools.conformance.sample import CANARY, Sample, body
from model_tools.conformance.starting import NotStartedError
from tests.unit.model_tools.conformance.conftest import SAMPLE, served

RUNNER = CliRunner()
FAILED = Finding(
    check="order", demands="the scores' order", outcome=Outcome.FAIL, what="wrong", do="sort [not]", seconds=1
)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    file = tmp_path / "sample.csv"
    file.write_bytes(body(SAMPLE.rows))
    return file


def test_a_running_server_is_checked_as_far_as_visible(sample: Path) -> None:
    with closing(served("none")) as server:
        done = RUNNER.invoke(app, ["check", server.client.url, "--sample", str(sample), "--json"])
    assert done.exit_code == 0, done.output
    findings = json.loads(done.stdout)
    assert (findings["target"], findings["passed"]) == (server.client.url, True)
    skipped = {item["check"]: item["what"] for item in findings["findings"] if item["outcome"] == "skip"}
    assert skipped["start-up"] == "the server was already running"
    assert {"memory", "log", "sigterm", "offline"} < set(skipped)


def test_a_failed_check_is_exit_code_1_and_says_what_to_do(sample: Path) -> None:
    with closing(served("quotes")) as server:
        done = RUNNER.invoke(app, ["check", server.client.url, "--sample", str(sample)])
    assert done.exit_code == 1
    assert "fail  echo" in done.stdout
    assert "fix: reply with the numbers of row and column instead" in done.stdout
    assert done.stdout.splitlines()[-1].split(", ")[1] == "1 failed"
    assert CANARY.decode() not in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["http://127.0.0.1:9"], "pass some rows"),
        (["image"], "pass some rows"),
        (["gone.tar.gz"], "the file gone.tar.gz does not exist"),
        (["."], "is a folder; build it with"),
        (["http://127.0.0.1:9", "--model", __file__], "--model works only with an IMAGE"),
        (["image", "--sample", "gone.csv"], "does not exist"),
    ],
)
def test_invalid_arguments_give_exit_code_2(arguments: list[str], words: str) -> None:
    done = RUNNER.invoke(app, ["check", *arguments], env={"COLUMNS": "300"})
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.split())


def test_nothing_at_the_address_is_exit_code_3(sample: Path) -> None:
    done = RUNNER.invoke(app, ["check", "http://127.0.0.1:9", "--sample", str(sample)])
    assert isinstance(done.exception, NotStartedError)
    assert done.exception.exit_code == 3
    assert "no reply from http://127.0.0.1:9" in str(done.exception)


def test_an_engine_that_is_not_there_is_named(sample: Path) -> None:
    done = RUNNER.invoke(app, ["check", "image", "--sample", str(sample), "--engine", "no-such-engine --with this"])
    assert isinstance(done.exception, EngineError)
    assert "no-such-engine is not installed; install it, or choose another with --engine" in str(done.exception)


def test_the_engines_command_may_hold_arguments() -> None:
    assert Engine.named("podman --remote", {}).command == ("podman", "--remote")
    assert Engine.named(None, {"DROPSCORE_ENGINE": "podman"}).command == ("podman",)
    assert Engine.named(None, {}).command == ("docker",)


def test_an_engine_that_refuses_is_quoted() -> None:
    engine = Engine.named("sh -c 'echo no such image >&2; exit 125'", {})
    with pytest.raises(EngineError, match=r"inspect failed: no such image$"):
        engine("inspect")


def test_an_image_that_is_not_there_is_exit_code_3(sample: Path) -> None:
    engine = "sh -c 'echo image not known >&2; exit 125'"
    done = RUNNER.invoke(app, ["check", "image", "--sample", str(sample), "--engine", engine])
    assert isinstance(done.exception, EngineError)
    assert done.exception.exit_code == 3
    assert "image not known; check that the engine is running" in str(done.exception)


def test_the_table_shows_brackets_as_they_are_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_table([FAILED])
    said = capsys.readouterr().out
    assert "sort [not]" in said
    assert "requirement: the scores' order" in said
    assert said.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


def test_a_sample_fills_bodies_to_a_size() -> None:
    few = Sample((b"1,2", b"3,4", b"5,66"))
    assert few.of_size(1) == (b"1,2\n", 1)
    assert few.of_size(9) == (b"1,2\n3,4\n", 2)
    assert few.of_size(13) == (b"1,2\n3,4\n5,66\n", 3)
    content, count = few.of_size(1000)
    assert (content.count(b"\n"), len(content) <= 1000 < len(content) + 5) == (count, True)


def test_a_poisoned_row_keeps_its_columns() -> None:
    lines = Sample((b"1,2", b"3,4")).poisoned(3, 2).splitlines()
    assert lines == [b"1,2", b"3," + CANARY, b"1,2"]


def test_a_sample_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("\n")
    with pytest.raises(ConfigurationError, match=r"empty\.csv has no rows"):
        Sample.read(tmp_path / "empty.csv")


def test_rows_are_made_for_a_model_with_codes_for_its_categories() -> None:
    manifest = Manifest(
        model="m",
        sha256="",
        features=3,
        objective="",
        outputs=1,
        trees=1,
        iterations=1,
        missing=None,
        source=Source(name="", sha256="", format=""),
        converted_with=None,
        verified_rows=0,
        categorical=(2,),
    )
    made = Sample.for_model(manifest)
    assert {row.split(b",")[1] for row in made.rows} == {b"0", b"1"}
    assert made.columns == 3
    assert len(set(made.rows)) == len(made.rows)


def test_memory_counts_a_family_of_processes() -> None:
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc")
    with closing(served("none")) as server:
        found = memory.memory_of(server.pid())
    assert found is not None
    assert 5 << 20 < found.held_bytes <= found.peak_bytes < 200 << 20
    assert memory.memory_of(2**22 + 1) is None


def test_no_answer_is_a_reply_of_status_0() -> None:
    reply = Client("http://127.0.0.1:9").ping(1)
    assert (reply.status, reply.brief) == (0, "no reply (ConnectionRefusedError)")
