"""The way of a file's rows: read, cut into requests, scored, rendered and written, in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from dropscore.aws import objects, reading
from dropscore.aws.source import Source
from dropscore.aws.table import JobsTable
from dropscore.errors import BusyError, PermanentError, RowFault, StrayQuoteError
from dropscore.files.dialect import Dialect
from dropscore.files.feature_names import Names, digest_of, read_names
from dropscore.files.input import Input, layout_of
from dropscore.files.layout import Layout
from dropscore.files.requests import Cutter, Picked, Request, Requests, count_empty_rows
from dropscore.files.shard_bounds import first_row_at, owned
from dropscore.jobs.bad_rows import BadRowLimit
from dropscore.jobs.job import Job
from dropscore.jobs.options import Options
from dropscore.jobs.routes import Model, errors_key, is_compressed
from dropscore.metrics import Meter
from dropscore.output.manifest import Columns, Manifest, manifest_of
from dropscore.output.parts import Part
from dropscore.scoring.bad_row_search import Explained
from dropscore.scoring.endpoint import Endpoint
from dropscore.scoring.pace import Retry
from dropscore.scoring.rejected_rows import explained
from dropscore.scoring.render import Renderer
from dropscore.scoring.scorer import Scored, Scorer
from dropscore.scoring.tally import Tally, errors_csv
from dropscore.settings import WorkerSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient


class Listener(Protocol):
    """Follows the work of a pipeline, and may raise to end it."""

    def scored(self, rows: int, version: str | None) -> None: ...
    def waiting(self, error: BusyError | None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run of the pipeline did, beside what its tally counted.

    `end` is the byte after its last row, `lines` the line ends it read, `empty` its rows of empty cells, `columns` the
    scores of a row if any row was scored, `version` that of the model, as the endpoint reported it.
    """

    end: int
    lines: int
    empty: int
    columns: int | None
    input_sha256: str
    version: str

    def as_part(
        self, index: int, start: int, tally: Tally, scores: objects.Writer, errors: objects.Writer | None
    ) -> Part:
        first = tally.first
        return Part(
            index=index,
            start=start,
            end=self.end,
            rows=tally.rows,
            lines=self.lines,
            empty=self.empty,
            bad=tally.bad,
            columns=self.columns,
            model_version=self.version,
            scores=scores.key,
            bytes=scores.bytes,
            sha256=scores.sha256,
            input_sha256=self.input_sha256,
            errors=errors.key if errors and tally.bad else None,
            first_bad=(first.row, first.offset, first.code, first.reason, first.line) if first else None,
        )


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Everything that scoring one job's file needs. Each property is found out once, when it is first needed."""

    settings: WorkerSettings
    table: JobsTable
    s3: S3Client
    runtime: SageMakerRuntimeClient
    job: Job
    meter: Meter
    retry: Retry = field(default_factory=Retry)

    @cached_property
    def model(self) -> Model:
        try:
            return self.settings.models[self.job.model]
        except KeyError:
            raise PermanentError(
                "MODEL_MISSING", f"model {self.job.model!r} is no longer deployed; deploy it or upload the file again"
            ) from None

    @cached_property
    def options(self) -> Options:
        return self.job.parsed_options

    @cached_property
    def dialect(self) -> Dialect:
        return Dialect.of(self.options)

    @cached_property
    def bad_row_limit(self) -> BadRowLimit:
        """Rows that were rejected before may be rejected again: then they are listed, whatever the route allows."""
        return BadRowLimit.parse("100%" if self.job.rejected_of else self.options.max_bad_rows)

    @cached_property
    def input(self) -> Input:
        job = self.job
        source = Source(self.s3, bucket=self.settings.bucket, key=job.file, version_id=job.version_id)
        return Input(source=source, is_compressed=is_compressed(job.file))

    @cached_property
    def layout(self) -> Layout:
        return layout_of(self.input, self.options, self.model.features, self.feature_names)

    @cached_property
    def feature_names(self) -> Names:
        """The names of the model's features; empty if they are unknown."""
        return read_names(self.s3, self.model)

    @property
    def matched_names(self) -> str | None:
        """A digest of the names by which the columns were matched to features; None if they go by position."""
        return digest_of(self.feature_names) if self.layout.matching.is_by_name else None

    def start_of(self, index: int) -> int:
        """The byte at which the first row of shard `index` starts."""
        if index == 0:
            return self.layout.data_offset
        found = first_row_at(
            self.input.read,
            self.job.plan.bounds(index)[0],
            self.job.size_bytes,
            max_row_bytes=self.model.max_payload_bytes,
            dialect=self.dialect,
        )
        # A header may be longer than the first shards; such a shard has no rows before the header's end.
        return max(found, self.layout.data_offset)

    def rows_from(self, index: int, start: int) -> Iterator[bytes]:
        """The bytes of the rows that shard `index` owns. Its first row starts at byte `start`."""
        plan = self.job.plan
        # The bounds are positions in the object. In a compressed file they are not positions in the text.
        if plan.shards == 1:
            return self.input.read(start)
        return owned(self.input.read, start, plan.bounds(index)[1], self.dialect)

    def requests(self, chunks: Iterable[bytes], *, offset: int, line: int = 1) -> NamedCutter:
        """Requests of the rows in `chunks`, which start at byte `offset` and line `line` of the file."""
        return NamedCutter(
            Cutter(chunks, self.model.max_payload_bytes, self.dialect, offset=offset, line=line), self.layout
        )

    def run(
        self,
        chunks: Iterable[bytes],
        start: int,
        *,
        scores: objects.Writer,
        errors: objects.Writer,
        tally: Tally,
        progress: Listener,
        line: int = 1,
    ) -> Run:
        """Scores the rows in `chunks`, the first of which starts at byte `start` and line `line`.

        The lines of a shard count from 1 until all shards are assembled. Raises JobError.
        """
        digest = _Digest(start)
        endpoint = Endpoint(self.runtime, self.model.endpoint, self.model.component, names=self.matched_names)
        scorer = self._scorer(endpoint, tally.limit, progress)
        renderer = Renderer(self.layout, self.options)
        requests = self._selected(self.requests(digest.watch(chunks), offset=start, line=line))
        empty = 0
        for scored in tally.watch(self._learn_limit(scorer.score(requests), scorer.limit_bytes)):
            rendered = renderer.render(scored.data, scored.lines)
            # Rendering comes first: it learns how many scores a row has, which the header must name. For shards, the
            # publishing job writes the header.
            if tally.is_whole and scored.rows and not scores.bytes:
                scores.write(renderer.header())
            scores.write(rendered)
            empty += count_empty_rows(scored.data, self.dialect)
            errors.write(errors_csv(scored.bad))
            self.meter.count(Rows=scored.rows, RowsRejected=len(scored.bad), Bytes=len(scored.data))
            # Raises SupersededError if this attempt was replaced, which ends the run between two requests.
            progress.scored(scored.rows, endpoint.version)
        return Run(
            end=digest.position,
            lines=digest.lines,
            empty=empty,
            columns=None if renderer.is_guess else renderer.columns,
            input_sha256=digest.sha256,
            # If the container reports no version, the one that was deployed at the claim is the best answer.
            version=endpoint.version or self.job.model_version,
        )

    def manifest(self, parts: Sequence[Part], errors: objects.Writer | None, header: bytes = b"") -> Manifest:
        """The manifest of an output that consists of `header` and `parts`."""
        return manifest_of(self.job, self.model, self.settings, parts, errors, columns=self._columns(), header=header)

    def _columns(self) -> Columns:
        """How the file's columns were matched to the model's features."""
        columns = self.layout.matching.as_dict()
        return {**columns, "feature_names": self.matched_names} if self.matched_names else columns

    def _scorer(self, endpoint: Endpoint, limit: BadRowLimit, progress: Listener) -> Scorer:
        max_bytes = self.model.max_payload_bytes
        # A limit that an earlier job found saves this one the same refusals.
        learned = self.table.payload_limit(self.model.name, self.model.version)
        return Scorer(
            invoke=self.meter.measured(endpoint),
            max_bytes=max_bytes,
            limit_bytes=max_bytes if learned is None else min(max_bytes, learned),
            max_concurrent_requests=self.settings.max_concurrent_requests,
            payload=self.layout.payload,
            explain=self._explained,
            max_bad_rows=limit.max_in_a_request,
            meanwhile=progress.waiting,
            retry=self.retry,
        )

    def _explained(self, row: bytes, fault: RowFault) -> Explained:
        return explained(row, fault, self.layout)

    def _selected(self, requests: NamedCutter) -> Requests:
        """All rows; of a job that retries the rejected rows of another, those rows only."""
        if self.job.rejected_of is None:
            return requests
        earlier = self.table.find(self.job.rejected_of)
        if earlier is None:
            raise PermanentError("NOTHING_TO_RETRY", "the job whose rows were rejected is no longer in the jobs table")
        listed = reading.lines(self.s3, bucket=self.settings.bucket, key=errors_key(earlier.output_key))
        return Picked(requests, _offsets(listed))

    def _learn_limit(self, results: Iterator[Scored], limit_bytes: int) -> Iterator[Scored]:
        """Keeps for later jobs how long a request the endpoint accepts."""
        for scored in results:
            # Stored at once, because the attempt may be killed before its end.
            if scored.limit_bytes < limit_bytes:
                limit_bytes = scored.limit_bytes
                self.table.learn_payload_limit(self.model.name, self.model.version, limit_bytes)
            yield scored


class NamedCutter:
    """A Cutter whose errors name the column as the file does."""

    def __init__(self, cutter: Cutter, layout: Layout) -> None:
        self._cutter, self._layout = cutter, layout

    def __iter__(self) -> Iterator[Request]:
        while request := self.next(self._cutter.max_bytes):
            yield request

    def next(self, limit_bytes: int) -> Request | None:
        try:
            return self._cutter.next(limit_bytes)
        except StrayQuoteError as error:
            error.name(self._layout.column(error.column))
            raise


class _Digest:
    """The SHA-256 of the bytes that pass, the position after them, and the number of line ends in them."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.lines = 0
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._digest.update(chunk)
            self.position += len(chunk)
            self.lines += chunk.count(b"\n")
            yield chunk


def _offsets(lines: Iterator[bytes]) -> Iterator[int]:
    """The offsets of the rows in a list of bad rows, in the order of the file."""
    next(lines, None)  # the header
    return (int(line.split(b",", 2)[1]) for line in lines)
