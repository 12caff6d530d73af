"""The parts of a job's output: one for each shard, written once, and the checkpoint of the attempts to come.

A part's scores lie under a name that no other attempt uses; its record, put with `If-None-Match: *` under the part's
own name, points at them and makes them count. The name holds all that decides the bytes: job, model and its version,
plan and options, the names of features by which columns were matched, and the byte at which the shard's first row
starts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from dropscore.aws import objects, reading
from dropscore.jobs.job import Job
from schema.keys import PARTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READERS = 16
RECORD = ".json"
FORM = 2
"""Of records and lists of bad rows: parts of another form, left by a worker of another release, do not count."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one pass over the rows from byte `start` to `end` of the file brought.

    `lines` line ends stand in it, and `empty` of its rows hold empty cells alone. `columns` scores a row, None where no
    row was scored. `scores` and `errors` are keys; there is no list of errors where no row was bad. The digests are
    SHA-256 of the input's and of the scores' bytes.
    """

    index: int
    start: int
    end: int
    rows: int
    lines: int
    empty: int
    bad: int
    columns: int | None
    model_version: str
    scores: str
    bytes: int
    sha256: str
    input_sha256: str
    errors: str | None = None
    first_bad: tuple[int, int, str, str, int | None] | None = None
    """Row within the part, offset in the file, code, reason, and line within the part."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    s3: S3Client
    bucket: str
    job: Job
    names: str | None = None
    """Stands for the names by which the file's columns were matched; None where they go by position."""

    def new_key(self, kind: str) -> str:
        """A key for data that nobody reads until a record names it."""
        return f"{PARTS}{self.job.job_id}/data/{uuid4().hex}.{kind}"

    def writer(self, kind: str) -> objects.Writer:
        return objects.Writer(self.s3, bucket=self.bucket, key=self.new_key(kind))

    def put(self, part: Part) -> Part:
        """Makes the part count, or returns the one that another attempt put first."""
        key = self._key(part.model_version, part.index, part.start)
        if objects.put(self.s3, bucket=self.bucket, key=key, data=json.dumps(asdict(part)).encode()):
            return part
        return self._read(key)

    def find(self, version: str, index: int, start: int) -> Part | None:
        key = self._key(version, index, start)
        return self._read(key) if reading.metadata(self.s3, bucket=self.bucket, key=key) is not None else None

    def by_version(self) -> dict[str, dict[tuple[int, int], Part]]:
        """All parts under this job's plan and options, by model version and (index, start); the newest version last."""
        listed = sorted(self._listed())
        with ThreadPoolExecutor(READERS, thread_name_prefix="parts") as pool:
            parts = list(pool.map(self._read, [key for _, key in listed]))
        found: dict[str, dict[tuple[int, int], Part]] = {}
        for part in parts:
            of_version = found.pop(part.model_version, {})
            found[part.model_version] = {**of_version, (part.index, part.start): part}
        return found

    def _listed(self) -> Iterator[tuple[str, str]]:
        """When it was written, and the key, of every record."""
        for page in reading.pages(self.s3, bucket=self.bucket, prefix=self._prefix):
            for thing in page:
                key = thing["Key"]
                if f"/{self._plan}/" in key and key.endswith(RECORD):
                    yield thing["LastModified"].isoformat(), key

    def _read(self, key: str) -> Part:
        said = json.loads(b"".join(reading.read(self.s3, bucket=self.bucket, key=key)))
        first_bad = said.pop("first_bad")
        return Part(**said, first_bad=tuple(first_bad) if first_bad else None)

    @property
    def _prefix(self) -> str:
        return f"{PARTS}{self.job.job_id}/{self.job.model}/"

    @property
    def _plan(self) -> str:
        by_name = f"-{self.names}" if self.names else ""
        return f"{self.job.plan}-{self.job.parsed_options.digest}{by_name}-{FORM}"

    def _key(self, version: str, index: int, start: int) -> str:
        return f"{self._prefix}{version}/{self._plan}/{index:05}-{start}{RECORD}"
