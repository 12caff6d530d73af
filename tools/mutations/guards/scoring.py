"""Requests and scores: one score per row, in order, from one model, at a rate that the endpoint sustains."""

from __future__ import annotations

from tools.mutations.guard import Guard

ENDPOINT, SCORES, SCORER, PACE = (
    f"dropscore/{name}.py" for name in ("scoring/endpoint", "scoring/replies", "scoring/scorer", "scoring/pace")
)
UNIT = "tests/unit/dropscore/"
IN_PACE = UNIT + "scoring/test_pace.py::"
IN_SCORER = UNIT + "scoring/test_scorer.py::"

REPLIES = (
    Guard(
        "as-many-scores-as-rows",
        SCORES,
        "    if len(rows) != request.rows:\n        raise",
        "    if False:\n        raise",
        UNIT + "scoring/test_replies.py::test_anything_else_is_a_bad_response",
    ),
    Guard(
        "as-many-lines-as-rows",
        SCORES,
        '    if text.count(b"\\n") != rows or not rows:\n        return False\n',
        "",
        IN_SCORER + "test_a_reply_with_too_few_scores_is_never_passed_on",
    ),
    Guard(
        "scores-are-finite",
        SCORES,
        "_NUMBER.fullmatch(cell) is not None and math.isfinite(float(cell))",
        "_NUMBER.fullmatch(cell) is not None",
        UNIT + "scoring/test_replies.py::test_anything_else_is_a_bad_response",
    ),
    Guard(
        "scores-are-numbers-of-the-grammar",
        SCORES,
        "_NUMBER.fullmatch(cell) is not None and math.isfinite(float(cell))",
        "math.isfinite(float(cell))",
        UNIT + "scoring/test_replies.py::test_anything_else_is_a_bad_response",
    ),
    Guard(
        "a-string-is-one-score",
        SCORES,
        'text.count(b",") == commas and ',
        "",
        UNIT + "scoring/test_replies.py::test_anything_else_is_a_bad_response",
    ),
    Guard(
        "parts-of-a-request-have-as-many-scores",
        "dropscore/scoring/bad_row_search.py",
        "if self._columns not in (None, columns):",
        "if False:",
        UNIT + "scoring/test_bad_row_search.py::test_parts_with_different_numbers_of_scores_are_an_error",
    ),
    Guard(
        "rows-have-as-many-scores",
        SCORES,
        "if len({len(cells) for cells in rows}) > 1:",
        "if False:",
        UNIT + "scoring/test_replies.py::test_anything_else_is_a_bad_response",
    ),
    Guard(
        "json-means-one-thing",
        SCORES,
        "if len(found) != len(pairs):",
        "if False:",
        UNIT + "scoring/test_replies.py::test_anything_else_is_a_bad_response",
    ),
    Guard(
        "a-fault-of-the-connection-passes",
        "dropscore/aws/faults.py",
        "if isinstance(error, _UNREACHABLE):",
        "if False:",
        UNIT + "scoring/test_exit_codes.py::test_an_attempt_ends_with_the_code_of_its_error",
    ),
    Guard(
        "a-wrong-configuration-stays",
        "dropscore/aws/faults.py",
        "if isinstance(error, _UNREACHABLE):",
        "if True:",
        UNIT + "aws/test_faults.py::test_every_error_of_botocore_is_sorted",
    ),
    Guard(
        "a-late-credential-endpoint-ends-no-job",
        "containers/worker/main.py",
        '    except AWS_ERRORS as error:\n        return _exit_code(fault(error, "calling AWS"))\n',
        "",
        UNIT + "scoring/test_exit_codes.py::test_a_credential_endpoint_that_does_not_answer_is_transient",
    ),
    Guard(
        "a-killed-worker-starts-again",
        "stacks/scoring/worker.py",
        "batch.Reason.custom(on_exit_code=CRASH_EXIT_CODE)",
        'batch.Reason.custom(on_exit_code="1*")',
        "tests/stacks/scoring/test_worker.py::test_causes_are_told_apart",
    ),
    Guard(
        "out-of-memory-ends-the-job",
        "stacks/scoring/worker.py",
        "batch.Reason.custom(on_reason=OUT_OF_MEMORY)",
        'batch.Reason.custom(on_reason="None*")',
        "tests/stacks/scoring/test_worker.py::test_causes_are_told_apart",
    ),
    Guard(
        "scores-in-the-rows-order",
        SCORER,
        "window.append(pool.submit(self._score, request, pace))",
        "window.appendleft(pool.submit(self._score, request, pace))",
        IN_SCORER + "test_scores_come_in_the_order_of_the_rows_however_late_the_replies",
    ),
    Guard(
        "one-model-a-file",
        ENDPOINT,
        "if reported[1] != self.version:",
        "if False:",
        UNIT
        + "scoring/test_worker.py::test_a_model_that_changes_in_mid_file_makes_the_next_attempt_score_the_whole_file",
    ),
    Guard(
        "only-the-pinned-model-serves",
        "containers/model/serving/loading.py",
        "if pinned_sha256 not in (None, sha256):",
        "if False:",
        "tests/unit/containers/model/serving/test_serve.py::test_a_model_of_which_one_byte_was_replaced_after_deployment_stops_the_start",
    ),
    Guard(
        "a-sleeping-model-is-waited-for",
        ENDPOINT,
        'if code == "ValidationError" and _NO_CAPACITY in message:',
        "if False:",
        UNIT + "scoring/test_endpoint.py::test_a_model_that_takes_ten_minutes_to_wake_is_waited_for",
    ),
    Guard(
        "a-containers-codes-are-not-repeated",
        ENDPOINT,
        'return code if code in _REASONS else "BAD_ROW"',
        'return code or "BAD_ROW"',
        UNIT + "scoring/test_worker.py::test_a_foreign_containers_words_are_not_repeated",
    ),
    Guard(
        "a-containers-words-are-not-repeated",
        ENDPOINT,
        'return _REASONS.get(code or "", f"its container returned HTTP {status}")',
        'return _REASONS.get(code or "", f"its container returned HTTP {code}")',
        UNIT + "scoring/test_worker.py::test_a_foreign_containers_words_are_not_repeated",
    ),
    Guard(
        "a-named-row-is-one-of-the-bodys",
        "dropscore/scoring/refusal.py",
        "return value if is_number and 1 <= value <= maximum else None",
        "return value if is_number else None",
        UNIT + "scoring/test_worker.py::test_a_foreign_containers_words_are_not_repeated",
    ),
)

