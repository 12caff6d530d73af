from __future__ import annotations

import pytest

from tests.stacks.building import Templates, listed, only, properties, statements
from tests.stacks.conftest import Build

FUNCTIONS = ["IntakeSubmit", "TrackingTrack", "ReconciliationReconcile", "AnnouncingAnnounce"]
TRACE = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_traced_and_may_write_traces(templates: Templates, function: str) -> None:
    deployed = only(templates.scoring, "AWS::Lambda::Function", function)
    assert deployed["TracingConfig"] == {"Mode": "Active"}
    anywhere = [each for each in statements(templates.scoring, f"{function}Role") if each["Resource"] == "*"]
    assert {action for each in anywhere for action in listed(each["Action"])} >= TRACE


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_logs_as_json_into_a_group_of_its_own(templates: Templates, function: str) -> None:
    logging = only(templates.scoring, "AWS::Lambda::Function", function)["LoggingConfig"]
    assert logging["LogFormat"] == "JSON"
    assert logging["LogGroup"]["Ref"].startswith(f"{function}Logs")


def test_every_log_is_encrypted_and_kept_as_long_as_the_settings_say(build_template: Build) -> None:
    groups = properties(build_template({"monitoring.log_days": 400}).scoring, "AWS::Logs::LogGroup")
    assert {function for function in FUNCTIONS if any(name.startswith(f"{function}Logs") for name in groups)} == set(
        FUNCTIONS
    )
    for group in groups.values():
        assert group["RetentionInDays"] == 400
        assert "OperationsKey" in group["KmsKeyId"]["Fn::ImportValue"]
