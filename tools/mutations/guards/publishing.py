"""Parts that fit together, and an output that is published whole, once, with its companion objects."""

from __future__ import annotations

from tools.mutations.guard import Guard

OBJECTS, PARTS, ASSEMBLY, PUBLISH = (
    f"dropscore/{name}.py" for name in ("aws/objects", "output/parts", "scoring/assembly", "output/publish")
)
CONTRACT = "tests/contract/test_files.py::"
UNIT = "tests/unit/dropscore/"
ANOTHER_PLAN = UNIT + "output/test_parts.py::test_a_part_under_another_plan_is_not_found"
PART_KEY = 'f"{self._prefix}{version}/{self._plan}/{index:05}-{start}{RECORD}"'

KEYS = (
    Guard(
        "copies-are-of-equal-size",
        "dropscore/aws/objects.py",
        "copy_bytes = -(-(size_bytes - fill) // copies)",
        "copy_bytes = MAX_COPY_BYTES",
        CONTRACT + "test_a_large_copy_in_the_middle_has_no_piece_that_s3_refuses[moto]",
    ),
    Guard(
        "a-lost-reply-is-looked-into",
        "dropscore/aws/objects.py",
        'not in (TAKEN, UPLOAD_GONE, "404"):',
        "not in (TAKEN,):",
        "tests/unit/dropscore/aws/test_objects.py::test_a_joining_whose_reply_was_lost_counts",
    ),
    Guard(
        "an-error-that-was-cut-off-is-known-by-its-status",
        "dropscore/aws/reading.py",
        'return _CODE_OF_STATUS.get(code or "", code)',
        "return code",
        "tests/unit/dropscore/aws/test_objects.py::test_a_put_whose_reply_was_lost_counts[412]",
    ),
    Guard(
        "only-ones-own-writing-counts",
        "dropscore/aws/objects.py",
        'return bool(found.get("writer") == self._new["Metadata"]["writer"])',
        "return True",
        "tests/unit/dropscore/aws/test_objects.py::test_what_another_has_written_does_not_count",
    ),
    Guard(
        "a-conflict-is-asked-again",
        "dropscore/aws/objects.py",
        "if code_of(error) != CONFLICT or attempt == CONFLICTS - 1:",
        "if error:",
        "tests/unit/dropscore/aws/test_objects.py::test_a_conflict_is_no_answer_and_asked_again[1-ConditionalRequestConflict]",
    ),
    Guard(
        "parts-keyed-by-job",
        PARTS,
        'f"{PARTS}{self.job.job_id}/{self.job.model}/"',
        'f"{PARTS}{self.job.model}/"',
        f"{ANOTHER_PLAN}[job_id]",
    ),
    Guard(
        "parts-keyed-by-model-version",
        PARTS,
        PART_KEY,
        PART_KEY.replace("{version}/", ""),
        UNIT + "output/test_parts.py::test_a_part_by_another_model_or_of_other_rows_is_not_found",
    ),
    Guard("parts-keyed-by-plan", PARTS, "{self.job.plan}-{self", "{self", f"{ANOTHER_PLAN}[shard_bytes]"),
    Guard("parts-keyed-by-options", PARTS, "-{self.job.parsed_options.digest}", "", f"{ANOTHER_PLAN}[options]"),
    Guard(
        "parts-keyed-by-first-byte",
        PARTS,
        PART_KEY,
        PART_KEY.replace("-{start}", ""),
        UNIT + "output/test_parts.py::test_a_part_by_another_model_or_of_other_rows_is_not_found",
    ),
    Guard(
        "parts-listed-of-one-plan",
        PARTS,
        'if f"/{self._plan}/" in key and ',
        "if ",
        f"{ANOTHER_PLAN}[shards]",
    ),
)

