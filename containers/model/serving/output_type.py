"""What a request asks for per row, by the header X-Amzn-SageMaker-Custom-Attributes.

attributes = attribute *((";" / ",") attribute)      spaces around each are allowed
attribute  = ("margin" / "contributions" / "leaves") "=" ("true" / "false")
"""

from __future__ import annotations

from enum import StrEnum

from model.serving.refusal import RefusalError

# The one free header that SageMaker's runtime passes on to the container; query strings and other paths are dropped.
HEADER = "X-Amzn-SageMaker-Custom-Attributes"


class OutputType(StrEnum):
    """`SCORES` is the default; the other three are the names of attributes."""

    SCORES = "scores"
    MARGIN = "margin"
    CONTRIBUTIONS = "contributions"
    LEAVES = "leaves"


ATTRIBUTES = (OutputType.MARGIN, OutputType.CONTRIBUTIONS, OutputType.LEAVES)


def parse_output_type(attributes: str) -> OutputType:
    """Return the output that the header's value asks for. Raises RefusalError BAD_ATTRIBUTES."""
    found: dict[str, bool] = {}
    for attribute in filter(None, (part.strip() for part in attributes.replace(",", ";").split(";"))):
        name, _, value = (part.strip() for part in attribute.partition("="))
        if name not in ATTRIBUTES or value not in {"true", "false"} or name in found:
            raise _bad_attributes(f"{HEADER} accepts {', '.join(ATTRIBUTES)}, each once, as name=true or name=false")
        found[name] = value == "true"
    requested = [OutputType(name) for name, is_true in found.items() if is_true]
    if len(requested) > 1:
        raise _bad_attributes(f"{HEADER} can ask for one output in a request; send one request for each")
    return requested[0] if requested else OutputType.SCORES


def _bad_attributes(message: str) -> RefusalError:
    return RefusalError(400, "BAD_ATTRIBUTES", message)
