"""Conditional writes to one table, and conversions between jobs and items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import ConditionBase
from botocore.exceptions import ClientError

from dropscore.aws.faults import AWS_ERRORS, fault
from dropscore.jobs.job import Job, State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

_NAMES = {field.name for field in fields(Job)}


class Items:
    """Conditional writes to one DynamoDB table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @property
    def resource(self) -> Table:
        """The boto3 table, for tools that need other operations."""
        return self._table

    def _update(
        self,
        job_id: str,
        condition: ConditionBase,
        changes: Mapping[str, Any],
        *,
        default: Mapping[str, Any] | None = None,
        remove: tuple[str, ...] = (),
    ) -> bool:
        default = default or {}
        remove = (*remove, *(name for name, value in changes.items() if value is None))
        changes = {name: value for name, value in changes.items() if value is not None}
        # Placeholders, because names such as `status` are reserved words in DynamoDB's expressions.
        sets = [f"#{name} = :{name}" for name in changes]
        sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in default]
        expression = "SET " + ", ".join(sets)
        if remove:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        return self._holds(
            self._table.update_item,
            Key={"job_id": job_id},
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeNames={f"#{name}": name for name in (*changes, *default, *remove)},
            ExpressionAttributeValues={f":{name}": value for name, value in {**changes, **default}.items()},
        )

    @staticmethod
    def _holds(write: Any, **request: Any) -> bool:
        """Whether the write's condition held, so that it was written."""
        with faults("writing the jobs table"):
            try:
                write(**request)
            except ClientError as error:
                # botocore repeats a write whose reply was lost. Its condition may then fail although the first try was
                # written, so a caller must not take False for proof that another process was faster.
                if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                    return False
                raise
        return True


@contextmanager
def faults(doing: str) -> Iterator[None]:
    """Raises the errors of AWS in the block as JobErrors."""
    try:
        yield
    except AWS_ERRORS as error:
        raise fault(error, doing) from error


def item_of(job: Job) -> dict[str, Any]:
    return {name: value for name, value in asdict(job).items() if value is not None}


def job_of(item: Mapping[str, Any]) -> Job:
    """The job of an item, as boto3 returns it or as `TypeDeserializer` reads it from the stream."""
    values: dict[str, Any] = {name: int(value) if isinstance(value, Decimal) else value for name, value in item.items()}
    values["status"] = State(values["status"])
    # Skips attributes that this release does not have, such as those of a newer one.
    return Job(**{name: value for name, value in values.items() if name in _NAMES})
