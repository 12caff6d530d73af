"""What `reconcile` repairs, and what it leaves unchanged."""

from __future__ import annotations

from tools.mutations.guard import Guard

RECONCILE = "dropscore/events/reconcile.py"
TEST = "tests/unit/dropscore/events/test_reconcile.py::"

GUARDS = (
    Guard(
        "lost-files-are-looked-for",
        RECONCILE,
        "                    yield partial(self.submitter.submit, upload)\n",
        "                    yield partial(bool, upload)\n",
        TEST + "test_a_file_whose_event_was_lost_is_found_and_scored",
    ),
    Guard(
        "what-has-a-job-is-not-lost",
        "dropscore/aws/table.py",
        "            while keys:\n                answer = self._table.meta.client.batch_get_item(RequestItems=keys)",
        '            if keys:\n                answer: Any = {"Responses": {}, "UnprocessedKeys": {}}',
        TEST + "test_what_has_its_job_is_let_be",
    ),
    Guard(
        "the-young-are-left-to-the-events",
        RECONCILE,
        ".astimezone(UTC) <= before:",
        ".astimezone(UTC):",
        TEST + "test_what_is_too_young_or_too_old_is_let_be[after0]",
    ),
    Guard(
        "the-old-are-let-be",
        RECONCILE,
        'and after <= version["LastModified"]',
        'and version["LastModified"]',
        TEST + "test_what_is_too_young_or_too_old_is_let_be[after1]",
    ),
    Guard(
        "the-unsubmitted-are-submitted",
        RECONCILE,
        "                    yield partial(self.submitter.submit_claimed, job)\n",
        "                    yield partial(bool, job)\n",
        TEST + "test_a_claim_that_was_never_submitted_is_submitted",
    ),
    Guard(
        "a-publisher-is-recorded-behind-quick-shards",
        "dropscore/aws/table.py",
        "        return self._update(job_id, unowned, ids)\n",
        "        return bool(unowned and False)\n",
        TEST + "test_shards_at_work_that_nobody_would_publish_get_a_publisher",
    ),
    Guard(
        "what-batch-has-ended-is-ended",
        RECONCILE,
        "        return track(BatchChange",
        "        return self is None and track(BatchChange",
        TEST + "test_a_job_that_batch_has_ended_is_ended[said0-BATCH_FAILED]",
    ),
    Guard(
        "what-batch-may-not-show-yet-is-let-be",
        RECONCILE,
        "        if described is None and job.submitted_at > lost_before:\n            return False\n",
        "",
        TEST + "test_a_job_that_batch_has_ended_is_ended[said2-BATCH_JOB_NOT_FOUND]",
    ),
    Guard(
        "one-poison-keeps-no-others-waiting",
        RECONCILE,
        "except (JobError, *AWS_ERRORS) as error:",
        "except ZeroDivisionError as error:",
        TEST + "test_one_file_that_cannot_be_taken_keeps_none_of_the_others_waiting",
    ),
)
