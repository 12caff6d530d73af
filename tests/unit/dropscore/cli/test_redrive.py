"""`dropscore redrive` over a real queue (moto): what is sent, what stays, and that nothing is lost on the way."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from dropscore.cli import redrive
from dropscore.cli.dead_letters import DeadLetters
from dropscore.cli.deployment import Scoring
from dropscore.cli.main import main
from dropscore.cli.redrive import Outcome, Redrive

NAMES = ("Submit", "Track", "Reconcile", "Announce")
SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "id": "1", "detail": {}}
STREAM = {
    "DDBStreamBatchInfo": {"batchSize": 3, "shardId": "s"},
    "requestContext": {"condition": "RetryAttemptsExhausted"},
}


def dropped(key: str = "input/march.csv") -> dict[str, Any]:
    thing = {"key": key, "version-id": "v1", "size": 3}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": {"name": "b"}, "object": thing}}


def changed(status: str = "FAILED") -> dict[str, Any]:
    detail = {"jobId": "batch-1", "status": status, "parameters": {"job_id": "0123"}}
    return {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": detail}


class Functions:
    """Lambda, as far as it is asked here; `breaks` after so many accepted events."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.breaks: int | None = None
        self.status = 202

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, int]:  # noqa: N803
        assert InvocationType == "Event"
        if len(self.taken) == self.breaks:
            raise KeyboardInterrupt
        self.taken.append((FunctionName, json.loads(Payload)))
        return {"StatusCode": self.status}


class Post:
    """The queue with what lies in it, and a pass over it."""

    def __init__(self) -> None:
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        self.functions = Functions()

    @property
    def scoring(self) -> Scoring:
        outputs = {f"{name}FunctionName": name.lower() for name in NAMES} | {"DeadLetterQueueUrl": self.url}
        return Scoring(functions=self.functions, queues=self.sqs, outputs=outputs)  # type: ignore[arg-type]

    def lay(self, *bodies: object) -> None:
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def pass_over(self, *, dry_run: bool = False) -> list[Outcome]:
        return list(Redrive(self.scoring, dry_run=dry_run).run())

    def left(self) -> list[str]:
        """What anybody may receive now."""
        found: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in messages]
        return found


@pytest.fixture
def post() -> Iterator[Post]:
    with mock_aws():
        yield Post()


@pytest.mark.parametrize(
    ("event", "function", "about"),
    [
        (dropped(), "submit", "input/march.csv version v1"),
        (changed(), "track", "job 0123: FAILED of Batch job batch-1"),
        (SCHEDULED, "reconcile", "a scheduled run of reconcile"),
        (STREAM, "announce", "3 changes of the jobs table"),
    ],
)
def test_each_event_goes_to_its_function_and_leaves_the_queue(
    post: Post, event: dict[str, Any], function: str, about: str
) -> None:
    post.lay(event)
    (outcome,) = post.pass_over()
    assert (outcome.function, outcome.about, outcome.outcome) == (function, about, "sent again")
    assert post.functions.taken == [(function, event)]
    assert post.left() == []


def test_an_event_in_the_wrapping_of_a_destination_is_unwrapped(post: Post) -> None:
    post.lay({"requestContext": {"functionArn": "old"}, "requestPayload": dropped()})
    post.pass_over()
    assert post.functions.taken == [("submit", dropped())]


