"""A file whose event never came is found by the reconciling function and scored."""

from __future__ import annotations

from typing import Any

from dropscore.jobs.job import State, job_id
from tests.e2e.conftest import Driver


def _rule(events: Any) -> str:
    (name,) = [
        rule["Name"] for rule in events.list_rules()["Rules"] if "Object Created" in rule.get("EventPattern", "")
    ]
    return str(name)


def test_a_file_whose_event_was_lost_is_found_and_scored_once(driver: Driver, sample: list[bytes]) -> None:
    body = b"\n".join(sample[:20]) + b"\n"
    events = driver.client("events")
    rule = _rule(events)
    events.disable_rule(Name=rule)
    try:
        put = driver.client("s3").put_object(Bucket=driver.bucket, Key="input/lost.csv", Body=body)
    finally:
        events.enable_rule(Name=rule)
    identity = job_id(driver.bucket, "input/lost.csv", put["VersionId"])
    assert driver.find(identity) is None

    assert driver.reconcile()["lost"] >= 1
    job = driver.ended(identity)
    assert (job.status, job.rows) == (State.SUCCEEDED, 20)
    assert driver.reconcile() == {"ended": 0, "unsubmitted": 0, "lost": 0}
    assert len(driver.outputs("lost.csv")) == 1
