"""One attempt owns a job; all others stop without writing. And how an attempt reports its end to Batch."""

from __future__ import annotations

from tools.mutations.guard import Guard

TABLE, WORK, MAIN = "dropscore/aws/table.py", "dropscore/scoring/worker.py", "containers/worker/main.py"
CONTRACT = "tests/contract/test_table.py::"
UNIT = "tests/unit/dropscore/"

STARTING = (
    Guard(
        "start-only-by-the-same-batch-job",
        TABLE,
        'is_owner = Attr("batch_job_id").eq(batch_job_id) & (',
        "is_owner = (",
        CONTRACT + "test_another_batch_job_cannot_start_a_running_job[moto]",
    ),
    Guard(
        "start-by-no-older-attempt",
        TABLE,
        'Attr("attempt").lte(attempt) |',
        'Attr("attempt").gte(0) |',
        CONTRACT + "test_a_stalled_attempt_that_wakes_up_writes_nothing[moto]",
    ),
    Guard(
        "start-of-no-ended-job",
        TABLE,
        'is_unstarted | (Attr("status").eq(State.RUNNING) & (is_owner | unowned)),',
        "is_unstarted | is_owner | unowned,",
        CONTRACT + "test_a_final_state_stays[moto-FAILED]",
    ),
    Guard(
        "a-worker-asks-before-it-starts",
        WORK,
        "        if is_owner:",
        "        if True:",
        UNIT + "scoring/test_worker.py::test_a_second_batch_job_for_the_same_file_does_nothing",
    ),
    Guard(
        "a-shard-enters-no-ended-job",
        TABLE,
        'not_ended = Attr("status").is_in(list(may_move_to(State.RUNNING)))',
        'not_ended = Attr("job_id").exists()',
        UNIT + "scoring/test_sharded.py::test_shards_of_a_job_that_has_ended_stop",
    ),
)

WRITING = (
    Guard(
        "report-only-by-the-owner",
        TABLE,
        'owned & Attr("status").is_in(list(states)), update',
        'Attr("status").is_in(list(states)), update',
        CONTRACT + "test_a_stalled_attempt_that_wakes_up_writes_nothing[moto]",
    ),
    Guard(
        "report-on-no-ended-job",
        TABLE,
        'owned & Attr("status").is_in(list(states)), update',
        "owned, update",
        CONTRACT + "test_a_final_state_stays[moto-SUCCEEDED]",
    ),
    Guard(
        "note-only-while-running",
        TABLE,
        'running = Attr("status").eq(State.RUNNING) & Attr',
        "running = Attr",
        UNIT + "aws/test_table.py::test_a_shard_of_a_job_that_has_ended_writes_nothing",
    ),
    Guard(
        "note-only-of-the-same-run",
        TABLE,
        'running = Attr("status").eq(State.RUNNING) & Attr("run").eq(job.run)',
        'running = Attr("status").eq(State.RUNNING)',
        UNIT + "aws/test_table.py::test_a_shard_of_an_earlier_run_writes_nothing",
    ),
    Guard(
        "progress-only-of-a-running-run",
        TABLE,
        '            ConditionExpression=Attr("status").eq(State.RUNNING) & Attr("run").eq(job.run),\n',
        '            ConditionExpression=Attr("job_id").exists(),\n',
        UNIT + "aws/test_table.py::test_progress_is_added_to_a_running_run_alone",
    ),
)

STOPPING = (
    Guard(
        "who-lost-the-job-stops",
        "dropscore/scoring/progress.py",
        "if not (self._table.report(self._job, **update) if is_whole else self._table.note(self._job, **update)):",
        "if (self._table.report(self._job, **update) if is_whole else self._table.note(self._job, **update)) is None:",
        UNIT + "scoring/test_worker.py::test_an_attempt_that_lost_the_job_stops_and_publishes_nothing",
    ),
    Guard(
        "a-shard-of-an-ended-job-stops",
        "dropscore/scoring/progress.py",
        "if is_whole else self._table.note(self._job, **update)):",
        "if is_whole else (self._table.note(self._job, **update) or True)):",
        UNIT + "scoring/test_assembly.py::test_a_shard_stops_in_its_midst_when_the_job_ends",
    ),
    Guard(
        "the-last-moment-of-a-file",
        WORK,
        "            progress.confirm()  # the last moment",
        "            pass  # the last moment",
        UNIT
        + "scoring/test_worker.py::test_an_attempt_that_was_replaced_while_its_last_body_stalled_publishes_nothing",
    ),
    Guard(
        "the-last-moment-of-shards",
        "dropscore/scoring/assembly.py",
        "            progress.confirm()  # the last moment",
        "            pass  # the last moment",
        UNIT + "scoring/test_sharded.py::test_a_publisher_that_was_replaced_publishes_nothing",
    ),
)

ENDING = (
    Guard(
        "a-transient-fault-ends-no-job",
        WORK,
        "if isinstance(error, PermanentError):\n            update",
        "if isinstance(error, JobError):\n            update",
        UNIT + "scoring/test_worker.py::test_a_failing_model_is_tried_again_by_the_next_attempt",
    ),
    Guard(
        "a-permanent-error-ends-the-job",
        WORK,
        "if isinstance(error, PermanentError):\n            update",
        "if False:\n            update",
        UNIT + "scoring/test_worker.py::test_a_bad_row_rejects_the_file_by_the_rows_number_in_the_file",
    ),
    Guard(
        "exit-code-of-permanent-errors",
        MAIN,
        "code = TRANSIENT if isinstance(error, TransientError) else PERMANENT",
        "code = TRANSIENT",
        UNIT + "scoring/test_exit_codes.py::test_an_attempt_ends_with_the_code_of_its_error",
    ),
    Guard(
        "exit-code-of-transient-errors",
        MAIN,
        "code = TRANSIENT if isinstance(error, TransientError) else PERMANENT",
        "code = PERMANENT",
        UNIT + "scoring/test_exit_codes.py::test_an_attempt_ends_with_the_code_of_its_error",
    ),
    Guard(
        "exit-code-when-told-to-stop",
        MAIN,
        "raise SystemExit(TRANSIENT)",
        "raise SystemExit(PERMANENT)",
        UNIT + "scoring/test_exit_codes.py::test_a_worker_that_is_told_to_stop_asks_for_another_attempt",
    ),
)

GUARDS = (*STARTING, *WRITING, *STOPPING, *ENDING)
