"""`dropscore redrive`: events that ended as dead letters are handed to their functions once more."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import islice
from typing import Annotated

import typer

from dropscore.cli.dead_letters import LOOK, DeadLetters, Letter, Meant
from dropscore.cli.deployment import Scoring
from dropscore.cli.options import Env, Json, Local, Profile, Region, target
from dropscore.cli.output import printable, say, write, write_json
from dropscore.errors import CloudError

ACCEPTED = 202


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one letter. `function` is none where nobody knows whom it is for."""

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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    most: Annotated[int | None, typer.Option("--max", metavar="N", min=1, help="At most N messages.")] = None,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Hand events that were given up on to their functions again; prints each with what became of it.

    A message is deleted once its function has accepted the event; what is not understood stays, and the exit code is 1.
    Doing it twice, or killing it, is safe: an event that comes twice changes nothing.
    """
    scoring = deployment(target(context, local=local, profile=profile, region=region, env=env)).find_scoring()
    outcomes = []
    with closing(Redrive(scoring, dry_run=dry_run).run()) as each:
        for outcome in islice(each, most):
            outcomes.append(outcome)
            if not as_json:
                write(_line(outcome))
    if as_json:
        write_json([asdict(outcome) for outcome in outcomes])
    left = sum(outcome.is_left for outcome in outcomes)
    say(f"{len(outcomes)} dead letters, {left} of them left in the queue" if outcomes else "no dead letters")
    raise typer.Exit(1 if left else 0)


class Redrive:
    """One pass over the queue."""

    def __init__(self, scoring: Scoring, *, dry_run: bool) -> None:
        self._scoring, self._dry_run = scoring, dry_run
        self._letters = DeadLetters(scoring.queues, scoring.outputs["DeadLetterQueueUrl"])
        self._done: set[str] = set()

    def run(self) -> Generator[Outcome, None, None]:
        with closing(self._letters.each()) as letters:
            for letter in letters:
                meant = letter.meant()
                yield Outcome(
                    message_id=letter.message_id,
                    died_at=letter.died_at,
                    function=self._scoring.outputs.get(meant.output) if meant else None,
                    about=meant.about if meant else "no event of ours",
                    outcome=self._deal_with(letter, meant),
                )

    def _deal_with(self, letter: Letter, meant: Meant | None) -> str:
        if meant is None:
            return "left: not understood"
        if meant.output not in self._scoring.outputs:
            return "left: its function is not deployed"
        if meant.output == LOOK and LOOK in self._done:  # one look finds all there is
            return self._dropped(letter)
        event = sha256(json.dumps(meant.event, sort_keys=True).encode()).hexdigest()
        if event in self._done:
            return "left: the same event was dealt with already"  # or it failed again, and would go round for ever
        self._done |= {event, meant.output}
        return "would be sent" if self._dry_run else self._sent(letter, meant)

    def _dropped(self, letter: Letter) -> str:
        if not self._dry_run:
            self._letters.delete(letter)
        return "covered by the look before it"

    def _sent(self, letter: Letter, meant: Meant) -> str:
        """Deleted only after the function has it: whoever is killed in between has sent it twice, not lost it."""
        function = self._scoring.outputs[meant.output]
        payload = json.dumps(meant.event).encode()
        answer = self._scoring.functions.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
        if answer["StatusCode"] != ACCEPTED:
            raise CloudError(f"{function} answered {answer['StatusCode']} to an event; it is still in the queue")
        self._letters.delete(letter)
        return "sent again"


def _line(outcome: Outcome) -> str:
    name = outcome.function or f"message {outcome.message_id}"
    return f"{outcome.died_at}  {outcome.outcome}: {printable(outcome.about)} → {printable(name)}"
