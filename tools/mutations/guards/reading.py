"""Reading one version of one input: completely, decompressed within limits, and split at row ends."""

from __future__ import annotations

from tools.mutations.guard import Guard

SOURCE, GUNZIP, LINES, SHARDS = (
    f"dropscore/{name}.py" for name in ("aws/source", "files/gunzip", "files/requests", "files/shard_bounds")
)
DIALECT, VALUES = (f"dropscore/{name}.py" for name in ("files/dialect", "files/values"))
CONTRACT = "tests/contract/test_files.py::"
UNIT = "tests/unit/dropscore/"
STRAY, PLACES = (UNIT + f"{name}.py::" for name in ("files/test_dialect", "scoring/test_positions"))
PARTITION = UNIT + "files/test_shard_bounds.py::test_shards_partition_the_rows"

READING = (
    Guard(
        "only-the-events-version",
        SOURCE,
        '"Key": key, "VersionId": version_id}',
        '"Key": key}',
        CONTRACT + "test_only_the_named_version_is_read[moto]",
    ),
    Guard(
        "gone-is-told",
        SOURCE,
        "if _code(error) in _GONE:",
        "if False:",
        CONTRACT + "test_a_purged_version_is_gone_though_a_newer_one_stands_there[moto]",
    ),
    Guard(
        "all-ranges-of-one-object",
        SOURCE,
        '        self._object["IfMatch"] = answer["ETag"]\n',
        "",
        UNIT + "aws/test_source.py::test_an_object_that_changes_between_two_ranges_is_never_mixed",
    ),
    Guard(
        "an-ignored-range-is-refused",
        SOURCE,
        'if not answer.get("ContentRange", "").startswith(f"bytes {position}-"):',
        "if False:",
        UNIT + "aws/test_source.py::test_a_range_that_was_ignored_is_never_taken_for_it",
    ),
    Guard(
        "read-on-where-it-broke",
        SOURCE,
        "else:\n                stream, end = self._open(position, stop)",
        "else:\n                stream, end = self._open(start, stop)",
        UNIT + "aws/test_source.py::test_a_connection_that_breaks_is_opened_again_where_it_broke",
    ),
    Guard(
        "an-empty-range-is-empty",
        SOURCE,
        "if stop is not None and stop <= start:",
        "if False:",
        CONTRACT + "test_a_range_of_a_version_is_returned[moto-9-9]",
    ),
)

UNPACKING = (
    Guard(
        "gzip-bomb",
        GUNZIP,
        "if self._decompressed > self._max_decompressed_bytes(self._compressed):",
        "if False:",
        UNIT + "files/test_gunzip.py::test_a_bomb_is_left_before_it_bursts",
    ),
    Guard(
        "gzip-cut-off",
        GUNZIP,
        "if not self._member.eof:",
        "if False:",
        UNIT + "files/test_gunzip.py::test_a_file_that_was_cut_off_is_rejected",
    ),
    Guard(
        "unpacked-in-bounded-pieces",
        GUNZIP,
        "self._member.decompress(data, self._output_bytes)",
        "self._member.decompress(data)",
        UNIT + "files/test_gunzip.py::test_no_part_is_over_a_mebibyte",
    ),
)

CUTTING = (
    Guard(
        "quotes-hold-rows-together",
        LINES,
        "while end and quotes % 2:",
        "while False:",
        UNIT + "files/test_requests.py::test_quoted_rows_are_never_split",
    ),
    Guard(
        "blank-lines-are-no-rows",
        LINES,
        "if RFC_4180.has_blank_lines(outline):",
        "if False:",
        UNIT + "files/test_requests.py::test_blank_lines_are_no_rows_and_no_byte_is_lost",
    ),
    Guard(
        "requests-stay-under-the-limit",
        LINES,
        "_end_of_last_row(marks, limit_bytes) or",
        "_end_of_last_row(marks, len(marks)) or",
        UNIT + "files/test_requests.py::test_bodies_joined_are_the_input_and_each_is_under_the_limit",
    ),
    Guard(
        "a-row-over-the-limit-is-told",
        LINES,
        "and len(self._buffer) <= self.max_bytes:",
        ":",
        UNIT + "files/test_requests.py::test_a_row_over_the_limit_is_rejected_by_its_number",
    ),
    Guard(
        "a-row-of-another-width-is-refused",
        "dropscore/files/projection.py",
        "if len(cells) != self.width:",
        "if len(cells) <= max(self.kept):",
        UNIT + "files/test_layout.py::test_a_row_of_another_width_is_sent_so_that_it_is_refused",
    ),
)

