"""The model server: what it rejects, and how it reports it."""

from __future__ import annotations

from tools.mutations.guard import Guard

SERVING = "containers/model/serving/"
UNIT = "tests/unit/containers/model/serving/"

GUARDS = (
    Guard(
        "every-bad-row-of-a-body-is-named",
        SERVING + "formats/csv_faults.py",
        "if is_head_good or not is_good(tail):",
        "if is_head_good:",
        UNIT + "test_bad_rows.py::test_every_bad_row_of_a_body_is_named_up_to_a_thousand",
    ),
    Guard(
        "bad-rows-that-are-not-named-are-announced",
        SERVING + "refusal.py",
        "if count < len(self.faults) or self.has_more:",
        "if self.has_more:",
        UNIT + "test_bad_rows.py::test_refusal_fits_into_what_sagemaker_passes_on",
    ),
    Guard(
        "a-refusal-fits-into-sagemakers-field",
        SERVING + "refusal.py",
        "<= MAX_BODY_BYTES else",
        "<= 100 * MAX_BODY_BYTES else",
        UNIT + "test_bad_rows.py::test_refusal_fits_into_what_sagemaker_passes_on",
    ),
    Guard(
        "a-json-line-is-one-row",
        SERVING + "formats/json_rows.py",
        "len(rows) == len(lines) and all(map(_is_flat, rows))",
        "len(rows) == len(lines)",
        UNIT + "test_bad_rows.py::test_json_line_is_a_row_of_its_own",
    ),
    Guard(
        "a-malformed-header-ends-the-connection",
        SERVING + "http/head.py",
        "        if not field:\n",
        "        if not field:\n            continue\n        if not field:\n",
        UNIT + "http/test_hostile.py::test_malformed_head_ends_the_connection[a line without a colon]",
    ),
    Guard(
        "an-ambiguous-length-ends-the-connection",
        SERVING + "http/head.py",
        "if len(lengths) > 1 or not",
        "if not",
        UNIT + "http/test_hostile.py::test_malformed_head_ends_the_connection[two lengths]",
    ),
    Guard(
        "a-damaged-stream-is-refused",
        SERVING + "formats/stream_sizes.py",
        "except (struct.error, IndexError):",
        "except struct.error:",
        UNIT + "formats/test_table_rows.py::test_damaged_table_is_rows_or_a_refusal",
    ),
    Guard(
        "a-slow-body-takes-no-place",
        SERVING + "http/contract.py",
        "            body = self.read(take)\n            with service.admission.place():\n",
        "            with service.admission.place():\n                body = self.read(take)\n",
        UNIT + "http/test_hostile.py::test_slow_bodies_keep_nobody_out_and_end",
    ),
    Guard(
        "a-model-is-tried-before-it-is-served",
        "containers/model/serving/main.py",
        "    attempt(work, seconds",
        "    (lambda *_, **__: None)(work, seconds",
        UNIT + "test_bad_models.py::test_bad_model_is_refused_with_its_reason[an empty file]",
    ),
)
