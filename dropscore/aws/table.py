"""The jobs table: one item a job, every change a conditional write, so that what is late or twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key
from botocore.exceptions import BotoCoreError, ClientError

from dropscore.aws.faults import fault
from dropscore.jobs import Job, State, may_move_to

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

BY_FILE = "by_file"
BY_STATUS = "by_status"
_NAMES = {field.name for field in fields(Job)}


class JobsTable:
    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, job: Job) -> bool:
        """Puts a new job; False where its id is there already (the same event again)."""
        item = {name: value for name, value in asdict(job).items() if value is not None}
        return self._holds(self._table.put_item, Item=item, ConditionExpression=Attr("job_id").not_exists())

    def find(self, job_id: str) -> Job | None:
        with _faults("reading the jobs table"):
            item = self._table.get_item(Key={"job_id": job_id}, ConsistentRead=True).get("Item")
        return _job(item) if item else None

    def submitted(self, job_id: str, batch_job_id: str) -> bool:
        """Records the Batch job, unless the job has moved on already."""
        condition = Attr("status").is_in([State.CLAIMED])
        return self._update(job_id, condition, {"status": State.SUBMITTED, "batch_job_id": batch_job_id})

    def start(self, job_id: str, *, batch_job_id: str, attempt: int, started_at: str) -> bool:
        """Makes this attempt the owner; False where the job has ended, or another Batch job or attempt owns it."""
        mine = Attr("batch_job_id").eq(batch_job_id) & Attr("attempt").lte(attempt)
        free = Attr("status").is_in([state for state in may_move_to(State.RUNNING) if state is not State.RUNNING])
        return self._update(
            job_id,
            free | (Attr("status").eq(State.RUNNING) & mine),
            {
                "status": State.RUNNING,
                "batch_job_id": batch_job_id,
                "attempt": attempt,
                "started_at": started_at,
                "rows_scored": 0,
            },
            remove=("code", "message"),
        )

    def report(self, job: Job, **attributes: Any) -> bool:
        """Writes what the owning attempt has to say. False where it owns the job no longer."""
        owned = Attr("batch_job_id").eq(job.batch_job_id) & Attr("attempt").eq(job.attempt)
        states = may_move_to(attributes["status"]) if "status" in attributes else (State.RUNNING,)
        return self._update(job.job_id, owned & Attr("status").is_in(list(states)), attributes)

    def end(self, job_id: str, *, batch_job_id: str, code: str, message: str, finished_at: str) -> bool:
        """FAILED on Batch's word: only where the job has no final state and no other Batch job owns it.

        What the worker itself said of the cause is kept.
        """
        mine = Attr("batch_job_id").not_exists() | Attr("batch_job_id").eq(batch_job_id)
        return self._update(
            job_id,
            mine & Attr("status").is_in(list(may_move_to(State.FAILED))),
            {"status": State.FAILED, "finished_at": finished_at},
            default={"code": code, "message": message},
        )

    def body_limit(self, model: str, version: str) -> int | None:
        """The bytes that this model's endpoint was found to take at most; None where it took all that was sent."""
        with _faults("reading the jobs table"):
            item = self._table.get_item(Key={"job_id": _limit_key(model, version)}).get("Item")
        return int(item["body_limit_bytes"]) if item else None  # type: ignore[arg-type]

    def learn_body_limit(self, model: str, version: str, limit_bytes: int) -> None:
        """Remembers that limit for the jobs to come, unless a smaller one is known."""
        lower = Attr("body_limit_bytes").not_exists() | Attr("body_limit_bytes").gt(limit_bytes)
        self._update(_limit_key(model, version), lower, {"body_limit_bytes": limit_bytes})

    def by_status(self, status: State, *, limit: int) -> list[Job]:
        return self._newest(BY_STATUS, Key("status").eq(status), limit)

    def by_file(self, file: str, *, limit: int) -> list[Job]:
        return self._newest(BY_FILE, Key("file").eq(file), limit)

    def _newest(self, index: str, key: ConditionBase, limit: int) -> list[Job]:
        with _faults("reading the jobs table"):
            page = self._table.query(IndexName=index, KeyConditionExpression=key, ScanIndexForward=False, Limit=limit)
        return [_job(item) for item in page["Items"]]

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
        with _faults("writing the jobs table"):
            try:
                write(**request)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                    return False
                raise
        return True


@contextmanager
def _faults(doing: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise fault(error, doing) from error


def _limit_key(model: str, version: str) -> str:
    """No job has such an id, and the item lacks what the indexes list."""
    return f"body-limit#{model}#{version}"


def _job(item: Mapping[str, Any]) -> Job:
    values: dict[str, Any] = {name: int(value) if isinstance(value, Decimal) else value for name, value in item.items()}
    values["status"] = State(values["status"])
    return Job(**{name: value for name, value in values.items() if name in _NAMES})