QUOTING = (
    Guard(
        "a-stray-quote-ends-the-reading",
        LINES,
        "fault = None if dialect.is_sound(outline) else",
        "fault = None if True else",
        STRAY + "test_first_stray_quote_ends_the_reading_wherever_bodies_end",
    ),
    Guard(
        "a-quote-opens-a-cell-only-as-its-first-character",
        DIALECT,
        '(?<![%b\\n"]")(?<!\\A")|',
        "(?!)[%b]|",
        STRAY + "test_text_is_sound_as_the_grammar_says",
    ),
    Guard(
        "a-quote-closes-a-cell-only-as-its-last-character",
        DIALECT,
        "|(?![%b\\n\"]|\\r?\\n|\\r?\\Z))' % (mark, mark))",
        ")' % mark)",
        STRAY + "test_text_is_sound_as_the_grammar_says",
    ),
    Guard(
        "an-unclosed-quote-is-not-sound",
        DIALECT,
        'b"" if len(segments) % 2 else b\'"x\'',
        "b''",
        STRAY + "test_text_is_sound_as_the_grammar_says",
    ),
    Guard(
        "a-stray-quote-in-the-header-ends-the-reading",
        "dropscore/files/head.py",
        "        if fault:\n            raise",
        "        if False:\n            raise",
        PLACES + "test_stray_quote_in_the_header_is_named",
    ),
    Guard(
        "an-escape-outside-quotes-is-refused",
        DIALECT,
        "if self.has_escapes and self._loose_escape.search(outline):",
        "if False:",
        STRAY + "test_backslash_before_delimiter_is_refused_when_it_escapes",
    ),
    Guard(
        "files-with-escapes-are-not-divided",
        "dropscore/events/submit.py",
        "is_compressed(upload.key) or options.escape is not None",
        "is_compressed(upload.key)",
        PLACES + "test_escaped_quotes_are_read_when_the_option_says_so",
    ),
)

SENDING = (
    Guard(
        "ordinary-quotes-are-sent-as-such",
        VALUES,
        "if not self.dialect.has_quotes or (self.dialect",
        "if (self.dialect",
        UNIT + "files/test_values.py::test_cells_arrive_as_csv_reads_the_file",
    ),
    Guard(
        "a-point-under-decimal-commas-is-no-point",
        VALUES,
        "content = content.translate(_SWAPPED)",
        'content = content.replace(b",", b".")',
        UNIT + "files/test_values.py::test_cells_arrive_as_csv_reads_the_file",
    ),
    Guard(
        "a-last-empty-cell-is-a-row",
        "dropscore/files/rows.py",
        'return data if data.endswith(b"\\n") or not data else data + b"\\n"',
        "return data",
        UNIT + "files/test_values.py::test_cells_are_sent_as_numbers_when_options_say_so",
    ),
    Guard(
        "rows-of-empty-cells-are-counted",
        "dropscore/scoring/pipeline.py",
        "empty += count_empty_rows(scored.data, self.dialect)",
        "empty += 0",
        PLACES + "test_rows_of_empty_cells_are_counted_or_skipped",
    ),
    Guard(
        "a-first-line-of-another-delimiter-is-refused",
        "dropscore/files/head.py",
        "if separator_line[2] != options.delimiter.encode():",
        "if False:",
        PLACES + "test_line_for_excel_is_skipped_when_it_agrees",
    ),
)

DIVIDING = (
    Guard(
        "quotes-are-counted-where-a-look-will-not-do",
        SHARDS,
        "return sum(chunk.count(b'\"') for chunk in read(0, position)) % 2 == 1",
        "return False",
        UNIT + "files/test_shard_bounds.py::test_quotes_that_make_sense_both_ways_are_counted_from_the_files_start",
    ),
    Guard("a-look-must-have-one-answer", SHARDS, "if outside == inside:", "if not outside and not inside:", PARTITION),
    Guard(
        "a-shard-ends-at-a-row-end",
        SHARDS,
        "yield chunk[:end] if end else chunk\n",
        "yield chunk\n",
        PARTITION,
    ),
    Guard(
        "packed-files-are-not-divided",
        "dropscore/jobs/plan.py",
        "if is_one_shard or size_bytes <= shard_bytes:",
        "if size_bytes <= shard_bytes:",
        UNIT + "jobs/test_plan.py::test_a_small_or_packed_file_is_one_shard",
    ),
    Guard(
        "no-more-shards-than-batch-takes",
        "dropscore/jobs/plan.py",
        "shard_bytes = max(shard_bytes, -(-size_bytes // MAX_SHARDS))",
        "shard_bytes = max(shard_bytes, 1)",
        UNIT + "jobs/test_plan.py::test_five_terabytes_are_planned_in_next_to_no_memory",
    ),
)

GUARDS = (*READING, *UNPACKING, *CUTTING, *QUOTING, *SENDING, *DIVIDING)
