"""What the headers of a request to /invocations say: how to read rows, what to compute, how to write the reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model.serving.formats import csv_rows, json_rows, table_rows
from model.serving.formats.replies import Scores, csv_of, json_lines_of, json_of
from model.serving.formats.schema import Matrix, Schema
from model.serving.http.head import Head
from model.serving.output_type import HEADER, OutputType, parse_output_type
from model.serving.refusal import RefusalError

Reader = Callable[[bytes, Schema], Matrix]
Writer = Callable[[Scores], bytes]

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"
READERS: dict[str, Reader] = {
    CSV: csv_rows.parse,
    JSON: json_rows.parse_document,
    JSON_LINES: json_rows.parse_lines,
    "application/jsonl": json_rows.parse_lines,
    "application/x-ndjson": json_rows.parse_lines,
    "application/x-parquet": table_rows.parse_parquet,
    "application/vnd.apache.parquet": table_rows.parse_parquet,
    "application/vnd.apache.arrow.stream": table_rows.parse_stream,
}
WRITERS: dict[str, Writer] = {CSV: csv_of, JSON: json_of, JSON_LINES: json_lines_of}


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """`content_type` is the media type of the request, `reply_type` that of the reply; a CSV may have a header."""

    content_type: str
    has_header: bool
    output_type: OutputType
    reply_type: str

    @classmethod
    def of(cls, head: Head) -> Invocation:
        """Raises a RefusalError for a header that is not supported."""
        content_type, parameters = _parameters(head.single("Content-Type"))
        if content_type not in READERS:
            raise RefusalError(415, "WRONG_CONTENT_TYPE", f"send rows as Content-Type: {', '.join(READERS)}")
        return cls(
            content_type=content_type,
            has_header=_has_header(parameters.get("header", "absent").lower()),
            output_type=parse_output_type(head.listed(HEADER)),
            reply_type=accepted(head.listed("Accept"), content_type if content_type in WRITERS else CSV),
        )

    def read(self, body: bytes, schema: Schema, cores: int) -> Matrix:
        if self.content_type == CSV:
            return csv_rows.parse(body, schema, has_header=self.has_header, cores=cores)
        return READERS[self.content_type](body, schema)

    @property
    def write(self) -> Writer:
        return WRITERS[self.reply_type]


def _has_header(value: str) -> bool:
    if value not in {"absent", "present"}:
        raise RefusalError(415, "WRONG_CONTENT_TYPE", "the header parameter of text/csv must be present or absent")
    return value == "present"


def accepted(accept: str, default: str) -> str:
    """Return the media type that `accept` prefers among those we write; `default` if it has no preference.

    Raises RefusalError NOT_ACCEPTABLE.
    """
    choices = sorted(_choices(accept), key=lambda choice: -choice[1])
    for pattern, _ in choices:
        for content_type in (default, *WRITERS):
            if pattern in {content_type, content_type.partition("/")[0] + "/*", "*/*"}:
                return content_type
    if accept.strip():
        raise RefusalError(406, "NOT_ACCEPTABLE", f"Accept names no available type; available: {', '.join(WRITERS)}")
    return default


def _choices(accept: str) -> list[tuple[str, float]]:
    """Return (media type, quality) of each choice, without those that `q=0` excludes."""
    found = []
    for choice in filter(None, (part.strip() for part in accept.split(","))):
        content_type, parameters = _parameters(choice)
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            quality = 0
        found.append((content_type, quality))
    return [choice for choice in found if choice[1] > 0]


def _parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return the media type, in lower case, and its parameters."""
    content_type, *rest = value.split(";")
    pairs = (part.partition("=") for part in rest)
    return content_type.strip().lower(), {name.strip().lower(): text.strip().strip('"') for name, _, text in pairs}
