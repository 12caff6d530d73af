"""A page for three in the morning. From above: is it fine, what is wrong, how much goes through, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.metrics import FIVE_MINUTES, Measures
from stacks.hosting.endpoint import Endpoint

WIDE, HALF, THIRD, QUARTER = 24, 12, 8, 6
DAY = Duration.days(1)
TROUBLE = [
    "fields @timestamp, event, job_id, key, code, why, attempt, shard",
    "filter level in ['WARNING', 'ERROR']",
    "sort @timestamp desc",
    "limit 30",
]
Row = list[cloudwatch.IWidget]


@dataclass(frozen=True, kw_only=True)
class Shown:
    measures: Measures
    alarms: Sequence[cloudwatch.IAlarm]
    endpoints: Sequence[Endpoint]
    functions: Mapping[str, lambda_.IFunction]
    dead_letters: sqs.IQueue
    log_groups: Sequence[logs.ILogGroup]
    worker_log_group: logs.ILogGroup
    table: dynamodb.ITable
    bucket: s3.IBucket


def dashboard(scope: Construct, construct_id: str, shown: Shown) -> cloudwatch.Dashboard:
    rows = [_is_it_fine(shown), _numbers(shown), _what_is_wrong(shown), *_throughput(shown), *_endpoints(shown)]
    return cloudwatch.Dashboard(
        scope, construct_id, default_interval=Duration.hours(6), widgets=[*rows, _title("What it costs"), _costs(shown)]
    )


def _is_it_fine(shown: Shown) -> Row:
    text = (
        f"# Dropscore {shown.measures.environment}\n"
        "Every box green: go back to sleep. One red: its description names the chapter of docs/monitoring.md that says "
        "what to do. Nothing is lost while an event lies in the dead-letter queue."
    )
    said = cloudwatch.TextWidget(markdown=text, width=THIRD, height=4)
    return [said, cloudwatch.AlarmStatusWidget(alarms=shown.alarms, title="Alarms", width=WIDE - THIRD, height=4)]


def _numbers(shown: Shown) -> Row:
    """Of the time that the page shows."""
    of = shown.measures.of
    waiting = shown.dead_letters.metric_approximate_number_of_messages_visible(
        period=FIVE_MINUTES, statistic="Maximum", label="Dead letters"
    )
    ended = [of(f"Jobs{end}", label=end) for end in ("Succeeded", "Failed", "Rejected")]
    return [
        cloudwatch.SingleValueWidget(
            title="Jobs that ended", metrics=ended, set_period_to_time_range=True, width=HALF, height=4
        ),
        _number("Events that came to nothing", waiting),
        _number("Oldest unfinished job, seconds", of("OldestUnfinished", "Maximum", period=Duration.hours(1))),
    ]


def _number(title: str, metric: cloudwatch.IMetric) -> cloudwatch.SingleValueWidget:
    return cloudwatch.SingleValueWidget(title=title, metrics=[metric], width=QUARTER, height=4)


def _what_is_wrong(shown: Shown) -> Row:
    return [
        cloudwatch.LogQueryWidget(
            title="Warnings and errors, newest first",
            log_group_names=[group.log_group_name for group in shown.log_groups],
            query_lines=TROUBLE,
            width=WIDE,
            height=7,
        )
    ]


def _throughput(shown: Shown) -> list[Row]:
    def each(name: str, statistic: str = "Sum") -> list[cloudwatch.IMetric]:
        return [shown.measures.of(name, statistic, model=endpoint.model.name) for endpoint in shown.endpoints]

    of = shown.measures.of
    return [
        _title("What goes through"),
        [
            _graph("Rows scored", each("Rows"), stacked=True),
            _graph("Rows rejected", each("RowsRejected")),
            _graph("Seconds from upload to first worker", each("QueueTime", "p90")),
        ],
        [
            _graph("Requests turned away, and repeated", [of("Throttles"), of("Retries")]),
            _graph("Requests of one worker under way", each("ConcurrentRequests", "Maximum")),
            _graph("Shards done; jobs' time in seconds", [of("ShardsDone")], right=[of("JobTime", "p90")]),
        ],
    ]


def _endpoints(shown: Shown) -> list[Row]:
    return [_title("The models"), *(_endpoint(endpoint) for endpoint in shown.endpoints)]


def _endpoint(endpoint: Endpoint) -> Row:
    name, metrics = endpoint.model.name, endpoint.metrics
    return [
        _graph(f"{name}: requests a minute", [metrics.invocations]),
        _graph(f"{name}: answers 4xx, 5xx", [metrics.client_errors, metrics.server_errors]),
        _graph(f"{name}: microseconds in the model, slowest tenth", [metrics.latency]),
    ]


def _costs(shown: Shown) -> Row:
    of = shown.measures.of
    functions = [each.metric_duration(statistic="Sum", label=name) for name, each in shown.functions.items()]
    written = shown.table.metric_consumed_write_capacity_units(label="units written")
    return [
        _graph("Seconds of workers", [of("WorkerTime", label="all")], width=QUARTER),
        _graph("Milliseconds of functions; table", functions, right=[written], width=QUARTER),
        _graph("Bytes of logs of workers", [_log_bytes(shown.worker_log_group)], width=QUARTER),
        _graph("Bytes in the bucket, by day", [_bucket_bytes(shown.bucket)], width=QUARTER),
    ]


def _log_bytes(group: logs.ILogGroup) -> cloudwatch.Metric:
    name = {"LogGroupName": group.log_group_name}
    return cloudwatch.Metric(namespace="AWS/Logs", metric_name="IncomingBytes", dimensions_map=name, statistic="Sum")


def _bucket_bytes(bucket: s3.IBucket) -> cloudwatch.Metric:
    what = {"BucketName": bucket.bucket_name, "StorageType": "StandardStorage"}
    return cloudwatch.Metric(namespace="AWS/S3", metric_name="BucketSizeBytes", dimensions_map=what, period=DAY)


def _title(text: str) -> Row:
    return [cloudwatch.TextWidget(markdown=f"## {text}", width=WIDE, height=1)]


def _graph(
    title: str,
    left: Sequence[cloudwatch.IMetric],
    *,
    right: Sequence[cloudwatch.IMetric] = (),
    stacked: bool = False,
    width: int = THIRD,
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title, left=list(left), right=list(right), stacked=stacked, width=width, height=6
    )
