"""What a request wants of each row, asked for in X-Amzn-SageMaker-Custom-Attributes.

attributes = attribute *((";" / ",") attribute)      spaces around each are free
attribute  = ("margin" / "contributions" / "leaves") "=" ("true" / "false")
"""

from __future__ import annotations

from enum import StrEnum

from model.serving.refusal import RefusalError

# The one free header that SageMaker's runtime passes on to the container; query strings and other paths are dropped.
HEADER = "X-Amzn-SageMaker-Custom-Attributes"


class Wanted(StrEnum):
    """`SCORES` unless asked otherwise; the other three are attributes' names."""

    SCORES = "scores"
    MARGIN = "margin"
    CONTRIBUTIONS = "contributions"
    LEAVES = "leaves"


ATTRIBUTES = (Wanted.MARGIN, Wanted.CONTRIBUTIONS, Wanted.LEAVES)


def wanted_by(attributes: str) -> Wanted:
    found: dict[str, bool] = {}
    for attribute in filter(None, (part.strip() for part in attributes.replace(",", ";").split(";"))):
        name, _, value = (part.strip() for part in attribute.partition("="))
        if name not in ATTRIBUTES or value not in {"true", "false"} or name in found:
            raise _bad_attributes(f"{HEADER} takes each of {', '.join(ATTRIBUTES)} once, as name=true or name=false")
        found[name] = value == "true"
    asked = [Wanted(name) for name, is_asked in found.items() if is_asked]
    if len(asked) > 1:
        raise _bad_attributes(f"{HEADER} can ask for one thing at a time; send one request for each")
    return asked[0] if asked else Wanted.SCORES


def _bad_attributes(message: str) -> RefusalError:
    return RefusalError(400, "BAD_ATTRIBUTES", message)
