"""An event that never came: the file is found by looking for it, and scored."""

from __future__ import annotations

from typing import Any

from dropscore.jobs.job import State, job_id
from tests.e2e.conftest import Hands


def _rule(events: Any) -> str:
    (name,) = [
        rule["Name"] for rule in events.list_rules()["Rules"] if "Object Created" in rule.get("EventPattern", "")
    ]
    return str(name)


def test_a_file_whose_event_was_lost_is_found_and_scored_once(hands: Hands, sample: list[bytes]) -> None:
    body = b"\n".join(sample[:20]) + b"\n"
    events = hands.client("events")
    rule = _rule(events)
    events.disable_rule(Name=rule)
    try:
        put = hands.client("s3").put_object(Bucket=hands.bucket, Key="input/lost.csv", Body=body)
    finally:
        events.enable_rule(Name=rule)
    identity = job_id(hands.bucket, "input/lost.csv", put["VersionId"])
    assert hands.find(identity) is None

    assert hands.reconcile()["lost"] >= 1
    job = hands.ended(identity)
    assert (job.status, job.rows) == (State.SUCCEEDED, 20)
    assert hands.reconcile() == {"ended": 0, "unsubmitted": 0, "lost": 0}
    assert len(hands.outputs("lost.csv")) == 1
