"""The head of an HTTP/1.1 request, read strictly.

Two readers that disagree about where a request ends let one client write another's request. So whatever RFC 9112 allows
a server to repair (folded lines, bare line feeds, spaces before a colon, a length given twice) is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from model.serving.refusal import RefusalError

MAX_HEAD_BYTES = 16 * 1024
MAX_FIELDS = 100
END = b"\r\n\r\n"
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") (/[!-~]*) HTTP/1\.([01])")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):([\t -~\x80-\xff]*)")
_LENGTH = re.compile(r"[0-9]{1,18}")
_BAD_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")


@dataclass(frozen=True)
class Head:
    """`fields` maps each name, in lower case, to its values."""

    method: str
    target: str
    version: str
    fields: Mapping[str, tuple[str, ...]]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def keeps_connection(self) -> bool:
        return self.version == "1.1" and "close" not in self.all("Connection").lower()

    @property
    def waits_for_continue(self) -> bool:
        expected = self.one("Expect").lower()
        if expected not in ("", "100-continue"):
            raise RefusalError(417, "EXPECTATION_FAILED", "this server knows Expect: 100-continue only", closes=True)
        return bool(expected) and self.version == "1.1"

    @property
    def has_length(self) -> bool:
        return "content-length" in self.fields

    @property
    def length(self) -> int:
        """Bytes of body to come."""
        lengths = self.fields.get("content-length", ("0",))
        if "transfer-encoding" in self.fields:
            if self.has_length:
                raise bad_request("Transfer-Encoding and Content-Length contradict each other")
            message = "chunked bodies are not read; send Content-Length"
            raise RefusalError(411, "LENGTH_REQUIRED", message, closes=True)
        if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
            message = "Content-Length must be one whole number"
            raise RefusalError(400, "BAD_CONTENT_LENGTH", message, closes=True)
        return int(lengths[0])

    def all(self, name: str) -> str:
        """The values of a field that is a list, which may stand on several lines."""
        return ",".join(self.fields.get(name.lower(), ()))

    def one(self, name: str) -> str:
        """The value of a field that may stand there once; empty when it is absent."""
        values = self.fields.get(name.lower(), ("",))
        if len(values) > 1:
            raise bad_request(f"the header {name} is given more than once")
        return values[0]


def bad_request(message: str) -> RefusalError:
    """Where the next request would begin is uncertain, so the connection ends."""
    return RefusalError(400, "BAD_REQUEST", message, closes=True)


def check_part(part: bytes | bytearray) -> None:
    """`part` is what has come of a head; refused as soon as it cannot become a good one."""
    if len(part) > MAX_HEAD_BYTES:
        message = f"the request's head is longer than {MAX_HEAD_BYTES} bytes"
        raise RefusalError(431, "HEAD_TOO_LARGE", message, closes=True)
    if _BAD_LINE_END.search(part):
        raise bad_request("the request's head has a line that does not end in CR LF")


def parse_head(text: bytes) -> Head:
    """`text` goes to the blank line, without it."""
    check_part(text)
    first, *lines = text.split(b"\r\n")
    asked = _REQUEST_LINE.fullmatch(first)
    if not asked:
        raise bad_request("the first line is not a method, a path and HTTP/1.1")
    if len(lines) > MAX_FIELDS:
        raise RefusalError(431, "HEAD_TOO_LARGE", f"the request has more than {MAX_FIELDS} headers", closes=True)
    method, target, minor = (part.decode("ascii") for part in asked.groups())
    head = Head(method, target, f"1.{minor}", _fields(lines))
    head.one("Host")
    return head


def _fields(lines: list[bytes]) -> dict[str, tuple[str, ...]]:
    fields: dict[str, tuple[str, ...]] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if not field:
            raise bad_request("a header line is not a name, a colon and a value")
        name, value = field[1].decode("ascii").lower(), field[2].decode("latin-1").strip(" \t")
        fields[name] = (*fields.get(name, ()), value)
    return fields