LIMITS = (
    Guard(
        "no-request-is-longer-than-the-limit",
        SCORER,
        "if len(sent.data) > self.max_bytes:",
        "if False:",
        IN_SCORER + "test_no_request_is_over_the_limit_though_it_is_longer_than_its_rows",
    ),
    Guard(
        "413-is-told-by-the-endpoint",
        ENDPOINT,
        'if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 413:',
        "if False:",
        UNIT + "scoring/test_worker.py::test_each_fault_of_the_endpoint_has_its_code",
    ),
    Guard(
        "413-is-remembered-in-the-file",
        SCORER,
        "                self._refused_as_too_large(len(part.request.data))\n",
        "",
        IN_SCORER + "test_a_body_that_is_too_large_is_halved_and_the_size_remembered",
    ),
    Guard(
        "413-is-remembered-for-the-next-job",
        "dropscore/scoring/pipeline.py",
        "self.table.learn_payload_limit(self.model.name, self.model.version, limit_bytes)",
        "pass",
        UNIT + "scoring/test_worker.py::test_a_body_limit_that_was_learned_spares_the_next_job_the_refusals",
    ),
    Guard(
        "a-learned-limit-only-falls",
        "dropscore/aws/table.py",
        ' | Attr("max_payload_bytes").gt(limit_bytes)',
        ' | Attr("max_payload_bytes").exists()',
        "tests/contract/test_table.py::test_the_smallest_body_limit_of_a_model_version_is_remembered[moto]",
    ),
    Guard(
        "few-requests-are-held",
        SCORER,
        "while window and (len(window) == self.max_concurrent_requests or _unanswered(window) >= pace.size):",
        "while False:",
        IN_SCORER + "test_bytes_are_read_only_as_they_are_needed",
    ),
)

RETRIES = (
    Guard(
        "retries-end",
        PACE,
        "if attempt >= self.attempts or not budget.take():",
        "if not budget.take():",
        IN_PACE + "test_a_call_is_tried_attempts_times_with_bounded_waits",
    ),
    Guard(
        "retries-have-a-budget",
        PACE,
        "if attempt >= self.attempts or not budget.take():",
        "if attempt >= self.attempts:",
        IN_PACE + "test_a_call_is_not_tried_beyond_the_budget",
    ),
    Guard(
        "waits-grow",
        PACE,
        "self.base_seconds * 2**attempt",
        "self.base_seconds",
        IN_PACE + "test_waits_double_up_to_the_cap",
    ),
    Guard(
        "waits-have-a-cap",
        PACE,
        "min(cap_seconds, self.base_seconds * 2**attempt)",
        "self.base_seconds * 2**attempt",
        IN_PACE + "test_waits_double_up_to_the_cap",
    ),
    Guard(
        "who-is-busy-is-given-up-at-last",
        PACE,
        "if attempt >= self.busy_attempts:",
        "if attempt >= 9 * self.busy_attempts:",
        IN_PACE + "test_who_is_busy_is_asked_with_patience_and_without_a_budget",
    ),
    Guard(
        "a-changed-model-is-not-asked-again",
        PACE,
        "            except ModelChangedError:\n                raise\n",
        "",
        IN_PACE + "test_a_changed_model_is_not_asked_again",
    ),
    Guard(
        "a-fault-halves-the-pace",
        PACE,
        "self._size = max(1.0, self._size / 2)",
        "self._size = max(1.0, self._size)",
        IN_PACE + "test_a_fault_halves_once_for_all_that_was_sent_before_it",
    ),
    Guard(
        "one-round-halves-once",
        PACE,
        "if sent_at >= self._halved_at:",
        "if True:",
        IN_PACE + "test_a_fault_halves_once_for_all_that_was_sent_before_it",
    ),
    Guard(
        "slowness-halves-the-pace",
        PACE,
        "if self._answers > GRACE and cost > SLOW * self._best:",
        "if False:",
        IN_PACE + "test_a_slow_answer_counts_as_a_fault_by_the_byte",
    ),
    Guard(
        "the-pace-has-a-ceiling",
        PACE,
        "min(self._max_requests, self._size + 1 / self._size)",
        "self._size + 1 / self._size",
        IN_PACE + "test_pace_never_leaves_its_bounds",
    ),
)

GUARDS = (*REPLIES, *LIMITS, *RETRIES)
