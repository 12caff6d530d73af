"""Shards → parts → one output. Each part starts where the last one ends: no row is lost, duplicated or reordered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dropscore.aws import reading
from dropscore.errors import JobError, PermanentError, RejectedError, RowTooLargeError, StrayQuoteError
from dropscore.jobs.bad_rows import BadRow
from dropscore.log import log
from dropscore.output.manifest import Manifest
from dropscore.output.parts import Part, Parts
from dropscore.output.publish import Publication
from dropscore.scoring.pipeline import Pipeline
from dropscore.scoring.progress import Progress
from dropscore.scoring.render import Renderer
from dropscore.scoring.tally import ERRORS_HEADER, Tally, moved

Found = dict[tuple[int, int], Part]
"""Parts by the index of their shard and the byte at which they start."""


@dataclass(frozen=True, kw_only=True)
class Assembly:
    pipeline: Pipeline
    parts: Parts

    def shard(self, index: int, progress: Progress) -> Part:
        """The part of shard `index`. Scores it unless an earlier attempt did. Raises JobError."""
        start = self.pipeline.start_of(index)
        # An earlier attempt, or a child of a second array for this job, may have put the part already (decision 0005).
        found = self.parts.find(self.pipeline.job.model_version, index, start)
        return found or self._score(index, start, progress)

    def publish(self, publication: Publication, progress: Progress) -> Manifest:
        """Publishes the parts of one model version. Returns the manifest of the output.

        Raises RejectedError if the parts together have too many bad rows.
        """
        parts = self._parts(progress)
        # Before anything is written, so that a file that fails a check starts no upload under output/.
        self._check(parts)
        header = self._header(parts)
        # The list of rejected rows is written under parts/ first: it must never lie beside another attempt's scores
        # (decision 0006).
        with publication.writer() as scores, self.parts.writer("errors.csv") as errors:
            scores.write(header)
            for part in parts:
                scores.copy(part.scores, part.bytes)
            errors.write(ERRORS_HEADER)
            for line in self._errors(parts):
                errors.write(line)
            progress.confirm()  # the last moment: an attempt that was replaced while it stalled publishes nothing
            bad_rows = errors if any(part.bad for part in parts) else None
            return publication.commit(scores, bad_rows, self.pipeline.manifest(parts, bad_rows, header))

    def _score(self, index: int, start: int, progress: Progress) -> Part:
        tally = Tally(self.pipeline.bad_row_limit, is_whole=False)
        with self.parts.writer("scores") as scores, self.parts.writer("errors.csv") as errors:
            try:
                rows = self.pipeline.rows_from(index, start)
                run = self.pipeline.run(rows, start, scores=scores, errors=errors, tally=tally, progress=progress)
            except JobError as error:
                self._place(error, index, start)
                raise
            # The record comes last, so a part counts only once its data is complete. A kill before it leaves data that
            # no record names; the bucket's lifecycle rule for parts/ removes it.
            scores.commit()
            errors.commit()
            part = self.parts.put(run.as_part(index, start, tally, scores, errors))
        progress.shard_done(part.rows)
        return part

    def _parts(self, progress: Progress) -> list[Part]:
        """A part for each shard, all scored by one model version.

        That is a version that has all parts already, else the one that the endpoint serves now.
        """
        found = self.parts.by_version()
        # Complete parts are published even if another model answers by now: nothing has to be scored again.
        for version in reversed(found):
            parts = list(self._contiguous(found[version]))
            if len(parts) == self.pipeline.job.shards:
                return parts
        version, parts = next(reversed(found), self.pipeline.job.model_version), []
        # If the endpoint serves another model than expected, start over: no output mixes two models (promise 7).
        while not parts:
            parts, version = self._completed(found, version, progress)
        return parts

    def _contiguous(self, found: Found) -> Iterator[Part]:
        """The parts from the first shard on, up to the first that is missing."""
        start = self.pipeline.start_of(0)
        for index in range(self.pipeline.job.shards):
            part = found.get((index, start))
            if part is None:
                return
            yield part
            start = part.end

    def _completed(self, found: dict[str, Found], version: str, progress: Progress) -> tuple[list[Part], str]:
        """All parts by `version`, after scoring missing ones, and the version; no parts if another version replies."""
        parts: list[Part] = []
        start = self.pipeline.start_of(0)
        for index in range(self.pipeline.job.shards):
            part = found.get(version, {}).get((index, start))
            if part is None:
                log("missing", job_id=self.pipeline.job.job_id, shard=index, start=start, version=version)
                part = self._score(index, start, progress)
                # Kept even if the version differs: the next round, for that version, finds this part.
                found.setdefault(part.model_version, {})[index, start] = part
                # A shard without rows sent no request, so its version shows nothing about the endpoint.
                if part.model_version != version and part.rows:
                    return [], part.model_version
            parts.append(part)
            start = part.end
        return parts, version

    def _check(self, parts: list[Part]) -> None:
        job, rows = self.pipeline.job, sum(part.rows for part in parts)
        if not rows:
            raise RejectedError("EMPTY_FILE", "the file has no rows; upload one that has")
        # Only uncompressed files have several shards, so the last part must end at the size of the object.
        if parts[-1].end != job.size_bytes:
            raise PermanentError(
                "SHARD_MISMATCH", f"the parts end at byte {parts[-1].end} of {job.size_bytes}; nothing was published"
            )
        columns = {part.columns for part in parts if part.columns is not None}
        if len(columns) > 1:
            raise PermanentError("BAD_RESPONSE", "the model gave the shards of one file different numbers of scores")
        # A shard whose rows were all rejected wrote one empty cell for each: too few if the model returns more scores.
        is_guess = self.pipeline.options.output != "scores" and any(part.bad and part.columns is None for part in parts)
        if is_guess and columns - {1}:
            raise PermanentError(
                "SCORE_COLUMNS_UNKNOWN",
                "a shard's rows are all bad and were written with one score column; the model answers "
                f"{max(columns)} a row: set score_names to the names of all score columns",
            )
        # Only here are all rows counted: each shard may be within the limit, and all of them together over it.
        first = _first_bad(parts, self.pipeline.layout.lines_before)
        self.pipeline.bad_row_limit.check(rows, sum(part.bad for part in parts), first)

    def _header(self, parts: list[Part]) -> bytes:
        renderer = Renderer(self.pipeline.layout, self.pipeline.options)
        # The header is the first line of the output, but only the parts know how many scores a row has.
        renderer.columns = next((part.columns for part in parts if part.columns is not None), 1)
        return renderer.header()

    def _errors(self, parts: Iterable[Part]) -> Iterator[bytes]:
        """The lists of bad rows of all parts, with the row and line numbers of the whole file."""
        before, lines = 0, self.pipeline.layout.lines_before
        for part in parts:
            listed = reading.lines(self.parts.s3, bucket=self.parts.bucket, key=part.errors) if part.errors else ()
            for line in listed:
                yield moved(line, before, lines)
            before, lines = before + part.rows, lines + part.lines

    def _place(self, error: JobError, index: int, start: int) -> None:
        """Gives the error the row and line numbers of the whole file. If an attempt follows, its offset is enough."""
        if not isinstance(error, PermanentError):
            error.rows = error.line = None
        elif error.rows:
            error.moved(*self._before(index, start))

    def _before(self, index: int, start: int) -> tuple[int, int]:
        """How many rows and lines are before byte `start`: from the parts that exist, and counted for the rest.

        Raises the error that the counting meets: after a stray quote, the row at `start` was not a row.
        """
        rows, lines, position = 0, self.pipeline.layout.lines_before, self.pipeline.start_of(0)
        found = self.parts.by_version().get(self.pipeline.job.model_version, {})
        for part in self._contiguous(found):
            if part.index >= index:
                break
            rows, lines, position = rows + part.rows, lines + part.lines, part.end
        if position == start:
            return rows, lines
        # Shards run in parallel: parts before this one may be missing, so their rows are counted from the input itself.
        requests = self.pipeline.requests(self.pipeline.input.read(position, start), offset=position)
        more = more_lines = 0
        try:
            for request in requests:
                more, more_lines = more + request.rows, more_lines + request.data.count(b"\n")
        except (RowTooLargeError, StrayQuoteError) as error:
            raise error.moved(rows, lines) from None
        return rows + more, lines + more_lines


def _first_bad(parts: Iterable[Part], lines_before: int) -> BadRow | None:
    before, lines = 0, lines_before
    for part in parts:
        if part.first_bad:
            bad = BadRow(*part.first_bad)
            return dataclasses.replace(bad, row=bad.row + before, line=lines + (bad.line or 1))
        before, lines = before + part.rows, lines + part.lines
    return None
