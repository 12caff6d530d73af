"""One pass over rows of a job's file: read, cut, scored, rendered and written, in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from dropscore.aws import objects, reading
from dropscore.aws.source import Source
from dropscore.aws.table import JobsTable
from dropscore.errors import BusyError, PermanentError, RowFault, StrayQuoteError
from dropscore.files.dialect import Dialect
from dropscore.files.feature_names import Names, digest_of, read_names
from dropscore.files.input import Input, layout_of
from dropscore.files.layout import Layout
from dropscore.files.requests import Body, Limit, count_empty_rows, cut, pick
from dropscore.files.shard_bounds import first_row_at, owned
from dropscore.jobs.job import Job
from dropscore.jobs.options import Options
from dropscore.jobs.routes import Model, errors_key, is_packed
from dropscore.metrics import Meter
from dropscore.output.parts import Part
from dropscore.scoring.bad_row_search import Explained
from dropscore.scoring.endpoint import Endpoint
from dropscore.scoring.pace import Retry
from dropscore.scoring.rejected_rows import explained
from dropscore.scoring.render import Renderer
from dropscore.scoring.scorer import Scored, Scorer
from dropscore.scoring.tally import Allowance, Borne, errors_csv
from dropscore.settings import WorkerSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient


class Watch(Protocol):
    """Hears of the rows just scored, by which model version where the endpoint says it, and of waiting; may raise."""

    def __call__(self, rows: int, version: str | None) -> None: ...
    def wait(self, error: BusyError | None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a pass brought; `end` is the byte after its last row, `version` the model's as the endpoint said it.

    `lines` are line ends, `empty` rows of empty cells alone.
    """

    end: int
    lines: int
    empty: int
    columns: int | None
    input_sha256: str
    version: str

    def part(self, index: int, start: int, borne: Borne, scores: objects.Writer, errors: objects.Writer | None) -> Part:
        first = borne.first
        return Part(
            index=index,
            start=start,
            end=self.end,
            rows=borne.rows,
            lines=self.lines,
            empty=self.empty,
            bad=borne.bad,
            columns=self.columns,
            model_version=self.version,
            scores=scores.key,
            bytes=scores.bytes,
            sha256=scores.sha256,
            input_sha256=self.input_sha256,
            errors=errors.key if errors and borne.bad else None,
            first_bad=(first.row, first.offset, first.code, first.reason, first.line) if first else None,
        )


