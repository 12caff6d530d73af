"""The parts of a job's output: one for each shard, written once. Later attempts reuse them.

A part's scores are under a key that no other attempt uses. Its record, put with `If-None-Match: *` under the part's
own key, points at them and makes them count. That key contains all that decides the bytes: job, model and its version,
plan and options, the feature names by which columns were matched, and the byte at which the shard's first row starts.
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
FORMAT = 2
"""The format of records and lists of bad rows: parts of another format, from another release, are ignored."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The result for the rows from byte `start` to `end` of the file.

    `lines` counts line ends, `empty` rows with empty cells only, `bad` rejected rows. `columns` is the number of scores
    of a row, None if no row was scored. `scores` and `errors` are keys; `errors` is None if no row was bad. `bytes` and
    `sha256` are of the scores, `input_sha256` is of the input's bytes.
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
    """A digest of the names by which the file's columns were matched; None if they go by position."""

    def new_key(self, suffix: str) -> str:
        """A new key for data, which has no effect until a record points at it."""
        return f"{PARTS}{self.job.job_id}/data/{uuid4().hex}.{suffix}"

    def writer(self, suffix: str) -> objects.Writer:
        return objects.Writer(self.s3, bucket=self.bucket, key=self.new_key(suffix))

    def put(self, part: Part) -> Part:
        """Writes the part's record. Returns the part that counts: this one, or an earlier one of another attempt."""
        key = self._key(part.model_version, part.index, part.start)
        # Put once: of two attempts at one shard the first counts, so all readers see the same part.
        if objects.put(self.s3, bucket=self.bucket, key=key, data=json.dumps(asdict(part)).encode()):
            return part
        return self._read(key)

    def find(self, version: str, index: int, start: int) -> Part | None:
        """The part of that shard, starting at that byte, by that model version; None if it is not written yet."""
        key = self._key(version, index, start)
        return self._read(key) if reading.metadata(self.s3, bucket=self.bucket, key=key) is not None else None

    def by_version(self) -> dict[str, dict[tuple[int, int], Part]]:
        """All parts of this job's plan and options, by model version and (index, start); the newest version last."""
        listed = sorted(self._listed())
        with ThreadPoolExecutor(READERS, thread_name_prefix="parts") as pool:
            parts = list(pool.map(self._read, [key for _, key in listed]))
        found: dict[str, dict[tuple[int, int], Part]] = {}
        for part in parts:
            # Taken out and put in again: a dictionary keeps its order, so the version of the newest part ends up last.
            of_version = found.pop(part.model_version, {})
            found[part.model_version] = {**of_version, (part.index, part.start): part}
        return found

    def _listed(self) -> Iterator[tuple[str, str]]:
        """The time and the key of every record."""
        for page in reading.pages(self.s3, bucket=self.bucket, prefix=self._prefix):
            for found in page:
                key = found["Key"]
                # The prefix also has parts of earlier runs, which may have had other options, shards or feature names.
                if f"/{self._plan}/" in key and key.endswith(RECORD):
                    yield found["LastModified"].isoformat(), key

    def _read(self, key: str) -> Part:
        record = json.loads(b"".join(reading.read(self.s3, bucket=self.bucket, key=key)))
        first_bad = record.pop("first_bad")
        return Part(**record, first_bad=tuple(first_bad) if first_bad else None)

    @property
    def _prefix(self) -> str:
        return f"{PARTS}{self.job.job_id}/{self.job.model}/"

    @property
    def _plan(self) -> str:
        by_name = f"-{self.names}" if self.names else ""
        return f"{self.job.plan}-{self.job.parsed_options.digest}{by_name}-{FORMAT}"

    def _key(self, version: str, index: int, start: int) -> str:
        return f"{self._prefix}{version}/{self._plan}/{index:05}-{start}{RECORD}"
