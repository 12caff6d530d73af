"""Reads records of the jobs table's stream that a function failed on. The dead letter has their positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from dropscore.errors import CloudError


def failed_records(streams: Any, batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The records of `batch`, the `DDBStreamBatchInfo` of a dead letter. `streams` is boto3's client.

    Raises CloudError if they have expired: a stream keeps its records for 24 hours.
    """
    last = int(batch["endSequenceNumber"])
    iterator = _iterator(streams, batch)
    while iterator:
        page = streams.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > last:
                return
            yield record
            if int(record["dynamodb"]["SequenceNumber"]) == last:
                return
        iterator = page.get("NextShardIterator")


def _iterator(streams: Any, batch: Mapping[str, Any]) -> str:
    try:
        found = streams.get_shard_iterator(
            StreamArn=batch["streamArn"],
            ShardId=batch["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=batch["startSequenceNumber"],
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("TrimmedDataAccessException", "ResourceNotFoundException"):
            raise
        arrived = batch.get("approximateArrivalOfFirstRecord", "an unknown time")
        raise CloudError(
            f"ends of jobs were not announced, and their records have expired: the stream keeps them for 24 hours, and "
            f"these are from {arrived}. Look the jobs up in the jobs table, and inform the receivers of the events"
        ) from None
    return str(found["ShardIterator"])