FITTING = (
    Guard(
        "the-first-record-of-a-part-counts",
        PARTS,
        "            return part\n        return self._read(key)",
        "            return part\n        return part",
        UNIT + "output/test_parts.py::test_the_part_that_was_put_first_counts",
    ),
    Guard(
        "the-record-of-a-part-comes-last",
        ASSEMBLY,
        """            scores.commit()
            errors.commit()
            part = self.parts.put(run.as_part(index, start, tally, scores, errors))
""",
        """            part = self.parts.put(run.as_part(index, start, tally, scores, errors))
            scores.commit()
            errors.commit()
""",
        UNIT + "scoring/test_assembly.py::test_a_part_counts_only_once_its_scores_are_there",
    ),
    Guard(
        "a-part-that-is-there-is-used",
        ASSEMBLY,
        "return found or self._score(index, start, progress)",
        "return self._score(index, start, progress)",
        UNIT + "scoring/test_sharded.py::test_a_shard_that_is_done_is_not_scored_again",
    ),
    Guard(
        "a-part-starts-where-the-last-one-ends",
        ASSEMBLY,
        "part = found.get((index, start))",
        "part = next((one for (place, _), one in found.items() if place == index), None)",
        UNIT + "scoring/test_assembly.py::test_a_part_that_does_not_start_where_the_one_before_it_ends_is_not_used",
    ),
    Guard(
        "parts-reach-the-files-end",
        ASSEMBLY,
        "if parts[-1].end != job.size_bytes:",
        "if False:",
        UNIT + "scoring/test_sharded.py::test_parts_that_do_not_reach_the_files_end_are_not_published",
    ),
    Guard(
        "parts-by-one-model",
        ASSEMBLY,
        "if part.model_version != version and part.rows:",
        "if False:",
        UNIT + "scoring/test_sharded.py::test_a_model_that_changes_while_the_publisher_scores_starts_over",
    ),
    Guard(
        "parts-have-one-number-of-scores",
        ASSEMBLY,
        "if len(columns) > 1:",
        "if False:",
        UNIT + "scoring/test_assembly.py::test_shards_with_different_numbers_of_scores_are_not_put_together",
    ),
    Guard(
        "a-file-without-rows-is-rejected",
        ASSEMBLY,
        "        if not rows:",
        "        if False:",
        UNIT + "scoring/test_sharded.py::test_only_blank_lines_are_an_empty_file",
    ),
)

APPEARING = (
    Guard(
        "if-none-match-on-put",
        OBJECTS,
        'Body=bytes(self._pending), IfNoneMatch="*")',
        "Body=bytes(self._pending))",
        CONTRACT + "test_an_object_is_written_once_and_the_first_one_stays[moto-blocks1]",
    ),
    Guard(
        "if-none-match-on-completion",
        OBJECTS,
        'MultipartUpload={"Parts": self._done}, IfNoneMatch="*")',
        'MultipartUpload={"Parts": self._done})',
        CONTRACT + "test_an_object_is_written_once_and_the_first_one_stays[moto-blocks2]",
    ),
    Guard(
        "what-is-left-is-aborted",
        OBJECTS,
        "    ) -> None:\n        self.abort()",
        "    ) -> None:\n        pass",
        CONTRACT + "test_a_writer_that_is_left_leaves_nothing[moto-3]",
    ),
    Guard(
        "a-files-name-means-all-of-its-rows",
        "dropscore/aws/table.py",
        'self._of_file(file, Attr("rejected_of").not_exists())',
        'self._of_file(file, Attr("job_id").exists())',
        "tests/unit/dropscore/cli/test_cli.py::test_result_of_a_file_is_its_own_after_a_retry_of_rejected_rows",
    ),
    Guard(
        "an-output-of-another-job-is-left-alone",
        PUBLISH,
        'if metadata.get("job-id") != self.job.job_id:',
        "if False:",
        UNIT + "output/test_publish.py::test_the_output_of_another_job_is_left_alone",
    ),
    Guard(
        "what-is-published-is-not-scored-again",
        "dropscore/scoring/worker.py",
        "manifest = publication.finish() or self._score_whole(",
        "manifest = self._score_whole(",
        UNIT + "scoring/test_worker.py::test_an_attempt_after_a_kill_between_publication_and_status_only_says_so",
    ),
    Guard(
        "the-outputs-own-record-is-followed",
        PUBLISH,
        'self._write_beside(self._json(metadata["record"]))',
        "self._write_beside(self._json(self.record_key))",
        UNIT + "output/test_publish.py::test_what_belongs_to_scores_that_have_appeared_is_brought_by_the_next_attempt",
    ),
    Guard(
        "the-record-comes-before-the-scores",
        PUBLISH,
        """        objects.put(self.s3, bucket=self.bucket, key=self.record_key, data=json.dumps(record).encode())
        scores.commit()
""",
        """        scores.commit()
        objects.put(self.s3, bucket=self.bucket, key=self.record_key, data=json.dumps(record).encode())
""",
        UNIT + "output/test_publish.py::test_what_belongs_to_scores_that_have_appeared_is_brought_by_the_next_attempt",
    ),
    Guard(
        "the-manifest-comes-last",
        PUBLISH,
        "return self._existing_manifest() or self._write_beside",
        "objects.put(self.s3, bucket=self.bucket, key=manifest_key(self.job.output_key), "
        'data=json.dumps(self._json(metadata["record"])["manifest"]).encode())\n'
        "        return self._existing_manifest() or self._write_beside",
        UNIT + "output/test_publish.py::test_a_kill_at_the_list_of_bad_rows_loses_nothing",
    ),
)

GUARDS = (*KEYS, *FITTING, *APPEARING)
