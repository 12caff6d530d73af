"""Parse the head of an HTTP/1.1 request strictly.

If two servers disagree about where a request ends, one client can inject another client's request (request smuggling).
So this module refuses what RFC 9112 lets a server repair: folded lines, bare line feeds, spaces before a colon, and a
length that is given twice.
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
# At most 18 digits: `int` raises ValueError for thousands of them.
_LENGTH = re.compile(r"[0-9]{1,18}")
# A carriage return at the end of what has arrived may still get its line feed.
_BAD_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")


@dataclass(frozen=True)
class Head:
    """A request line and its headers. `fields` maps each name, in lower case, to its values."""

    method: str
    target: str
    version: str
    fields: Mapping[str, tuple[str, ...]]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def keeps_connection(self) -> bool:
        return self.version == "1.1" and "close" not in self.listed("Connection").lower()

    @property
    def waits_for_continue(self) -> bool:
        expected = self.single("Expect").lower()
        if expected not in ("", "100-continue"):
            raise RefusalError(417, "EXPECTATION_FAILED", "this server supports Expect: 100-continue only", closes=True)
        return bool(expected) and self.version == "1.1"

    @property
    def has_length(self) -> bool:
        return "content-length" in self.fields

    @property
    def length(self) -> int:
        """The size of the body in bytes. Raises a RefusalError if it is not given, or not clearly."""
        lengths = self.fields.get("content-length", ("0",))
        if "transfer-encoding" in self.fields:
            if self.has_length:
                raise bad_request("send Content-Length or Transfer-Encoding, not both")
            message = "chunked requests are not supported; send Content-Length"
            raise RefusalError(411, "LENGTH_REQUIRED", message, closes=True)
        if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
            message = "Content-Length must be one whole number"
            raise RefusalError(400, "BAD_CONTENT_LENGTH", message, closes=True)
        return int(lengths[0])

    def listed(self, name: str) -> str:
        """Return the values of a list field, which may span several lines."""
        return ",".join(self.fields.get(name.lower(), ()))

    def single(self, name: str) -> str:
        """Return the value of a field that may occur once; empty if it is absent."""
        values = self.fields.get(name.lower(), ("",))
        if len(values) > 1:
            raise bad_request(f"the header {name} is given more than once")
        return values[0]


def bad_request(message: str) -> RefusalError:
    """Return a refusal that closes the connection, because the start of the next request is uncertain."""
    return RefusalError(400, "BAD_REQUEST", message, closes=True)


def check_part(part: bytes | bytearray) -> None:
    """Check the bytes of a head that have arrived. Raises a RefusalError as soon as it cannot become valid."""
    if len(part) > MAX_HEAD_BYTES:
        message = f"the request's head is longer than {MAX_HEAD_BYTES} bytes"
        raise RefusalError(431, "HEAD_TOO_LARGE", message, closes=True)
    if _BAD_LINE_END.search(part):
        raise bad_request("a line of the request's head does not end in CR LF")


def parse_head(text: bytes) -> Head:
    """Parse the bytes before the blank line. Raises a RefusalError."""
    check_part(text)
    first, *lines = text.split(b"\r\n")
    request_line = _REQUEST_LINE.fullmatch(first)
    if not request_line:
        raise bad_request("the first line must be a method, a path and HTTP/1.1")
    if len(lines) > MAX_FIELDS:
        raise RefusalError(431, "HEAD_TOO_LARGE", f"the request has more than {MAX_FIELDS} headers", closes=True)
    method, target, minor = (part.decode("ascii") for part in request_line.groups())
    head = Head(method, target, f"1.{minor}", _fields(lines))
    head.single("Host")  # refuses a second Host header
    return head


def _fields(lines: list[bytes]) -> dict[str, tuple[str, ...]]:
    fields: dict[str, tuple[str, ...]] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if not field:
            raise bad_request("a header line must be a name, a colon and a value")
        name, value = field[1].decode("ascii").lower(), field[2].decode("latin-1").strip(" \t")
        fields[name] = (*fields.get(name, ()), value)
    return fields
