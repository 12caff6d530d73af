"""From an event to a claimed job in AWS Batch, and from Batch back to the job's final status: exactly once."""

from __future__ import annotations

from tools.mutations.guard import Guard

TABLE, INTAKE, JOBS, TRACKING = (
    f"dropscore/{name}.py" for name in ("aws/table", "events/submit", "jobs/job", "events/track")
)
CONTRACT = "tests/contract/test_table.py::"
UNIT = "tests/unit/dropscore/"
ANY = 'Attr("job_id").exists()'

CLAIMING = (
    Guard(
        "job-id-names-the-version",
        JOBS,
        "[bucket, key, version_id, *more]",
        "[bucket, key, *more]",
        UNIT + "jobs/test_job.py::test_job_id_names_bucket_key_and_version",
    ),
    Guard(
        "event-names-the-version",
        INTAKE,
        's3_object["version-id"]',
        's3_object.get("version-id", "null")',
        UNIT + "events/test_submit.py::test_an_event_without_a_version_is_an_error",
    ),
    Guard(
        "claimed-once",
        TABLE,
        ', ConditionExpression=Attr("job_id").not_exists())',
        ")",
        CONTRACT + "test_a_file_is_claimed_once[moto]",
    ),
    Guard(
        "duplicate-events-end-at-the-claim",
        INTAKE,
        "if earlier is not None and earlier.status is State.CLAIMED:",
        "if earlier is not None:",
        UNIT + "events/test_submit.py::test_the_same_event_again_changes_nothing",
    ),
    Guard(
        "a-claim-keeps-its-plan",
        INTAKE,
        "            self.submit_claimed(earlier)\n",
        "            self.submit_claimed(job)\n",
        UNIT + "events/test_submit.py::test_a_claim_is_submitted_by_the_plan_it_was_made_with",
    ),
    Guard(
        "only-our-bucket",
        INTAKE,
        '"it is in another bucket" if upload.bucket != self._settings.bucket else why_ignored(upload.key)',
        "why_ignored(upload.key)",
        UNIT + "events/test_submit.py::test_another_bucket_is_ignored",
    ),
    Guard(
        "only-inputs",
        "dropscore/jobs/input_keys.py",
        """    if not key.startswith(INPUT):
        return "it is not under input/"
""",
        "",
        UNIT + "events/test_submit.py::test_an_object_that_is_nobodys_file_is_ignored",
    ),
    Guard(
        "hidden-and-temporary-names-are-ignored",
        "dropscore/jobs/input_keys.py",
        "return _why_hidden(key.removeprefix(INPUT))",
        "return None",
        UNIT + "events/test_submit.py::test_an_object_that_is_nobodys_file_is_ignored",
    ),
    Guard(
        "a-file-that-is-no-input-is-rejected",
        "dropscore/events/preflight.py",
        "if not self.settings.inputs.has(key):",
        "if False:",
        UNIT + "events/test_submit.py::test_a_file_that_fits_no_pattern_is_rejected_once",
    ),
    Guard(
        "a-refusal-stands-in-the-claim",
        INTAKE,
        "return job.move_to(status, code=error.code, message=error.message, finished_at=now())",
        "return job",
        UNIT + "events/test_submit.py::test_a_refusal_is_written_by_the_claim_itself",
    ),
    Guard(
        "a-lost-file-that-is-no-input-is-rejected-too",
        "dropscore/events/reconcile.py",
        'if why_ignored(version["Key"]) is None and after',
        'if version["Key"].endswith(".csv") and after',
        UNIT + "events/test_reconcile.py::test_a_file_that_is_no_input_is_rejected_though_its_event_was_lost",
    ),
    Guard(
        "preflight",
        INTAKE,
        "self._preflight.look(job)",
        "pass",
        UNIT + "events/test_submit.py::test_a_hopeless_file_is_rejected_before_batch_hears_of_it",
    ),
    Guard(
        "submitted-only-on-a-claim",
        TABLE,
        'Attr("status").is_in([State.CLAIMED]), {',
        f"{ANY}, {{",
        CONTRACT + "test_submission_is_recorded_only_on_a_claim[moto]",
    ),
    Guard(
        "retry-only-of-what-has-ended",
        TABLE,
        'Attr("status").is_in(list(may_move_to(State.CLAIMED))) & ',
        "",
        UNIT + "events/test_submit.py::test_a_job_under_way_is_not_retried",
    ),
    Guard(
        "retry-only-of-the-run-before",
        TABLE,
        ' & Attr("run").eq(job.run - 1)',
        "",
        UNIT + "aws/test_table.py::test_of_two_retries_of_the_same_run_one_gets_through",
    ),
    Guard(
        "retry-keeps-the-output-key",
        INTAKE,
        "run=previous.run + 1, output_key=previous.output_key",
        "run=previous.run + 1",
        UNIT + "events/test_submit.py::test_a_failed_job_runs_again_under_its_own_id",
    ),
)

