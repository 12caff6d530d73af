"""One request to /invocations, as its headers describe it: how to read the rows, what to answer, in which form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model.serving.formats import csv_rows, json_rows, table_rows
from model.serving.formats.answers import Scores, csv_of, json_lines_of, json_of
from model.serving.formats.schema import Matrix, Schema
from model.serving.http.head import Head
from model.serving.output_kind import HEADER, Wanted, wanted_by
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
    """`kind` is the media type of the body, `answer_type` that of the answer; a CSV may have a header."""

    kind: str
    has_header: bool
    wanted: Wanted
    answer_type: str

    @classmethod
    def of(cls, head: Head) -> Invocation:
        kind, parameters = _parameters(head.one("Content-Type"))
        if kind not in READERS:
            raise RefusalError(415, "WRONG_CONTENT_TYPE", f"send rows as Content-Type: {', '.join(READERS)}")
        return cls(
            kind=kind,
            has_header=_has_header(parameters.get("header", "absent").lower()),
            wanted=wanted_by(head.all(HEADER)),
            answer_type=accepted(head.all("Accept"), kind if kind in WRITERS else CSV),
        )

    def read(self, body: bytes, schema: Schema, cores: int) -> Matrix:
        if self.kind == CSV:
            return csv_rows.parse(body, schema, has_header=self.has_header, cores=cores)
        return READERS[self.kind](body, schema)

    @property
    def write(self) -> Writer:
        return WRITERS[self.answer_type]


def _has_header(said: str) -> bool:
    if said not in {"absent", "present"}:
        raise RefusalError(415, "WRONG_CONTENT_TYPE", "a CSV's header is `header=present` or `header=absent`")
    return said == "present"


def accepted(accept: str, default: str) -> str:
    """The media type that `accept` likes best of those we write; `default` where it has no preference."""
    choices = sorted(_choices(accept), key=lambda choice: -choice[1])
    for pattern, _ in choices:
        for kind in (default, *WRITERS):
            if pattern in {kind, kind.partition("/")[0] + "/*", "*/*"}:
                return kind
    if accept.strip():
        raise RefusalError(406, "NOT_ACCEPTABLE", f"answers come as {', '.join(WRITERS)}; Accept names none of them")
    return default


def _choices(accept: str) -> list[tuple[str, float]]:
    """(media type, quality) of each choice that is not ruled out by `q=0`."""
    found = []
    for choice in filter(None, (part.strip() for part in accept.split(","))):
        kind, parameters = _parameters(choice)
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            quality = 0
        found.append((kind, quality))
    return [choice for choice in found if choice[1] > 0]


def _parameters(value: str) -> tuple[str, dict[str, str]]:
    """The media type, in lower case, and its parameters."""
    kind, *rest = value.split(";")
    pairs = (part.partition("=") for part in rest)
    return kind.strip().lower(), {name.strip().lower(): text.strip().strip('"') for name, _, text in pairs}
