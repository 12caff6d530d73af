"""Records of the jobs table's stream that a function gave up on: the dead letter says where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from dropscore.errors import CloudError


def left_behind(streams: Any, where: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The records that `where`, the `DDBStreamBatchInfo` of a dead letter, tells of. `streams` is boto3's client.

    Raises CloudError where they are gone: a stream keeps its records for 24 hours.
    """
    last = int(where["endSequenceNumber"])
    iterator = _iterator(streams, where)
    while iterator:
        page = streams.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > last:
                return
            yield record
            if int(record["dynamodb"]["SequenceNumber"]) == last:
                return
        iterator = page.get("NextShardIterator")


def _iterator(streams: Any, where: Mapping[str, Any]) -> str:
    try:
        found = streams.get_shard_iterator(
            StreamArn=where["streamArn"],
            ShardId=where["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=where["startSequenceNumber"],
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("TrimmedDataAccessException", "ResourceNotFoundException"):
            raise
        arrived = where.get("approximateArrivalOfFirstRecord", "an unknown time")
        raise CloudError(
            f"ends of jobs were not announced, and the stream has forgotten them: it keeps records for 24 hours, and "
            f"these are of {arrived}. The jobs table still has the jobs: look there, and tell those who wait for them"
        ) from None
    return str(found["ShardIterator"])
