"""Dead letters: events that could not be delivered, or that a function gave up on, and which function they are for.

An event says by itself what it is; who failed on it is not always written on it, and may be deployed anew since.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dropscore.clock import timestamp

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

AT_ONCE = 10  # what SQS hands out in one request
HIDDEN_SECONDS = 300
"""Nobody else sees a letter for as long as it is dealt with; whoever is killed leaves it to the next one after that."""
NOT_HELD = {"MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", "InvalidParameterValue"}
"""How SQS says of a letter that its time is over: it is there for others already."""
STALE = 3  # SQS may hand out one letter twice; where all are old, their time is over and they come round again
WAIT_SECONDS = 1  # with less, SQS asks only some of its servers


@dataclass(frozen=True, kw_only=True)
class Meant:
    """Which function an event is for, by the stack's output that names it, and what to call the event."""

    output: str
    event: Mapping[str, Any]
    about: str


@dataclass(frozen=True, kw_only=True)
class Letter:
    message_id: str
    receipt: str
    died_at: str
    body: str

    @classmethod
    def of(cls, message: MessageTypeDef) -> Letter:
        sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
        return cls(
            message_id=message["MessageId"],
            receipt=message["ReceiptHandle"],
            died_at=timestamp(sent),
            body=message["Body"],
        )

    def meant(self) -> Meant | None:
        """None where it is none of the events that our functions take."""
        try:
            event = json.loads(self.body)
            return _meant(event.get("requestPayload", event))
        except (ValueError, LookupError, TypeError, AttributeError):
            return None


class DeadLetters:
    """The queue. What was handed out and not deleted is there again for others when `each` ends."""

    def __init__(self, sqs: SQSClient, url: str) -> None:
        self._sqs, self._url = sqs, url
        self._held: dict[str, Letter] = {}

    def each(self) -> Generator[Letter, None, None]:
        """Every letter that lies there, once; ends when there are no more, or none but those that were seen."""
        seen: set[str] = set()
        stale = 0
        try:
            while stale < STALE and (letters := self._some()):
                self._held |= {letter.message_id: letter for letter in letters}
                fresh = [letter for letter in letters if letter.message_id not in seen]
                seen |= {letter.message_id for letter in fresh}
                stale = 0 if fresh else stale + 1
                yield from fresh
        finally:
            self._release()

    def delete(self, letter: Letter) -> None:
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)
        del self._held[letter.message_id]

    def _some(self) -> list[Letter]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=AT_ONCE,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=WAIT_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        return [Letter.of(message) for message in answer.get("Messages", [])]

    def _release(self) -> None:
        for letter in self._held.values():
            try:
                self._sqs.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=letter.receipt, VisibilityTimeout=0
                )
            except ClientError as error:
                if error.response["Error"].get("Code") not in NOT_HELD:
                    raise
        self._held = {}


def _meant(event: Mapping[str, Any]) -> Meant | None:
    if "DDBStreamBatchInfo" in event:
        size = int(event["DDBStreamBatchInfo"]["batchSize"])
        return Meant(output="AnnounceFunctionName", event=event, about=f"{size} changes of the jobs table")
    output, describe = KINDS[event["source"], event["detail-type"]]
    return Meant(output=output, event=event, about=describe(event))


def _file(event: Mapping[str, Any]) -> str:
    thing = event["detail"]["object"]
    return f"{thing['key']} version {thing['version-id']}"


def _job(event: Mapping[str, Any]) -> str:
    detail = event["detail"]
    return f"job {detail.get('parameters', {}).get('job_id')}: {detail['status']} of Batch job {detail['jobId']}"


def _look(_event: Mapping[str, Any]) -> str:
    return "the look for what events should have done"


LOOK = "ReconcileFunctionName"
KINDS: Mapping[tuple[str, str], tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    ("aws.s3", "Object Created"): ("SubmitFunctionName", _file),
    ("aws.batch", "Batch Job State Change"): ("TrackFunctionName", _job),
    ("aws.events", "Scheduled Event"): (LOOK, _look),
}
"""By source and detail type: which function takes it, and how a person is told which one it is."""
