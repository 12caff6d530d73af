from __future__ import annotations

import pytest

from model.serving.http.head import Head
from model.serving.invocation import CSV, JSON, JSON_LINES, READERS, Invocation, accepted
from model.serving.output_type import HEADER, OutputType, parse_output_type
from model.serving.refusal import RefusalError


def headers(**fields: str) -> Head:
    named = {name.replace("_", "-").lower(): (value,) for name, value in fields.items()}
    return Head("POST", "/invocations", "1.1", named)


@pytest.mark.parametrize(
    ("text", "output_type"),
    [
        ("", OutputType.SCORES),
        ("margin=true", OutputType.MARGIN),
        ("contributions=true", OutputType.CONTRIBUTIONS),
        (" leaves = true ; margin=false", OutputType.LEAVES),
        ("leaves=false,margin=true,", OutputType.MARGIN),
        ("margin=false", OutputType.SCORES),
    ],
)
def test_attributes(text: str, output_type: OutputType) -> None:
    assert parse_output_type(text) is output_type


@pytest.mark.parametrize(
    "text",
    [
        *("secret=true", "margin", "margin=yes", "margin=", "margin=TRUE", "scores=true", "=true"),
        *("margin=true;margin=true", "margin=true;leaves=true", "margin=true;secret=1", "margin=true leaves=true"),
    ],
)
def test_other_attributes_are_refused(text: str) -> None:
    with pytest.raises(RefusalError) as raised:
        parse_output_type(text)
    assert (raised.value.status, raised.value.code) == (400, "BAD_ATTRIBUTES")
    assert "secret" not in raised.value.message


@pytest.mark.parametrize(
    ("accept", "default", "kind"),
    [
        ("", CSV, CSV),
        ("*/*", JSON, JSON),
        ("application/json", CSV, JSON),
        ("APPLICATION/JSON; charset=utf-8", CSV, JSON),
        ("text/*", JSON, CSV),
        ("application/*", CSV, JSON),
        ("application/*", JSON_LINES, JSON_LINES),
        ("text/html, application/jsonlines;q=0.5, */*;q=0.1", CSV, JSON_LINES),
        ("text/csv;q=0.2, application/json;q=0.9", CSV, JSON),
        ("application/json;q=0, text/csv", CSV, CSV),
    ],
)
def test_answer_is_of_the_type_that_is_liked_best(accept: str, default: str, kind: str) -> None:
    assert accepted(accept, default) == kind


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/json;q=x", "image/*"])
def test_answer_of_another_type_is_refused(accept: str) -> None:
    with pytest.raises(RefusalError) as raised:
        accepted(accept, CSV)
    assert (raised.value.status, raised.value.code) == (406, "NOT_ACCEPTABLE")


def test_reply_has_the_type_of_the_request_by_default() -> None:
    defaults = {kind: Invocation.of(headers(Content_Type=kind)).reply_type for kind in READERS}
    assert {defaults.pop(kind) for kind in (JSON, JSON_LINES)} == {JSON, JSON_LINES}
    assert set(defaults.values()) == {CSV}
    asked = Invocation.of(headers(Content_Type=CSV, Accept=JSON, **{HEADER: "leaves=true"}))
    assert (asked.reply_type, asked.output_type) == (JSON, OutputType.LEAVES)


@pytest.mark.parametrize("kind", ["text/csv; header=maybe", "text/plain", "application/xml", "nonsense"])
def test_other_content_types_are_refused(kind: str) -> None:
    with pytest.raises(RefusalError) as raised:
        Invocation.of(headers(Content_Type=kind))
    assert (raised.value.status, raised.value.code) == (415, "WRONG_CONTENT_TYPE")
