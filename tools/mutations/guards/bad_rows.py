"""Rejected rows: separated from good rows, counted, and reported by their row numbers."""

from __future__ import annotations

from tools.mutations.guard import Guard

ALLOWANCE, ASSEMBLY, SCORER, SEARCH = (
    f"dropscore/{name}.py" for name in ("scoring/tally", "scoring/assembly", "scoring/scorer", "scoring/bad_row_search")
)
UNIT = "tests/unit/dropscore/"
PLACES = UNIT + "scoring/test_positions.py::"

ALLOWING = (
    Guard(
        "bad-rows-of-a-request-are-held-against-the-number",
        SCORER,
        "if len(search.bad) > self.max_bad_rows:",
        "if False:",
        UNIT + "scoring/test_scorer.py::test_more_bad_rows_in_a_body_than_are_borne_end_it",
    ),
    Guard(
        "lines-that-are-named-are-not-rows",
        SCORER,
        ", is_row_a_line=sent.data",
        ", is_row_a_line=True or sent.data",
        UNIT + "scoring/test_scorer.py::test_a_container_that_counts_lines_makes_no_good_row_bad",
    ),
    Guard(
        "the-search-in-a-request-is-bounded",
        SCORER,
        "if search.refusals > self.max_refusals or not self.refusal_budget.take():",
        "if not self.refusal_budget.take():",
        UNIT + "scoring/test_scorer.py::test_a_search_that_costs_too_much_ends",
    ),
    Guard(
        "the-search-in-a-file-is-bounded",
        SCORER,
        "if search.refusals > self.max_refusals or not self.refusal_budget.take():",
        "if search.refusals > self.max_refusals:",
        UNIT + "scoring/test_scorer.py::test_the_search_through_a_whole_file_is_bounded",
    ),
    Guard(
        "bad-rows-of-a-file-are-held-against-the-allowance",
        ALLOWANCE,
        "self.limit.check(self.rows, self.bad, self.first)",
        "pass",
        UNIT + "scoring/test_worker.py::test_one_bad_row_more_than_allowed_rejects_the_file[4.9%]",
    ),
    Guard(
        "a-number-of-bad-rows-is-a-limit",
        "dropscore/jobs/bad_rows.py",
        "else bad > self.rows)",
        "else False)",
        UNIT + "scoring/test_sharded.py::test_bad_rows_of_all_shards_together_are_held_against_the_allowance[2]",
    ),
    Guard(
        "a-percentage-of-bad-rows-is-a-limit",
        "dropscore/jobs/bad_rows.py",
        "bad * 100 > self.percent * rows if self.rows is None",
        "False if self.rows is None",
        UNIT + "scoring/test_tally.py::test_a_percentage_is_of_the_whole_file",
    ),
    Guard(
        "a-hopeless-file-is-given-up",
        ALLOWANCE,
        "is_over = self.bad >= HOPELESS_ROWS and",
        "is_over = False and",
        UNIT + "scoring/test_tally.py::test_a_hopeless_file_is_given_up_before_its_end",
    ),
    Guard(
        "bad-rows-of-all-shards-count-together",
        ASSEMBLY,
        "self.pipeline.bad_row_limit.check(rows, sum(part.bad for part in parts), first)",
        "pass",
        UNIT + "scoring/test_sharded.py::test_bad_rows_of_all_shards_together_are_held_against_the_allowance",
    ),
    Guard(
        "one-shards-percentage-is-not-the-files",
        ASSEMBLY,
        "Tally(self.pipeline.bad_row_limit, is_whole=False)",
        "Tally(self.pipeline.bad_row_limit)",
        UNIT + "scoring/test_sharded.py::test_bad_rows_of_all_shards_are_listed_by_their_numbers_in_the_file[1.5%]",
    ),
)

NAMING = (
    Guard(
        "a-hint-is-one-line",
        "dropscore/scoring/rejected_rows.py",
        'if word.strip(b" \\t").lower()',
        "if word.strip().lower()",
        PLACES + "test_a_hint_stays_on_one_line",
    ),
    Guard(
        "a-row-is-bad-when-all-with-it-are",
        SEARCH,
        "if len(faults) == rows and (is_row_a_line or rows == 1):",
        "if faults:",
        UNIT + "scoring/test_scorer.py::test_a_model_that_names_the_wrong_row_is_not_believed",
    ),
    Guard(
        "who-named-a-good-row-is-not-believed",
        SEARCH,
        "self._is_trusted &= not part.is_named",
        "pass",
        UNIT + "scoring/test_bad_row_search.py::test_a_model_that_named_a_good_row_is_not_believed_again",
    ),
    Guard(
        "named-rows-are-asked-for-together",
        SEARCH,
        "        self._queue([places[index] for index in named], is_named=True)",
        "        self._queue(*([places[index]] for index in named), is_named=True)",
        UNIT + "scoring/test_scorer.py::test_bad_rows_that_are_named_cost_few_requests",
    ),
    Guard(
        "a-list-that-was-cut-off-says-no-end",
        "dropscore/scoring/refusal.py",
        'has_more = document.get("more") is True or not is_whole',
        'has_more = document.get("more") is True',
        UNIT + "scoring/test_refusal.py::test_a_list_that_was_cut_off_names_its_whole_entries",
    ),
    Guard(
        "an-error-names-the-files-row",
        ASSEMBLY,
        "error.moved(*self._before(index, start))",
        "error.moved(0, 0)",
        UNIT + "scoring/test_sharded.py::test_a_bad_row_of_a_later_shard_is_named_by_its_number_in_the_file",
    ),
    Guard(
        "rows-that-no-part-knows-are-counted",
        ASSEMBLY,
        "return rows + more, lines + more_lines",
        "return rows, lines",
        UNIT + "scoring/test_sharded.py::test_a_bad_row_of_a_later_shard_is_named_by_its_number_in_the_file",
    ),
    Guard(
        "the-list-names-the-files-rows",
        ASSEMBLY,
        "yield moved(line, before, lines)",
        "yield line",
        UNIT + "scoring/test_sharded.py::test_bad_rows_of_all_shards_are_listed_by_their_numbers_in_the_file",
    ),
    Guard(
        "the-first-bad-row-is-the-files",
        ASSEMBLY,
        "row=bad.row + before",
        "row=bad.row",
        UNIT + "scoring/test_assembly.py::test_a_first_bad_row_in_a_later_shard_is_named_by_its_number_in_the_file",
    ),
    Guard(
        "columns-are-the-files",
        "dropscore/files/layout.py",
        "kept = self.choice.kept if self.choice else range(cells)",
        "kept = range(cells)",
        PLACES + "test_bad_cell_is_named_by_the_files_column_and_line",
    ),
    Guard(
        "a-bad-row-stands-behind-its-blank-lines",
        "dropscore/scoring/bad_row_search.py",
        "offset=row.first_row_offset,\n            line=row.first_row_line,",
        "offset=row.offset,\n            line=row.line,",
        PLACES + "test_bad_cell_is_named_by_the_files_column_and_line",
    ),
    Guard(
        "lines-of-all-shards-are-the-files",
        ASSEMBLY,
        "yield moved(line, before, lines)",
        "yield moved(line, before, 0)",
        PLACES + "test_bad_cell_is_named_by_the_files_column_and_line",
    ),
)

GUARDS = (*ALLOWING, *NAMING)
