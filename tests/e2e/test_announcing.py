"""Subscribers of the event bus receive the ends of jobs, and the workers' metrics add up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dropscore.jobs.job import State
from tests.e2e.conftest import WAIT_SECONDS, Driver
from tests.emf import totals
from tests.events import complaints

EventsOf = Callable[[str], list[dict[str, Any]]]
QUIET_SECONDS = 3.0
"""The emulator's poller may need this long for its next round."""


@pytest.fixture(scope="module")
def events_of(driver: Driver) -> Iterator[EventsOf]:
    """The events of a job, from a queue that another owner's rule connects to the bus."""
    sqs, events = driver.client("sqs"), driver.client("events")
    url = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = events.put_rule(Name="listener", EventPattern=json.dumps({"source": ["dropscore"]}))["RuleArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_targets(Rule="listener", Targets=[{"Id": "queue", "Arn": arn}])
    kept: list[dict[str, Any]] = []

    def wait_for_events(job_id: str) -> list[dict[str, Any]]:
        """Waits for the first event, and then a moment for a second."""
        deadline = time.monotonic() + WAIT_SECONDS
        quiet_since = time.monotonic()
        while time.monotonic() < deadline:
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                kept.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                quiet_since = time.monotonic()
            found = [event for event in kept if event["detail"]["job_id"] == job_id]
            if found and time.monotonic() - quiet_since > QUIET_SECONDS:
                return found
            time.sleep(0.1)
        raise AssertionError(f"no event arrived for job {job_id}; logs: {driver.cloud.home}/logs")

    yield wait_for_events
    events.remove_targets(Rule="listener", Ids=["queue"])
    events.delete_rule(Name="listener")
    sqs.delete_queue(QueueUrl=url)


def test_an_event_reaches_a_queue_once_when_a_file_is_scored(
    driver: Driver, events_of: EventsOf, sample: list[bytes]
) -> None:
    job = driver.ended(driver.drop("input/announced.csv", b"\n".join(sample[:9]) + b"\n"))

    (event,) = events_of(job.job_id)
    assert (event["source"], event["detail-type"]) == ("dropscore", "Job Succeeded")
    assert complaints(event["detail"]) == []
    assert event["detail"]["output_key"] == job.output_key
    assert (event["detail"]["rows"], event["detail"]["bucket"]) == (9, driver.bucket)
    assert driver.read(event["detail"]["manifest_key"])


def test_an_event_says_why_when_a_file_is_rejected_and_quotes_no_cell(
    driver: Driver, events_of: EventsOf, sample: list[bytes]
) -> None:
    rows = [*sample[:3], sample[3].replace(sample[3].split(b",")[2], b"hush-hush", 1)]
    job = driver.ended(driver.drop("input/unheard.csv", b"\n".join(rows) + b"\n"))

    (event,) = events_of(job.job_id)
    assert job.status is State.REJECTED
    assert event["detail-type"] == "Job Rejected"
    assert complaints(event["detail"]) == []
    assert (event["detail"]["code"], event["detail"]["message"]) == (job.code, job.message)
    assert "hush" not in json.dumps(event)


def test_what_workers_measure_adds_up_to_the_files_rows(driver: Driver, sample: list[bytes]) -> None:
    rows = sample * (10_000_000 // sum(map(len, sample)))
    body = b"\n".join(rows) + b"\n"
    job = driver.ended(driver.drop("input/measured.csv", body))

    assert (job.status, job.rows) == (State.SUCCEEDED, len(rows))
    lines = [line for log in _logs(driver, job.job_id) for line in log.read_text().splitlines() if line.startswith("{")]
    measured = totals(lines)
    assert (measured["Rows"], measured["RowsRejected"], measured["Bytes"]) == (len(rows), 0, len(body))
    assert measured["ShardsDone"] == job.shards > 1
    assert measured["Requests"] >= job.shards
    assert measured["Latency"] > 0
    assert all(json.loads(line)["job_id"] == job.job_id for line in lines)


def _logs(driver: Driver, job_id: str) -> list[Path]:
    return [file for file in (driver.cloud.home / "shim" / "logs").glob(f"*{job_id}*/*.log") if file.is_file()]
