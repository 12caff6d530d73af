"""The jobs table: one item for each job. Every change is a conditional write, so late or repeated events do nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypedDict, Unpack

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from dropscore.aws.items import Items, faults, item_of, job_of
from dropscore.jobs.job import Job, State, may_move_to

BY_FILE = "by_file"
BY_STATUS = "by_status"


class JobUpdate(TypedDict, total=False):
    """Attributes of a job that a worker or a function writes. None removes the attribute."""

    status: State
    code: str | None
    message: str | None
    finished_at: str
    rows: int
    rows_scored: int
    rows_rejected: int
    rows_empty: int
    model_version: str | None


class JobsTable(Items):
    """All methods raise JobError for errors of AWS. Those that write return whether the condition held."""

    def claim(self, job: Job) -> bool:
        """Puts a new job; False if its id exists already (the same event again)."""
        return self._holds(self._table.put_item, Item=item_of(job), ConditionExpression=Attr("job_id").not_exists())

    def find(self, job_id: str) -> Job | None:
        """The job; None if there is none, or DynamoDB has deleted it after its `expires_at`."""
        with faults("reading the jobs table"):
            # Consistent, because callers read what they, or the process they lost to, have just written.
            item = self._table.get_item(Key={"job_id": job_id}, ConsistentRead=True).get("Item")
        return job_of(item) if item else None

    def submitted(self, job_id: str, batch_job_id: str, array_job_id: str | None = None) -> bool:
        """Writes the ids of the Batch jobs, unless there are some already; a quick shard may be running already."""
        ids = {"batch_job_id": batch_job_id} | ({"array_job_id": array_job_id} if array_job_id else {})
        if self._update(job_id, Attr("status").is_in([State.CLAIMED]), {"status": State.SUBMITTED, **ids}):
            return True
        unowned = Attr("status").eq(State.RUNNING) & Attr("batch_job_id").not_exists()
        return self._update(job_id, unowned, ids)

    def start(
        self, job_id: str, *, batch_job_id: str, attempt: int, started_at: str, keep_progress: bool = False
    ) -> bool:
        """Makes this attempt the owner; False if the job has ended, or another Batch job or attempt owns it.

        A running job may have no owner yet: shards start before their publishing job.
        """
        # `lte`: an attempt that stalls and wakes up late must not take the job from the attempt that replaced it.
        is_owner = Attr("batch_job_id").eq(batch_job_id) & (Attr("attempt").lte(attempt) | Attr("attempt").not_exists())
        unowned = Attr("batch_job_id").not_exists()
        is_unstarted = Attr("status").is_in([State.CLAIMED, State.SUBMITTED])
        progress = {} if keep_progress else {"rows_scored": 0}
        return self._update(
            job_id,
            is_unstarted | (Attr("status").eq(State.RUNNING) & (is_owner | unowned)),
            {"status": State.RUNNING, "batch_job_id": batch_job_id, "attempt": attempt, **progress},
            default={"started_at": started_at},
            remove=("code", "message"),
        )

    def enter(self, job_id: str, *, started_at: str) -> Job | None:
        """Sets the job to RUNNING for one of its shards and returns it; None if it has ended."""
        not_ended = Attr("status").is_in(list(may_move_to(State.RUNNING)))
        entered = self._update(job_id, not_ended, {"status": State.RUNNING}, default={"started_at": started_at})
        return self.find(job_id) if entered else None

    def note(self, job: Job, **update: Unpack[JobUpdate]) -> bool:
        """Writes for one of the job's shards. False if the job has ended or was started again."""
        # A shard of an earlier run may still be at work after `dropscore retry`.
        running = Attr("status").eq(State.RUNNING) & Attr("run").eq(job.run)
        return self._update(job.job_id, running, update)

    def advance(self, job: Job, rows: int) -> None:
        """Counts one more shard as done. The count is informative only: a killed worker may leave it too low."""
        self._holds(
            self._table.update_item,
            Key={"job_id": job.job_id},
            UpdateExpression="ADD rows_scored :rows, shards_done :one",
            ConditionExpression=Attr("status").eq(State.RUNNING) & Attr("run").eq(job.run),
            ExpressionAttributeValues={":rows": rows, ":one": 1},
        )

    def claim_again(self, job: Job) -> bool:
        """Replaces a FAILED or REJECTED job by its next run; False if it is neither, or was replaced already."""
        ended = Attr("status").is_in(list(may_move_to(State.CLAIMED))) & Attr("run").eq(job.run - 1)
        return self._holds(self._table.put_item, Item=item_of(job), ConditionExpression=ended)

    def report(self, job: Job, **update: Unpack[JobUpdate]) -> bool:
        """Writes for the attempt that owns the job. False if it no longer owns it."""
        owned = Attr("batch_job_id").eq(job.batch_job_id) & Attr("attempt").eq(job.attempt)
        states = may_move_to(update["status"]) if "status" in update else (State.RUNNING,)
        return self._update(job.job_id, owned & Attr("status").is_in(list(states)), update)

    def end(
        self,
        job_id: str,
        *,
        run: int,
        batch_job_id: str,
        status: State,
        code: str | None = None,
        message: str | None = None,
        **attributes: Any,
    ) -> bool:
        """Ends this run because Batch reports it: only if it has no final status and no other Batch job owns it.

        `batch_job_id` may also be the id of the array. The code and message of the worker, if any, are kept.
        """
        is_owner = (
            Attr("batch_job_id").not_exists()
            | Attr("batch_job_id").eq(batch_job_id)
            | Attr("array_job_id").eq(batch_job_id)
        )
        open_states = Attr("status").is_in(list(may_move_to(status)))
        return self._update(
            job_id,
            is_owner & Attr("run").eq(run) & open_states,
            {"status": status, **attributes},
            default={"code": code, "message": message} if code else {},
            remove=() if code else ("code", "message"),
        )

    def payload_limit(self, model: str, version: str) -> int | None:
        """The longest request in bytes that this model's endpoint accepts; None if it has accepted all so far."""
        with faults("reading the jobs table"):
            # Need not be consistent: an outdated limit costs one refusal more.
            item = self._table.get_item(Key={"job_id": _limit_key(model, version)}).get("Item")
        return int(item["max_payload_bytes"]) if item else None  # type: ignore[arg-type]

    def learn_payload_limit(self, model: str, version: str, limit_bytes: int) -> None:
        """Keeps that limit for later jobs, unless a smaller one is stored."""
        lower = Attr("max_payload_bytes").not_exists() | Attr("max_payload_bytes").gt(limit_bytes)
        self._update(_limit_key(model, version), lower, {"max_payload_bytes": limit_bytes})

    def existing_ids(self, job_ids: Iterable[str]) -> set[str]:
        """The ids, of at most 100, that are jobs."""
        keys: Any = {self._table.name: {"Keys": [{"job_id": job_id} for job_id in job_ids], "ConsistentRead": True}}
        existing: set[str] = set()
        with faults("reading the jobs table"):
            # DynamoDB may leave keys unprocessed. An id that is left out would be taken for a lost input.
            while keys:
                answer = self._table.meta.client.batch_get_item(RequestItems=keys)
                existing |= {str(item["job_id"]) for item in answer["Responses"].get(self._table.name, [])}
                keys = answer["UnprocessedKeys"]
        return existing

    def all_by_status(self, status: State, *, until: str) -> Iterator[Job]:
        """All jobs with the status that were submitted at or before the timestamp; read page by page."""
        key = Key("status").eq(status) & Key("submitted_at").lte(until)
        return self._all(IndexName=BY_STATUS, KeyConditionExpression=key)

    def oldest(self, status: State) -> Job | None:
        """The job with the status that was submitted first; None if there is none."""
        with faults("reading the jobs table"):
            page = self._table.query(
                IndexName=BY_STATUS, KeyConditionExpression=Key("status").eq(status), ScanIndexForward=True, Limit=1
            )
        return next((job_of(item) for item in page["Items"]), None)

    def by_status(self, status: State, *, limit: int) -> list[Job]:
        """At most `limit` jobs with the status, newest first."""
        return self._newest(BY_STATUS, Key("status").eq(status), limit)

    def by_file(self, file: str, *, limit: int) -> list[Job]:
        """At most `limit` jobs of the file, newest first."""
        return self._newest(BY_FILE, Key("file").eq(file), limit)

    def newest_of(self, file: str) -> Job | None:
        """The file's newest job that scores all of its rows."""
        return next(self._of_file(file, Attr("rejected_of").not_exists()), None)

    def follow_ups(self, job: Job) -> Iterator[Job]:
        """The jobs that score the rejected rows of that job again, newest first."""
        return self._of_file(job.file, Attr("rejected_of").eq(job.job_id))

    def _of_file(self, file: str, condition: ConditionBase) -> Iterator[Job]:
        key = Key("file").eq(file)
        return self._all(
            IndexName=BY_FILE, KeyConditionExpression=key, FilterExpression=condition, ScanIndexForward=False
        )

    def _all(self, **query: Any) -> Iterator[Job]:
        more: Any = {}
        while True:
            with faults("reading the jobs table"):
                page = self._table.query(**query, **more)
            yield from (job_of(item) for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _newest(self, index: str, key: ConditionBase, limit: int) -> list[Job]:
        with faults("reading the jobs table"):
            page = self._table.query(IndexName=index, KeyConditionExpression=key, ScanIndexForward=False, Limit=limit)
        return [job_of(item) for item in page["Items"]]


def _limit_key(model: str, version: str) -> str:
    """A key that is never a job id; the item lacks the attributes by which the indexes list jobs."""
    return f"payload-limit#{model}#{version}"
