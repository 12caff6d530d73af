"""Dead letters: events that could not be delivered or that a function failed on, and the functions they are for.

The function comes from the event itself: a dead letter does not always name the function that failed on it, and a
deployment may have replaced it since.
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

BATCH_SIZE = 10  # the most messages that SQS returns for one request
HIDDEN_SECONDS = 300
"""How long a received message stays hidden from others. After a kill, it becomes visible again."""
EXPIRED_CODES = {"MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", "InvalidParameterValue"}
"""SQS's codes for a message that has become visible to others again."""
MAX_STALE_BATCHES = 3  # SQS may return a message twice; if all are old, they have become visible again
WAIT_SECONDS = 1  # with less, SQS searches only some of its servers


@dataclass(frozen=True, kw_only=True)
class Destination:
    """The function that an event is for, by the stack output with its name, and a description of the event."""

    output: str
    event: Mapping[str, Any]
    description: str


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    message_id: str
    receipt: str
    died_at: str
    body: str

    @classmethod
    def of(cls, message: MessageTypeDef) -> DeadLetter:
        sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
        return cls(
            message_id=message["MessageId"],
            receipt=message["ReceiptHandle"],
            died_at=timestamp(sent),
            body=message["Body"],
        )

    def destination(self) -> Destination | None:
        """The function and the event; None if it is not an event that a function of Dropscore takes."""
        try:
            event = json.loads(self.body)
            return _destination_of(event.get("requestPayload", event))
        except (ValueError, LookupError, TypeError, AttributeError):
            return None


class DeadLetters:
    """The queue. Messages that were received and not deleted become visible again when `receive_all` ends."""

    def __init__(self, sqs: SQSClient, url: str) -> None:
        self._sqs, self._url = sqs, url
        self._received: dict[str, DeadLetter] = {}

    def receive_all(self) -> Generator[DeadLetter, None, None]:
        """Every dead letter in the queue, once; ends when the queue is empty or returns only old messages."""
        seen: set[str] = set()
        stale = 0
        try:
            while stale < MAX_STALE_BATCHES and (dead_letters := self._receive()):
                self._received |= {dead_letter.message_id: dead_letter for dead_letter in dead_letters}
                fresh = [dead_letter for dead_letter in dead_letters if dead_letter.message_id not in seen]
                seen |= {dead_letter.message_id for dead_letter in fresh}
                stale = 0 if fresh else stale + 1
                yield from fresh
        finally:
            self._release()

    def delete(self, dead_letter: DeadLetter) -> None:
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=dead_letter.receipt)
        del self._received[dead_letter.message_id]

    def _receive(self) -> list[DeadLetter]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH_SIZE,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=WAIT_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        return [DeadLetter.of(message) for message in answer.get("Messages", [])]

    def _release(self) -> None:
        for dead_letter in self._received.values():
            try:
                self._sqs.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=dead_letter.receipt, VisibilityTimeout=0
                )
            except ClientError as error:
                if error.response["Error"].get("Code") not in EXPIRED_CODES:
                    raise
        self._received = {}


def _destination_of(event: Mapping[str, Any]) -> Destination | None:
    if "DDBStreamBatchInfo" in event:
        size = int(event["DDBStreamBatchInfo"]["batchSize"])
        return Destination(output="AnnounceFunctionName", event=event, description=f"{size} changes of the jobs table")
    output, describe = EVENT_TYPES[event["source"], event["detail-type"]]
    return Destination(output=output, event=event, description=describe(event))


def _describe_upload(event: Mapping[str, Any]) -> str:
    s3_object = event["detail"]["object"]
    return f"{s3_object['key']} version {s3_object['version-id']}"


def _describe_job(event: Mapping[str, Any]) -> str:
    detail = event["detail"]
    return f"job {detail.get('parameters', {}).get('job_id')}: {detail['status']} of Batch job {detail['jobId']}"


def _describe_schedule(_event: Mapping[str, Any]) -> str:
    return "a scheduled run of reconcile"


RECONCILE = "ReconcileFunctionName"
EVENT_TYPES: Mapping[tuple[str, str], tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    ("aws.s3", "Object Created"): ("SubmitFunctionName", _describe_upload),
    ("aws.batch", "Batch Job State Change"): ("TrackFunctionName", _describe_job),
    ("aws.events", "Scheduled Event"): (RECONCILE, _describe_schedule),
}
"""By source and detail type: the stack output with the function's name, and how to describe the event."""
