"""Shards → parts → one output. Every part starts where the one before it ends, so no row is lost, doubled or moved."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from dropscore.aws import reading
from dropscore.errors import JobError, PermanentError, RejectedError, RowTooLargeError, StrayQuoteError
from dropscore.files.requests import Limit
from dropscore.log import log
from dropscore.output.manifest import manifest
from dropscore.output.parts import Part, Parts
from dropscore.output.publish import Manifest, Publication
from dropscore.scoring.pipeline import Pass, Watch
from dropscore.scoring.render import Renderer
from dropscore.scoring.scorer import BadRow
from dropscore.scoring.tally import ERRORS_HEADER, Borne, moved

Found = dict[tuple[int, int], Part]


class Progress(Watch, Protocol):
    """Hears of what was done; raises SupersededError where it is not to be gone on with."""

    def write(self) -> None: ...
    def shard_done(self, rows: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Assembly:
    one: Pass
    parts: Parts

    def shard(self, index: int, progress: Progress) -> Part:
        """The part of shard `index`; scored now unless an earlier attempt has done so."""
        start = self.one.start_of(index)
        found = self.parts.find(self.one.job.model_version, index, start)
        return found or self._score(index, start, progress)

    def publish(self, publication: Publication, progress: Progress) -> Manifest:
        """Publishes the parts of one model version. Raises RejectedError where together they have too many bad rows."""
        parts = self._parts(progress)
        self._check(parts)
        header = self._header(parts)
        with publication.writer() as scores, self.parts.writer("errors.csv") as errors:
            scores.write(header)
            for part in parts:
                scores.copy(part.scores, part.bytes)
            errors.write(ERRORS_HEADER)
            for line in self._errors(parts):
                errors.write(line)
            progress.write()  # the last moment: an attempt that was replaced while it stalled publishes nothing
            listed = errors if any(part.bad for part in parts) else None
            one = self.one
            written = manifest(one.job, one.model, one.settings, parts, listed, columns=one.columns(), header=header)
            return publication.commit(scores, listed, written)

    def _score(self, index: int, start: int, progress: Progress) -> Part:
        borne = Borne(self.one.allowance, is_whole=False)
        with self.parts.writer("scores") as scores, self.parts.writer("errors.csv") as errors:
            try:
                tally = self.one.run(self.one.rows_from(index, start), start, scores, errors, borne, progress)
            except JobError as error:
                self._place(error, index, start)
                raise
            scores.commit()
            errors.commit()
            part = self.parts.put(tally.part(index, start, borne, scores, errors))
        progress.shard_done(part.rows)
        return part

    def _parts(self, progress: Progress) -> list[Part]:
        """A part for each shard, all by one model: by one that has them all, else by the one that answers now."""
        found = self.parts.by_version()
        for version in reversed(found):
            parts = list(self._known(found[version]))
            if len(parts) == self.one.job.shards:
                return parts
        version, parts = next(reversed(found), self.one.job.model_version), []
        while not parts:
            parts, version = self._completed(found, version, progress)
        return parts

    def _known(self, found: Found) -> Iterator[Part]:
        """The parts from the first on, as far as they are there."""
        start = self.one.start_of(0)
        for index in range(self.one.job.shards):
            part = found.get((index, start))
            if part is None:
                return
            yield part
            start = part.end

    def _completed(self, found: dict[str, Found], version: str, progress: Progress) -> tuple[list[Part], str]:
        """All parts by `version`, those that are missing scored now; none where another one answers, and which."""
        parts: list[Part] = []
        start = self.one.start_of(0)
        for index in range(self.one.job.shards):
            part = found.get(version, {}).get((index, start))
            if part is None:
                log("missing", job_id=self.one.job.job_id, shard=index, start=start, version=version)
                part = self._score(index, start, progress)
                found.setdefault(part.model_version, {})[index, start] = part
                if part.model_version != version and part.rows:
                    return [], part.model_version
            parts.append(part)
            start = part.end
        return parts, version

    def _check(self, parts: list[Part]) -> None:
        job, rows = self.one.job, sum(part.rows for part in parts)
        if not rows:
            raise RejectedError("EMPTY_FILE", "the file has no rows; upload one that has")
        if parts[-1].end != job.size_bytes:
            raise PermanentError(
                "SHARD_MISMATCH", f"the parts end at byte {parts[-1].end} of {job.size_bytes}; nothing was published"
            )
        columns = {part.columns for part in parts if part.columns is not None}
        if len(columns) > 1:
            raise PermanentError("BAD_RESPONSE", "the model gave the shards of one file different numbers of scores")
        is_guess = self.one.options.output != "scores" and any(part.bad and part.columns is None for part in parts)
        if is_guess and columns - {1}:
            raise PermanentError(
                "SCORE_COLUMNS_UNKNOWN",
                "a shard's rows are all bad and were written with one score column; the model answers "
                f"{max(columns)} a row: set score_names to the names of all score columns",
            )
        first = _first_bad(parts, self.one.layout.lines_before)
        self.one.allowance.check(rows, sum(part.bad for part in parts), first)

    def _header(self, parts: list[Part]) -> bytes:
        renderer = Renderer(self.one.layout, self.one.options)
        renderer.columns = next((part.columns for part in parts if part.columns is not None), 1)
        return renderer.header()

    def _errors(self, parts: Iterable[Part]) -> Iterator[bytes]:
        """The lists of the parts one after the other, their rows numbered as in the file."""
        before, lines = 0, self.one.layout.lines_before
        for part in parts:
            listed = reading.lines(self.parts.s3, bucket=self.parts.bucket, key=part.errors) if part.errors else ()
            for line in listed:
                yield moved(line, before, lines)
            before, lines = before + part.rows, lines + part.lines

    def _place(self, error: JobError, index: int, start: int) -> None:
        """Numbers the error's rows as in the file; where another attempt follows, its byte will do."""
        if not isinstance(error, PermanentError):
            error.rows = error.line = None
        elif error.rows:
            error.moved(*self._before(index, start))

    def _before(self, index: int, start: int) -> tuple[int, int]:
        """How many rows and lines stand before byte `start`: known of the parts that are there, counted of the rest.

        Raises what is wrong there: after a stray quote the row at `start` was none.
        """
        rows, lines, position = 0, self.one.layout.lines_before, self.one.start_of(0)
        known = self.parts.by_version().get(self.one.job.model_version, {})
        for part in self._known(known):
            if part.index >= index:
                break
            rows, lines, position = rows + part.rows, lines + part.lines, part.end
        if position == start:
            return rows, lines
        limit = Limit(self.one.model.max_payload_bytes)
        bodies = self.one.bodies(self.one.text.read(position, start), limit, offset=position)
        more = more_lines = 0
        try:
            for body in bodies:
                more, more_lines = more + body.rows, more_lines + body.data.count(b"\n")
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