MOVES = (
    Guard(
        "illegal-moves-raise",
        JOBS,
        "if state not in MOVES.get(self.status, frozenset()):",
        "if state not in State:",
        UNIT + "jobs/test_job.py::test_nothing_moves_out_of_a_final_state_but_a_retry",
    ),
    Guard(
        "success-only-from-running",
        JOBS,
        "State.SUBMITTED: frozenset({State.RUNNING}) | ENDS",
        "State.SUBMITTED: frozenset({State.RUNNING, State.SUCCEEDED}) | ENDS",
        UNIT + "jobs/test_job.py::test_success_is_reached_from_running_alone",
    ),
)

BATCH = (
    Guard(
        "batch-ends-no-ended-job",
        TABLE,
        'is_owner & Attr("run").eq(run) & open_states,',
        'is_owner & Attr("run").eq(run),',
        CONTRACT + "test_a_final_state_stays[moto-REJECTED]",
    ),
    Guard(
        "batch-speaks-of-its-own-run",
        TABLE,
        'is_owner & Attr("run").eq(run) & open_states,',
        "is_owner & open_states,",
        UNIT + "events/test_track.py::test_word_of_an_earlier_run_ends_nothing",
    ),
    Guard(
        "an-output-without-a-word-is-a-success",
        TRACKING,
        "published = finish(job)",
        "published = None",
        UNIT + "events/test_track.py::test_an_output_whose_job_could_not_say_so_any_more_is_a_success",
    ),
    Guard(
        "batch-ends-only-the-owners-job",
        TABLE,
        'is_owner & Attr("run").eq(run) & open_states,',
        'Attr("run").eq(run) & open_states,',
        CONTRACT + "test_a_batch_job_that_does_not_own_the_job_cannot_end_it[moto]",
    ),
    Guard(
        "the-workers-own-word-is-kept",
        TABLE,
        '**attributes},\n            default={"code": code, "message": message} if code else {},',
        '**attributes, "code": code, "message": message},',
        CONTRACT + "test_batch_ends_a_job_and_the_workers_own_word_is_kept[moto]",
    ),
    Guard(
        "an-array-that-succeeded-ends-nothing",
        TRACKING,
        '("FAILED",) if change.is_array else ("FAILED", "SUCCEEDED")',
        '("FAILED", "SUCCEEDED")',
        UNIT + "events/test_track.py::test_shards_that_are_done_are_not_the_jobs_end",
    ),
    Guard(
        "a-failed-shard-ends-the-job",
        TABLE,
        '            | Attr("array_job_id").eq(batch_job_id)\n',
        "",
        UNIT + "events/test_track.py::test_a_shard_that_failed_ends_the_job_and_is_named",
    ),
    Guard(
        "silence-is-a-failure",
        TRACKING,
        '("FAILED",) if change.is_array else ("FAILED", "SUCCEEDED")',
        '("FAILED",)',
        UNIT + "events/test_track.py::test_a_worker_that_ends_without_a_word_is_a_failure",
    ),
)

GUARDS = (*CLAIMING, *MOVES, *BATCH)
