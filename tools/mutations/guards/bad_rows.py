"""Rows that the model refuses: told apart from good ones, counted, and named by their numbers in the file."""

from __future__ import annotations

from tools.mutations.guard import Guard

ALLOWANCE, ASSEMBLY, SCORER, SEARCH = (f"dropscore/{name}.py" for name in ("allowance", "assembly", "scorer", "search"))
UNIT = "tests/unit/dropscore/"
PLACES = UNIT + "test_places.py::"

ALLOWING = (
    Guard(
        "bad-rows-of-a-body-are-held-against-the-number",
        SCORER,
        "if len(search.bad) > self.most_bad_rows:",
        "if False:",
        UNIT + "test_scorer.py::test_more_bad_rows_in_a_body_than_are_borne_end_it",
    ),
    Guard(
        "lines-that-are-named-are-not-rows",
        SCORER,
        ", is_row_a_line=sent.data",
        ", is_row_a_line=True or sent.data",
        UNIT + "test_scorer.py::test_a_container_that_counts_lines_makes_no_good_row_bad",
    ),
    Guard(
        "the-search-in-a-body-is-bounded",
        SCORER,
        "if search.refusals > self.most_refusals or not self.effort.take():",
        "if not self.effort.take():",
        UNIT + "test_scorer.py::test_a_search_that_costs_too_much_ends",
    ),
    Guard(
        "the-search-in-a-file-is-bounded",
        SCORER,
        "if search.refusals > self.most_refusals or not self.effort.take():",
        "if search.refusals > self.most_refusals:",
        UNIT + "test_scorer.py::test_the_search_through_a_whole_file_is_bounded",
    ),
    Guard(
        "bad-rows-of-a-file-are-held-against-the-allowance",
        ALLOWANCE,
        "self.allowance.check(self.rows, self.bad, self.first)",
        "pass",
        UNIT + "test_work.py::test_one_bad_row_more_than_allowed_rejects_the_file[4.9%]",
    ),
    Guard(
        "a-number-of-bad-rows-is-a-limit",
        ALLOWANCE,
        "else bad > self.rows)",
        "else False)",
        UNIT + "test_sharded.py::test_bad_rows_of_all_shards_together_are_held_against_the_allowance[2]",
    ),
    Guard(
        "a-percentage-of-bad-rows-is-a-limit",
        ALLOWANCE,
        "bad * 100 > self.percent * rows if self.rows is None",
        "False if self.rows is None",
        UNIT + "test_allowance.py::test_a_percentage_is_of_the_whole_file",
    ),
    Guard(
        "a-hopeless-file-is-given-up",
        ALLOWANCE,
        "is_over = self.bad >= HOPELESS_ROWS and",
        "is_over = False and",
        UNIT + "test_allowance.py::test_a_hopeless_file_is_given_up_before_its_end",
    ),
    Guard(
        "bad-rows-of-all-shards-count-together",
        ASSEMBLY,
        "self.one.allowance.check(rows, sum(part.bad for part in parts), first)",
        "pass",
        UNIT + "test_sharded.py::test_bad_rows_of_all_shards_together_are_held_against_the_allowance",
    ),
    Guard(
        "one-shards-percentage-is-not-the-files",
        ASSEMBLY,
        "Borne(self.one.allowance, is_whole=False)",
        "Borne(self.one.allowance)",
        UNIT + "test_sharded.py::test_bad_rows_of_all_shards_are_listed_by_their_numbers_in_the_file[1.5%]",
    ),
)

NAMING = (
    Guard(
        "a-hint-is-one-line",
        "dropscore/refused.py",
        'if word.strip(b" \\t").lower()',
        "if word.strip().lower()",
        PLACES + "test_a_hint_stays_on_one_line",
    ),
    Guard(
        "a-row-is-bad-when-all-with-it-are",
        SEARCH,
        "if len(faults) == rows:",
        "if faults:",
        UNIT + "test_scorer.py::test_a_model_that_names_the_wrong_row_is_not_believed",
    ),
    Guard(
        "who-named-a-good-row-is-not-believed",
        SEARCH,
        "self._is_believed &= not part.is_named",
        "pass",
        UNIT + "test_search.py::test_a_model_that_named_a_good_row_is_not_believed_again",
    ),
    Guard(
        "named-rows-are-asked-for-together",
        SEARCH,
        "        self._ask_for([places[index] for index in named], is_named=True)",
        "        self._ask_for(*([places[index]] for index in named), is_named=True)",
        UNIT + "test_scorer.py::test_bad_rows_that_are_named_cost_few_requests",
    ),
    Guard(
        "a-list-that-was-cut-off-says-no-end",
        "dropscore/aws/refusal.py",
        'has_more = said.get("more") is True or not is_whole',
        'has_more = said.get("more") is True',
        UNIT + "test_refusal.py::test_a_list_that_was_cut_off_names_its_whole_entries",
    ),
    Guard(
        "an-error-names-the-files-row",
        ASSEMBLY,
        "error.moved(*self._before(index, start))",
        "error.moved(0, 0)",
        UNIT + "test_sharded.py::test_a_bad_row_of_a_later_shard_is_named_by_its_number_in_the_file",
    ),
    Guard(
        "rows-that-no-part-knows-are-counted",
        ASSEMBLY,
        "return rows + more, lines + more_lines",
        "return rows, lines",
        UNIT + "test_sharded.py::test_a_bad_row_of_a_later_shard_is_named_by_its_number_in_the_file",
    ),
    Guard(
        "the-list-names-the-files-rows",
        ASSEMBLY,
        "yield moved(line, before, lines)",
        "yield line",
        UNIT + "test_sharded.py::test_bad_rows_of_all_shards_are_listed_by_their_numbers_in_the_file",
    ),
    Guard(
        "the-first-bad-row-is-the-files",
        ASSEMBLY,
        "row=bad.row + before",
        "row=bad.row",
        UNIT + "test_assembly.py::test_a_first_bad_row_in_a_later_shard_is_named_by_its_number_in_the_file",
    ),
    Guard(
        "columns-are-the-files",
        "dropscore/layout.py",
        "kept = self.choice.kept if self.choice else range(cells)",
        "kept = range(cells)",
        PLACES + "test_bad_cell_is_named_by_the_files_column_and_line",
    ),
    Guard(
        "a-bad-row-stands-behind-its-blank-lines",
        "dropscore/search.py",
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
