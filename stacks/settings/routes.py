"""`[routes.<name>]`: which model scores an input, how it is read and what is written.

The options and their grammar are in `schema.options`, which the runtime uses too.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator, ValidationInfo, field_validator

from schema.options import CHECKS, DEFAULTS, PRIORITIES, conflicts
from stacks.settings.sections import Section

# The rules exist twice because stacks and runtime do not import each other: synth reports all faults of the settings
# at once, and the runtime checks again because a job options file may change options.
RouteName = Annotated[str, Field(pattern=r"^[^/]+$", max_length=100)]
Column = str | int


def _priority(value: Any) -> int:
    if type(value) is not int or value not in PRIORITIES:
        raise ValueError("write a whole number from 0 to 9999; jobs with a higher one start first")
    return value


class RouteSettings(Section):
    model: str
    priority: Annotated[int, PlainValidator(_priority)] = 0
    uploaders: bool = False
    max_bad_rows: Annotated[int | str, PlainValidator(CHECKS["max_bad_rows"])] = DEFAULTS["max_bad_rows"]
    header: Annotated[bool | str, PlainValidator(CHECKS["header"])] = DEFAULTS["header"]
    delimiter: Annotated[str, PlainValidator(CHECKS["delimiter"])] = DEFAULTS["delimiter"]
    match_columns: Annotated[str, PlainValidator(CHECKS["match_columns"])] = DEFAULTS["match_columns"]
    quote: Annotated[str, PlainValidator(CHECKS["quote"])] = DEFAULTS["quote"]
    escape: Annotated[str | None, PlainValidator(CHECKS["escape"])] = DEFAULTS["escape"]
    decimal: Annotated[str, PlainValidator(CHECKS["decimal"])] = DEFAULTS["decimal"]
    na_values: Annotated[tuple[str, ...], PlainValidator(CHECKS["na_values"])] = DEFAULTS["na_values"]
    skip_empty_rows: Annotated[bool, PlainValidator(CHECKS["skip_empty_rows"])] = DEFAULTS["skip_empty_rows"]
    columns: Annotated[tuple[Column, ...], PlainValidator(CHECKS["columns"])] = DEFAULTS["columns"]
    exclude: Annotated[tuple[Column, ...], PlainValidator(CHECKS["exclude"])] = DEFAULTS["exclude"]
    id: Annotated[Column | None, PlainValidator(CHECKS["id"])] = DEFAULTS["id"]
    output: Annotated[str, PlainValidator(CHECKS["output"])] = DEFAULTS["output"]
    score_names: Annotated[tuple[str, ...], PlainValidator(CHECKS["score_names"])] = DEFAULTS["score_names"]
    threshold: Annotated[float | None, PlainValidator(CHECKS["threshold"])] = DEFAULTS["threshold"]
    labels: Annotated[tuple[str, str], PlainValidator(CHECKS["labels"])] = DEFAULTS["labels"]

    @field_validator(*DEFAULTS)
    @classmethod
    def _excludes_no_other(cls, value: Any, info: ValidationInfo) -> Any:
        """`info.data` has the keys before this one, except those that are wrong: nothing more is reported of them."""
        for name, fix in conflicts({**info.data, str(info.field_name): value}):
            if name == info.field_name:
                raise ValueError(fix)
        return value

    def spelled_out(self) -> dict[str, Any]:
        """The model, and the options that differ from their defaults: what the runtime reads."""
        return self.model_dump(exclude_defaults=True, exclude={"uploaders"})