@dataclass(frozen=True, kw_only=True)
class Pass:
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
    def allowance(self) -> Allowance:
        """Rows that were rejected once may be so again: they are listed, whatever the route bears."""
        return Allowance.parse("100%" if self.job.rejected_of else self.options.max_bad_rows)

    @cached_property
    def text(self) -> Input:
        job = self.job
        source = Source(self.s3, bucket=self.settings.bucket, key=job.file, version_id=job.version_id)
        return Input(source=source, is_packed=is_packed(job.file))

    @cached_property
    def layout(self) -> Layout:
        return layout_of(self.text, self.options, self.model.features, self.names)

    @cached_property
    def names(self) -> Names:
        """Of the model's features; none where they are unknown."""
        return read_names(self.s3, self.model)

    @property
    def matched_names(self) -> str | None:
        """Stands for the names by which the file's columns were matched; None where they go by position."""
        return digest_of(self.names) if self.layout.matching.is_by_name else None

    def columns(self) -> dict[str, Any]:
        """How the file's columns came to the model's features, for the manifest."""
        said = self.layout.matching.as_dict()
        return {**said, "feature_names": self.matched_names} if self.matched_names else said

    def start_of(self, index: int) -> int:
        """Where the first row of shard `index` starts."""
        if index == 0:
            return self.layout.data_offset
        found = first_row_at(
            self.text.read,
            self.job.plan.bounds(index)[0],
            self.job.size_bytes,
            most_bytes=self.model.max_payload_bytes,
            dialect=self.dialect,
        )
        return max(found, self.layout.data_offset)

    def rows_from(self, index: int, start: int) -> Iterator[bytes]:
        """The bytes of the rows that shard `index` owns, the first of which starts at `start`."""
        plan = self.job.plan
        return (
            self.text.read(start)
            if plan.shards == 1
            else owned(self.text.read, start, plan.bounds(index)[1], self.dialect)
        )

    def bodies(self, chunks: Iterable[bytes], limit: Limit, *, offset: int, line: int = 1) -> Iterator[Body]:
        """The rows in `chunks`, the first of which starts at byte `offset` and line `line` of the file."""
        try:
            yield from cut(chunks, limit, self.dialect, offset=offset, line=line)
        except StrayQuoteError as error:
            error.name(self.layout.column(error.column))
            raise

    def run(
        self,
        chunks: Iterable[bytes],
        start: int,
        scores: objects.Writer,
        errors: objects.Writer,
        borne: Borne,
        watch: Watch,
        line: int = 1,
    ) -> Tally:
        """Scores the rows in `chunks`, the first of which starts at byte `start`.

        `line` is that of the file's first row; a shard's lines are numbered from 1 until the shards are put together.
        """
        limit, read = self._limit(), _Digest(start)
        endpoint = Endpoint(self.runtime, self.model.endpoint, self.model.component, names=self.matched_names)
        renderer = Renderer(self.layout, self.options)
        scorer = Scorer(
            invoke=self.meter.measured(endpoint),
            limit=limit,
            max_concurrent_requests=self.settings.max_concurrent_requests,
            payload=self.layout.payload,
            explain=self._explained,
            most_bad_rows=borne.allowance.most_in_a_body,
            meanwhile=watch.wait,
            retry=self.retry,
        )
        bodies = self._wanted(self.bodies(read.watch(chunks), limit, offset=start, line=line))
        empty = 0
        for scored in borne.watch(self._learning(scorer.score(bodies), limit)):
            rendered = renderer.render(scored.data, scored.lines)
            if borne.is_whole and scored.rows and not scores.bytes:
                scores.write(renderer.header())
            scores.write(rendered)
            empty += count_empty_rows(scored.data, self.dialect)
            errors.write(errors_csv(scored.bad))
            self.meter.count(Rows=scored.rows, RowsRejected=len(scored.bad), Bytes=len(scored.data))
            watch(scored.rows, endpoint.version)
        version = endpoint.version or self.job.model_version
        return Tally(
            end=read.position,
            lines=read.lines,
            empty=empty,
            columns=_known(renderer),
            input_sha256=read.sha256,
            version=version,
        )

    def _explained(self, row: bytes, fault: RowFault) -> Explained:
        return explained(row, fault, self.layout)

    def _wanted(self, bodies: Iterator[Body]) -> Iterator[Body]:
        if self.job.rejected_of is None:
            return bodies
        earlier = self.table.find(self.job.rejected_of)
        if earlier is None:
            raise PermanentError("NOTHING_TO_RETRY", "the job whose rows were rejected is no longer in the jobs table")
        listed = reading.lines(self.s3, bucket=self.settings.bucket, key=errors_key(earlier.output_key))
        return pick(bodies, _offsets(listed))

    def _limit(self) -> Limit:
        limit = Limit(self.model.max_payload_bytes)
        learned = self.table.body_limit(self.model.name, self.model.version)
        if learned is not None:
            limit.bytes = min(limit.bytes, learned)
        return limit

    def _learning(self, scores: Iterator[Scored], limit: Limit) -> Iterator[Scored]:
        """Remembers for the jobs to come how much the endpoint takes."""
        known = limit.bytes
        for scored in scores:
            if limit.bytes < known:
                known = limit.bytes
                self.table.learn_body_limit(self.model.name, self.model.version, known)
            yield scored


class _Digest:
    """Of the bytes that went by, how far they reach, and how many lines end in them."""

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


def _known(renderer: Renderer) -> int | None:
    return None if renderer.is_guess else renderer.columns


def _offsets(lines: Iterator[bytes]) -> Iterator[int]:
    """Where the rows stand that a list of bad rows names, in the order of the file."""
    next(lines, None)  # the header
    return (int(line.split(b",", 2)[1]) for line in lines)
