"""No name from outside steers a terminal: every command, given hostile names, prints none of their characters raw."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import typer

from dropscore.aws.table import JobsTable
from dropscore.cli import deployment, redrive, retry, watch
from dropscore.cli.deployment import Scoring
from dropscore.cli.main import app
from dropscore.cli.output import _SafeConsole, cell, printable, say, say_crash, write, write_json
from dropscore.jobs.job import Job, State
from dropscore.jobs.routes import manifest_key
from model_tools.artifact import Manifest, Source, digest, pack
from model_tools.conformance.findings import Finding
from model_tools.conformance.outcomes import Outcome
from tests.unit.dropscore.cli.test_cli import Commands
from tests.unit.dropscore.cli.test_cli import cli as cli  # a fixture

ROOT = Path(__file__).resolve().parents[4]
C0_AND_C1 = "".join(map(chr, [*range(1, 32), *range(127, 160)]))
BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SEPARATORS = "\u2028\u2029\u200b\ufeff"
STEER = f"\x1b]0;x\x07\x1b[2J\x9b31m{C0_AND_C1}{BIDIRECTIONAL}{SEPARATORS}[red][bold"
NAME = f"{STEER}\nFORGED"
"""Good for the name of a file on this machine, too."""
TEXT = f"{NAME}[/]\udc9b"
MANIFEST: dict[str, Any] = {
    "job_id": TEXT,
    "rows": {"in": TEXT, TEXT: 1},
    "output": {"key": TEXT, "bytes": 1, "parts": [{"rows": 1, "bytes": 1, "sha256": TEXT}]},
    "errors": None,
    "input": {"is_compressed": False, "parts": [{"start": 0, "end": 1, "sha256": TEXT}]},
}
Runs = list[list[str]]


class World:
    """An account, files and a cloud in which every name is hostile."""

    def __init__(self, cli: Commands, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cli, self.folder, self.patch = cli, folder, monkeypatch
        monkeypatch.chdir(folder)

    def file(self, name: str = f"{NAME}.csv", content: bytes = b"1\n") -> str:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_bytes(content)
        return str(self.folder / name)

    def job(self, number: int = 1, status: State = State.SUCCEEDED, **changes: Any) -> Job:
        hostile = TEXT.removesuffix("\udc9b")  # DynamoDB takes only what UTF-8 can write
        fields = dict.fromkeys(["version_id", "route", "model", "model_version", "code", "message"], hostile)
        said = {"file": f"input/{NAME}.csv", "output_key": f"output/{number}{STEER}.csv", "rows_rejected": 1, "rows": 1}
        return self.cli.job(number, status, **{**fields, **said, **changes})

    def jobs(self) -> Job:
        own = self.job()
        self.job(2, State.FAILED, rejected_of=own.job_id)
        self.cli.s3.put_object(Bucket=self.cli.bucket, Key=own.output_key, Body=b"0.1\n")
        self.cli.s3.put_object(
            Bucket=self.cli.bucket, Key=manifest_key(own.output_key), Body=json.dumps(MANIFEST).encode()
        )
        return own

    def scoring(self, functions: Any, queues: Any = None, **outputs: str) -> None:
        found = deployment.connect
        scoring = Scoring(functions=functions, queues=queues, outputs={"SubmitFunctionName": NAME, **outputs})
        for module in (retry, redrive):
            self.patch.setattr(module, "connect", lambda target: _replaced(found(target), find_scoring=lambda: scoring))


def _replaced(there: Any, **changes: Any) -> Any:
    return SimpleNamespace(**{**{name: getattr(there, name) for name in ("s3", "bucket", "table")}, **changes})


def _score(world: World) -> Runs:
    file, odd = world.file(), world.file(f"{NAME}.txt")
    world.file(f"{NAME}.csv.job.json", b"{}")
    failed = world.job(3, State.FAILED)
    world.patch.setattr(JobsTable, "find", lambda *_: failed)
    folder = str(Path(world.file(f"folder{NAME}/{NAME}.txt")).parent)
    both = str(Path(world.file(f"both{NAME}/a.csv")).parent)
    world.file(f"both{NAME}/{NAME}.txt")
    mixed = [file, world.file(f"folder{NAME}/{NAME}.csv")]
    wrong = [[file, "--route", TEXT], [odd], [folder], mixed, [f"{file}.none"], [f"--{NAME}"]]
    return [[file], [file, "--json"], [file, "--watch"], [file, "--watch", "--json"], [both], *wrong]


def _jobs(world: World) -> Runs:
    world.jobs()
    return [
        [],
        ["--json"],
        ["--file", f"{NAME}.csv"],
        ["--status", NAME],
        ["--env", BIDIRECTIONAL],
        ["--profile", NAME],
    ]


def _status(world: World) -> Runs:
    own = world.jobs()
    return [[own.job_id], [own.job_id, "--json"], [f"{2:032x}"], [f"{NAME}.csv"], [NAME]]


def _result(world: World) -> Runs:
    own, out = world.jobs(), str(world.folder / f"{NAME}.out")
    world.job(4, output_key=f"output/none{STEER}.csv")
    return [[own.job_id, "-o", out], [own.job_id, "--json"], [f"{2:032x}"], [f"{4:032x}", "-o", out], [NAME]]


def _verify(world: World) -> Runs:
    own = world.jobs()
    world.job(4, output_key=f"output/none{STEER}.csv")
    return [[own.job_id], [own.job_id, "--json"], [f"{2:032x}"], [f"{4:032x}"]]


def _retry(world: World) -> Runs:
    own = world.jobs()

    def invoke(**_: Any) -> Any:
        return {"Payload": io.BytesIO(json.dumps({"code": TEXT, "message": TEXT}).encode())}

    world.scoring(SimpleNamespace(invoke=invoke))
    return [[f"{NAME}.csv"], [own.job_id], [f"{NAME}.none"]]


def _redrive(world: World) -> Runs:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    thing = {"key": f"input/{TEXT}", "version-id": TEXT}
    event = {"source": "aws.s3", "detail-type": "Object Created", "detail": {"object": thing}}
    changed = {"jobId": TEXT, "status": TEXT, "parameters": {"job_id": TEXT}}
    batch = {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": changed}
    for each in (event, batch, {"source": TEXT}):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(each))
    world.scoring(SimpleNamespace(), sqs, DeadLetterQueueUrl=url, TrackFunctionName=TEXT)
    return [["--dry-run"], ["--dry-run", "--json"]]


def _restore(world: World) -> Runs:
    world.jobs()
    return [["--from", world.cli.table.resource.name], ["--from", TEXT], ["--from", NAME, "--dry-run"]]


def _local_run(world: World) -> Runs:
    from local import one_shot

    def run(orders: Any, _model: Any, _keep: Any, talk: Callable[[str], None], _clock: Any) -> list[Job]:
        talk(STEER)
        return [world.job(5 + len(world.cli.table.by_status(State.FAILED, limit=9)), State.FAILED) for _ in orders]

    world.patch.setattr(one_shot, "score_files", run)
    file = world.file()
    return [[file], [file, "--json"], [world.file(f"{NAME}.txt")], [file, file], [str(world.folder), "--out", file]]


def _local_up(world: World) -> Runs:
    from local import cloud

    made = SimpleNamespace(endpoint_url=STEER, not_emulated=(STEER,), is_running=False, digest="", stop=lambda: None)
    world.patch.setattr(cloud, "HOME", world.folder / NAME)
    world.patch.setattr(cloud, "launch", lambda *_: made)
    return [[]]


def _local_down(world: World) -> Runs:
    from local import cloud

    world.patch.setattr(cloud, "HOME", world.folder / NAME)
    world.patch.setattr(cloud, "find", lambda _: SimpleNamespace(stop=lambda: None))
    return [[]]


def _local_status(world: World) -> Runs:
    from local import cloud

    found = SimpleNamespace(is_running=True, endpoint_url=TEXT, shim_url=TEXT, outputs={TEXT: TEXT})
    world.patch.setattr(cloud, "find", lambda _: found)
    return [[], ["--json"]]


def _local_credentials(world: World) -> Runs:
    from local import cloud

    root = {"aws_access_key_id": TEXT, "aws_secret_access_key": TEXT}
    found = SimpleNamespace(is_running=True, root=root, environment=lambda: {"AWS_ENDPOINT_URL": TEXT})
    world.patch.setattr(cloud, "find", lambda _: found)
    return [[], ["--json"]]


def _artifact(world: World) -> str:
    shape: Any = {"features": 1, "outputs": 1, "trees": 1, "iterations": 1, "missing": None, "verified_rows": 1}
    source = Source(name=TEXT, sha256=TEXT, format=TEXT)
    manifest = Manifest(
        model="model.ubj", sha256=digest(b"m"), objective=TEXT, source=source, converted_with=TEXT, **shape
    )
    pack(world.folder / "ours.tar.gz", manifest, b"m")
    return str(world.folder / "ours.tar.gz")


def _tar(world: World) -> str:
    with tarfile.open(world.folder / f"{NAME}.tar", "w") as archive:
        for name in (NAME, f"../{NAME}", f"other{NAME}"):
            member = tarfile.TarInfo(name)
            member.size = 2
            archive.addfile(member, io.BytesIO(b"{}"))
    return str(world.folder / f"{NAME}.tar")


def _model_import(world: World) -> Runs:
    out = ["-o", str(world.folder / f"{NAME}.tar.gz")]
    junk, nothing = world.file(f"{NAME}.json", TEXT.encode(errors="replace")), str(world.folder / f"{NAME}.none")
    return [[_tar(world), *out], [junk, *out], [nothing, *out]]


def _model_show(world: World) -> Runs:
    return [[_artifact(world)], [_artifact(world), "--json"], [_tar(world)], [NAME]]


def _model_check(world: World) -> Runs:
    from model_tools.conformance import cli as checking
    from model_tools.conformance import examination

    hostile = {"check": TEXT, "demands": STEER, "what": STEER, "do": STEER, "seconds": 0.0}
    findings = [Finding(outcome=outcome, **hostile) for outcome in Outcome]  # type: ignore[arg-type]

    def examine(_subject: Any, starting: Callable[[Any], None]) -> list[Finding]:
        starting(SimpleNamespace(name=TEXT, demands=TEXT))
        return findings

    subject = checking._subject
    world.patch.setattr(
        checking, "_subject", lambda *given: contextlib.nullcontext() if given[0] == TEXT else subject(*given)
    )
    world.patch.setattr(examination, "examine", examine)
    return [[TEXT], [TEXT, "--json"], [f"{NAME}.json"], [f"http://{NAME}"], [str(world.folder)], [NAME]]


def _train(world: World) -> Runs:
    folder, out = world.folder / f"empty{NAME}", ["-o", str(world.folder / "out.tar.gz")]
    folder.mkdir()
    data, odd = world.file(), world.file(f"{NAME}.json", TEXT.encode(errors="replace"))
    return [
        ["--data", str(folder), *out],
        ["--data", data, "-p", TEXT, *out],
        ["--data", data, "--hyperparameters", odd, *out],
        ["--data", f"{data}.none", *out],
    ]


CASES: dict[str, Callable[[World], Runs]] = {
    "score": _score,
    "jobs": _jobs,
    "status": _status,
    "result": _result,
    "verify": _verify,
    "retry": _retry,
    "redrive": _redrive,
    "restore": _restore,
    "train": _train,
    "local run": _local_run,
    "local up": _local_up,
    "local down": _local_down,
    "local status": _local_status,
    "local credentials": _local_credentials,
    "model import": _model_import,
    "model show": _model_show,
    "model check": _model_check,
}


def _commands(command: Any, *path: str) -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(path)
    for name, each in (below or {}).items():
        yield from _commands(each, *path, name)


def test_every_command_has_its_hostile_case() -> None:
    assert sorted(_commands(typer.main.get_command(app))) == sorted(CASES)


def _raw(text: str) -> set[str]:
    return {each for each in text if not each.isprintable() and each != "\n"}


@pytest.mark.parametrize("command", CASES)
def test_no_command_prints_hostile_characters(
    cli: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    runs = CASES[command](World(cli, tmp_path, monkeypatch))
    said = ""
    for arguments in runs:
        code, out, err = cli.run(*command.split(), *arguments)
        said += out + err
        assert code in (0, 1, 2, 3, 4)
        assert _raw(out + err) == set()
        assert not [line for line in (out + err).splitlines() if line.startswith("FORGED")]
        assert json.loads(out) if "--json" in arguments and out else True
    assert command == "local down" or "\\x1b" in said or "\\u001b" in said  # or nothing hostile came near


@pytest.mark.parametrize("text", ["plain – ü 漢字 🙂 a/b\\c", "", "[red]x[/]"])
def test_printable_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_escapes_are_those_of_python() -> None:
    assert printable("\x1b\x9b\u202e\n\t\x7f\udc9b") == r"\x1b\x9b\u202e\n\t\x7f\udc9b"
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"
    assert _raw("".join(map(printable, map(chr, range(sys.maxunicode + 1))))) == set()


def test_lines_and_json_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    for tell in (write, say, write_json):
        tell(TEXT)
        said = capsys.readouterr()
        assert _raw(said.out + said.err) == set()
    write_json({"key": TEXT})
    assert json.loads(capsys.readouterr().out) == {"key": TEXT}


def test_a_terminal_gets_colours_and_no_other_escapes() -> None:
    screen = io.StringIO()
    console = _SafeConsole(file=screen, force_terminal=True, color_system="standard", width=2000)
    for text in (cell(STEER, "red"), STEER.replace("[", "("), f"[green]{STEER.replace('[', '(')}[/]"):
        console.print(text)
    said = screen.getvalue()
    assert "\x1b[31m" in said
    assert "\x1b[32m" in said
    for sequence in ("\x1b[31m", "\x1b[32m", "\x1b[0m", "\x1b[1m"):
        said = said.replace(sequence, "")
    assert _raw(said) - {"\x1b"} == set()
    assert "\x1b]" not in said
    assert "\x1b[2J" not in said


def test_progress_shows_markup_as_text(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = _SafeConsole(file=screen, force_terminal=True, color_system=None, width=200)
    monkeypatch.setattr(watch, "talk", terminal)
    job = cli.job(1)
    assert watch.wait(cli.table, {job.job_id: "input/[red]\x1b]0;x\x07[/].csv"}) == [job]
    assert "input/[red]\\x1b]0;x\\x07[/].csv" in screen.getvalue()


def test_an_unexpected_error_is_escaped_too(cli: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run("--version")
    assert sys.excepthook is say_crash
    with pytest.raises(KeyError) as raised:
        dict[str, str]()[TEXT]
    say_crash(raised.type, raised.value, raised.tb)
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert _raw(said) == set()


def test_what_a_training_process_prints_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    from training.local_job import _relays

    code = "import sys; [print('[0]#011train-auc:1 \\x1b[2J\\u202e\\r', file=f) for f in (sys.stdout, sys.stderr)]"
    process = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
    )
    for relay in list(_relays(process)):
        relay.join()
    process.wait()
    said = capsys.readouterr()
    assert said.out.startswith("[0]#011train-auc:1 \\x1b[2J\\u202e")
    assert said.err.startswith("[0]#011train-auc:1 \\x1b[2J\\u202e")
    assert _raw(said.out + said.err) == set()


def _printing(tree: ast.AST) -> Iterator[str]:
    """Calls by which text reaches a terminal without going through the one module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            is_ours = name in ("print", "Console") or name.endswith(("typer.echo", "typer.secho", "click.echo"))
            if is_ours or name in ("sys.stdout.write", "sys.stderr.write", "talk.print"):
                yield f"{name} in line {node.lineno}"


def test_nothing_is_printed_but_through_one_module() -> None:
    files = [*ROOT.glob("dropscore/cli/*.py"), *ROOT.glob("local/*.py"), *ROOT.glob("training/**/*.py")]
    files += ROOT.glob("tools/smoke/*.py")
    found = {str(file.relative_to(ROOT)): list(_printing(ast.parse(file.read_text()))) for file in files}
    assert {name for name, calls in found.items() if calls} == {"dropscore/cli/output.py"}


def test_logs_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    from dropscore.log import log

    log("ignored", key=TEXT, job=asdict(Source(name=TEXT, sha256="", format="")))
    line = capsys.readouterr().out
    assert _raw(line) == set()
    assert json.loads(line)["key"] == TEXT