@pytest.mark.parametrize(
    "body",
    [
        "no JSON at all",
        "[]",
        "7",
        "{}",
        {"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}},
        {"source": "aws.s3", "detail-type": "Object Created", "detail": {"object": {}}},
        {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": []},
        {"DDBStreamBatchInfo": "what"},
    ],
)
def test_what_is_not_understood_stays_and_keeps_nothing_else_waiting(post: Post, body: object) -> None:
    post.lay(body, dropped())
    outcomes = post.pass_over()
    assert sorted(outcome.outcome for outcome in outcomes) == ["left: not understood", "sent again"]
    assert post.left() == [body if isinstance(body, str) else json.dumps(body)]


def test_what_stands_in_an_unknown_message_is_not_repeated(post: Post) -> None:
    post.lay("secret")
    assert "secret" not in repr(post.pass_over())


def test_more_than_ten_are_handed_out_once_each(post: Post) -> None:
    post.lay(*(dropped(f"input/{number}.csv") for number in range(25)), *("poison" for _ in range(12)))
    outcomes = post.pass_over()
    assert len({outcome.message_id for outcome in outcomes}) == len(outcomes) == 37
    assert len(post.functions.taken) == 25
    assert post.left() == ["poison"] * 12


def test_a_dry_run_says_what_would_be_done_and_does_nothing(post: Post) -> None:
    post.lay(dropped(), SCHEDULED, SCHEDULED | {"id": "2"})
    said = sorted(outcome.outcome for outcome in post.pass_over(dry_run=True))
    assert said == ["deleted: an earlier message runs reconcile", "would be sent", "would be sent"]
    assert post.functions.taken == []
    assert len(post.left()) == 3


def test_one_look_stands_for_many(post: Post) -> None:
    post.lay(*(SCHEDULED | {"id": str(number)} for number in range(5)))
    post.pass_over()
    assert [function for function, _ in post.functions.taken] == ["reconcile"]
    assert post.left() == []


def test_an_event_that_comes_back_does_not_go_round_for_ever(post: Post) -> None:
    post.lay(dropped(), dropped())
    assert sorted(outcome.outcome for outcome in post.pass_over()) == [
        "left: the same event was sent already",
        "sent again",
    ]
    assert len(post.left()) == 1


def test_a_kill_between_two_letters_loses_none_and_frees_them_all(post: Post) -> None:
    post.lay(*(dropped(f"input/{number}.csv") for number in range(5)))
    post.functions.breaks = 2
    with pytest.raises(KeyboardInterrupt):
        post.pass_over()
    assert len(post.left()) == 3


def test_a_letter_is_deleted_only_after_its_function_has_the_event(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.lay(dropped())

    def killed(_self: object, _letter: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("dropscore.cli.dead_letters.DeadLetters.delete", killed)
        with pytest.raises(KeyboardInterrupt):
            post.pass_over()
    assert len(post.functions.taken) == 1
    assert len(post.left()) == 1


@pytest.mark.parametrize("code", ["MessageNotInflight", "InvalidParameterValue"])
def test_a_letter_that_took_too_long_is_there_again_already(
    post: Post, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    def late(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "too late"}}, "ChangeMessageVisibility")

    monkeypatch.setattr(post.sqs, "change_message_visibility", late)
    post.lay("poison", dropped())
    assert len(post.pass_over()) == 2


def test_letters_that_come_round_again_are_handed_out_once(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dropscore.cli.dead_letters.HIDDEN_SECONDS", 0)
    post.lay(*(f"poison {number}" for number in range(3)))
    handed_out = islice(DeadLetters(post.sqs, post.url).receive_all(), 10)
    assert sorted(letter.body for letter in handed_out) == [f"poison {number}" for number in range(3)]


def test_a_queue_that_refuses_is_told(post: Post) -> None:
    post.lay("poison")
    letters = DeadLetters(post.sqs, post.url).receive_all()
    next(letters)
    post.sqs.delete_queue(QueueUrl=post.url)
    with pytest.raises(ClientError, match=r"NonExistentQueue|does not exist"):
        letters.close()


def test_a_function_that_is_not_deployed_keeps_its_letter(post: Post) -> None:
    post.lay(STREAM)
    outputs = {name: value for name, value in post.scoring.outputs.items() if name != "AnnounceFunctionName"}
    scoring = Scoring(functions=post.scoring.functions, queues=post.sqs, outputs=outputs)
    (outcome,) = Redrive(scoring, dry_run=False).run()
    assert (outcome.function, outcome.outcome) == (None, "left: its function is not deployed")
    assert len(post.left()) == 1


def _command(
    post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(redrive, "connect", lambda _: SimpleNamespace(find_scoring=lambda: post.scoring))
    monkeypatch.setattr(sys, "argv", ["dropscore", "redrive", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


def test_the_command_prints_a_line_a_letter_and_says_by_its_exit_code_whether_any_is_left(
    post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _command(post, monkeypatch, capsys)[::2] == (0, "no dead letters\n")
    post.lay(dropped("input/a\x1b[2Jb.csv"))
    code, out, err = _command(post, monkeypatch, capsys)
    assert (code, err) == (0, "1 dead letters, 0 of them left in the queue\n")
    assert out.endswith("Z  sent again: input/a\\x1b[2Jb.csv version v1 → submit\n")
    post.lay("poison")
    assert _command(post, monkeypatch, capsys, "--dry-run")[0] == 1


def test_the_command_stops_after_so_many_and_frees_the_rest(
    post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    post.lay(*(dropped(f"input/{number}.csv") for number in range(5)))
    code, out, _ = _command(post, monkeypatch, capsys, "--max", "2", "--json")
    assert (code, len(json.loads(out)), len(post.functions.taken)) == (0, 2, 2)
    assert len(post.left()) == 3


def test_the_command_says_so_when_lambda_does_not_accept(
    post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    post.lay(dropped())
    post.functions.status = 200
    code, _, err = _command(post, monkeypatch, capsys)
    assert (code, "answered 200 to an event, which is still in the queue" in err) == (4, True)
    assert len(post.left()) == 1
