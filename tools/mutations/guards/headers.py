"""A header is not scored as a row, and its columns are matched to features by name."""

from __future__ import annotations

from tools.mutations.guard import Guard

HEADER, MATCHING, COLUMNS = (f"dropscore/{name}.py" for name in ("files/header", "files/matching", "files/columns"))
HEAD_TEST = "tests/unit/dropscore/files/test_head.py::"
MATCHING_TEST = "tests/unit/dropscore/files/test_matching.py::"
FEATURES_TEST = "tests/unit/dropscore/files/test_feature_names.py::"
EITHER = HEAD_TEST + "test_a_first_row_that_may_be_either_is_refused"

GUARDS = (
    Guard(
        "columns-go-to-the-features-of-their-names",
        COLUMNS,
        "    ordered = named.in_order_of(features)\n",
        "    ordered = named.in_order_of(features) and kept\n",
        FEATURES_TEST + "test_columns_in_another_order_are_matched_by_name",
    ),
    Guard(
        "columns-that-are-no-features-are-refused",
        MATCHING,
        "        if len(self.kept) > len(features):\n",
        "        if False:\n",
        MATCHING_TEST + "test_a_column_that_is_not_a_feature_is_named",
    ),
    Guard(
        "a-feature-that-is-there-twice-is-refused",
        MATCHING,
        "        if duplicates:\n",
        "        if False:\n",
        MATCHING_TEST + "test_a_feature_that_is_there_twice_is_refused",
    ),
    Guard(
        "columns-of-the-options-keep-the-features-order",
        COLUMNS,
        "        named.check_order(features)\n",
        "",
        MATCHING_TEST + "test_columns_in_another_order_than_the_features_are_refused",
    ),
    Guard(
        "numbered-columns-keep-their-order",
        COLUMNS,
        "        named.check_generated()\n",
        "",
        MATCHING_TEST + "test_generated_names_out_of_order_are_refused",
    ),
    Guard(
        "rows-matched-by-name-go-to-a-model-of-these-names",
        "dropscore/scoring/endpoint.py",
        "        self._check_names(attributes)\n",
        "",
        FEATURES_TEST + "test_rows_matched_by_name_are_not_scored_by_other_features",
    ),
    Guard(
        "parts-keyed-by-the-features-names",
        "dropscore/output/parts.py",
        'by_name = f"-{self.names}" if self.names else ""',
        'by_name = ""',
        FEATURES_TEST + "test_parts_of_before_the_names_were_known_are_not_mixed_in",
    ),
    Guard(
        "the-features-names-are-no-row",
        "dropscore/files/head.py",
        "if options.header is False and names_all_features(",
        "if options.header is None and names_all_features(",
        HEAD_TEST + "test_the_features_names_are_never_a_row",
    ),
    Guard(
        "a-row-that-counts-is-ambiguous",
        HEADER,
        "    if _is_numbering(values):\n        raise",
        "    if values is None:\n        raise",
        EITHER,
    ),
    Guard(
        "a-damaged-number-is-no-name",
        HEADER,
        "    if damaged:\n",
        "    if False:\n",
        EITHER,
    ),
    Guard(
        "a-first-row-of-another-width-is-ambiguous",
        HEADER,
        "    if width not in (None, len(values)):\n",
        "    if False:\n",
        EITHER,
    ),
    Guard(
        "missing-values-are-no-names",
        HEADER,
        " and MISSING_VALUES.isdisjoint(map(bytes.lower, values))",
        "",
        EITHER,
    ),
)
