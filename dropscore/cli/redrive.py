"""`dropscore redrive`: sends dead letters to their functions again."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import islice
from typing import Annotated

import typer

from dropscore.cli.dead_letters import RECONCILE, DeadLetter, DeadLetters, Destination
from dropscore.cli.deployment import Scoring, connect
from dropscore.cli.options import Env, Json, Local, Profile, Region, target
from dropscore.cli.output import printable, say, write, write_json
from dropscore.errors import CloudError

ACCEPTED = 202


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one dead letter. `function` is None if its function is unknown."""

    message_id: str
    died_at: str
    function: str | None
    about: str
    outcome: str

    @property
    def is_left(self) -> bool:
        return self.outcome.startswith("left")


def redrive(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
    max_messages: Annotated[
        int | None, typer.Option("--max", metavar="N", min=1, help="Process at most N messages.")
    ] = None,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Send dead letters to their functions again, and print the outcome of each.

    A message is deleted once its function has accepted the event. A message that is not understood stays in the queue,
    and the exit code is 1. You can stop the command and run it again: a repeated event changes nothing.
    """
    scoring = connect(target(context, local=local, profile=profile, region=region, env=env)).find_scoring()
    outcomes = []
    with closing(Redrive(scoring, dry_run=dry_run).run()) as results:
        for outcome in islice(results, max_messages):
            outcomes.append(outcome)
            if not as_json:
                write(_line(outcome))
    if as_json:
        write_json([asdict(outcome) for outcome in outcomes])
    left = sum(outcome.is_left for outcome in outcomes)
    say(f"{len(outcomes)} dead letters, {left} of them left in the queue" if outcomes else "no dead letters")
    raise typer.Exit(1 if left else 0)


class Redrive:
    """Processes the messages of the queue once."""

    def __init__(self, scoring: Scoring, *, dry_run: bool) -> None:
        self._scoring, self._dry_run = scoring, dry_run
        self._queue = DeadLetters(scoring.queues, scoring.outputs["DeadLetterQueueUrl"])
        self._done: set[str] = set()

    def run(self) -> Generator[Outcome, None, None]:
        with closing(self._queue.receive_all()) as dead_letters:
            for dead_letter in dead_letters:
                destination = dead_letter.destination()
                yield Outcome(
                    message_id=dead_letter.message_id,
                    died_at=dead_letter.died_at,
                    function=self._scoring.outputs.get(destination.output) if destination else None,
                    about=destination.description if destination else "not an event of Dropscore",
                    outcome=self._process(dead_letter, destination),
                )

    def _process(self, dead_letter: DeadLetter, destination: Destination | None) -> str:
        if destination is None:
            return "left: not understood"
        if destination.output not in self._scoring.outputs:
            return "left: its function is not deployed"
        if destination.output == RECONCILE and RECONCILE in self._done:  # one run of reconcile finds everything
            return self._drop(dead_letter)
        event = sha256(json.dumps(destination.event, sort_keys=True).encode()).hexdigest()
        if event in self._done:
            return "left: the same event was sent already"  # it may fail again: sending it twice could loop forever
        self._done |= {event, destination.output}
        return "would be sent" if self._dry_run else self._send(dead_letter, destination)

    def _drop(self, dead_letter: DeadLetter) -> str:
        if not self._dry_run:
            self._queue.delete(dead_letter)
        return "deleted: an earlier message runs reconcile"

    def _send(self, dead_letter: DeadLetter, destination: Destination) -> str:
        """Deletes the message once the function has the event: a kill in between sends it twice, but never loses it."""
        function = self._scoring.outputs[destination.output]
        payload = json.dumps(destination.event).encode()
        answer = self._scoring.functions.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
        if answer["StatusCode"] != ACCEPTED:
            raise CloudError(
                f"{function} answered {answer['StatusCode']} to an event, which is still in the queue; try again"
            )
        self._queue.delete(dead_letter)
        return "sent again"


def _line(outcome: Outcome) -> str:
    name = outcome.function or f"message {outcome.message_id}"
    return f"{outcome.died_at}  {outcome.outcome}: {printable(outcome.about)} → {printable(name)}"
