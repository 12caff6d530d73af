"""The operators' dashboard. From top to bottom: status, problems, throughput, models, cost."""

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

from stacks.constructs.metrics import FIVE_MINUTES, Metrics
from stacks.hosting.endpoint import Endpoint

# CloudWatch's grid has 24 columns.
WIDE, HALF, THIRD, QUARTER = 24, 12, 8, 6
DAY = Duration.days(1)
PROBLEMS_QUERY = [
    "fields @timestamp, event, job_id, key, code, why, attempt, shard",
    "filter level in ['WARNING', 'ERROR']",
    "sort @timestamp desc",
    "limit 30",
]
Row = list[cloudwatch.IWidget]


@dataclass(frozen=True, kw_only=True)
class DashboardSources:
    metrics: Metrics
    alarms: Sequence[cloudwatch.IAlarm]
    endpoints: Sequence[Endpoint]
    functions: Mapping[str, lambda_.IFunction]
    dead_letters: sqs.IQueue
    log_groups: Sequence[logs.ILogGroup]
    worker_log_group: logs.ILogGroup
    table: dynamodb.ITable
    bucket: s3.IBucket


def dashboard(scope: Construct, construct_id: str, sources: DashboardSources) -> cloudwatch.Dashboard:
    rows = [_status(sources), _numbers(sources), _problems(sources), *_throughput(sources), *_endpoints(sources)]
    return cloudwatch.Dashboard(
        scope, construct_id, default_interval=Duration.hours(6), widgets=[*rows, _title("Cost"), _costs(sources)]
    )


def _status(sources: DashboardSources) -> Row:
    text = (
        f"# Dropscore {sources.metrics.environment}\n"
        "All boxes green: no action needed. A box is red: its description names the chapter of docs/monitoring.md that "
        "says what to do. An event in the dead-letter queue is not lost."
    )
    introduction = cloudwatch.TextWidget(markdown=text, width=THIRD, height=4)
    status = cloudwatch.AlarmStatusWidget(alarms=sources.alarms, title="Alarms", width=WIDE - THIRD, height=4)
    return [introduction, status]


def _numbers(sources: DashboardSources) -> Row:
    """Totals over the time range of the dashboard."""
    of = sources.metrics.of
    waiting = sources.dead_letters.metric_approximate_number_of_messages_visible(
        period=FIVE_MINUTES, statistic="Maximum", label="Dead letters"
    )
    ended = [of(f"Jobs{end}", label=end) for end in ("Succeeded", "Failed", "Rejected")]
    return [
        cloudwatch.SingleValueWidget(
            title="Jobs that ended", metrics=ended, set_period_to_time_range=True, width=HALF, height=4
        ),
        _number("Events in the dead-letter queue", waiting),
        # `reconcile` writes this metric once in each run, by default every hour.
        _number("Oldest unfinished job, seconds", of("OldestUnfinished", "Maximum", period=Duration.hours(1))),
    ]


def _number(title: str, metric: cloudwatch.IMetric) -> cloudwatch.SingleValueWidget:
    return cloudwatch.SingleValueWidget(title=title, metrics=[metric], width=QUARTER, height=4)


def _problems(sources: DashboardSources) -> Row:
    return [
        cloudwatch.LogQueryWidget(
            title="Warnings and errors, newest first",
            log_group_names=[group.log_group_name for group in sources.log_groups],
            query_lines=PROBLEMS_QUERY,
            width=WIDE,
            height=7,
        )
    ]


def _throughput(sources: DashboardSources) -> list[Row]:
    def by_model(name: str, statistic: str = "Sum") -> list[cloudwatch.IMetric]:
        return [sources.metrics.of(name, statistic, model=endpoint.model.name) for endpoint in sources.endpoints]

    of = sources.metrics.of
    return [
        _title("Throughput"),
        [
            _graph("Rows scored", by_model("Rows"), stacked=True),
            _graph("Rows rejected", by_model("RowsRejected")),
            _graph("Seconds from upload to first worker", by_model("QueueTime", "p90")),
        ],
        [
            _graph("Requests throttled; retries", [of("Throttles"), of("Retries")]),
            _graph("Concurrent requests of one worker", by_model("ConcurrentRequests", "Maximum")),
            _graph("Shards done; jobs' time in seconds", [of("ShardsDone")], right=[of("JobTime", "p90")]),
        ],
    ]


def _endpoints(sources: DashboardSources) -> list[Row]:
    return [_title("Models"), *(_endpoint(endpoint) for endpoint in sources.endpoints)]


def _endpoint(endpoint: Endpoint) -> Row:
    name, metrics = endpoint.model.name, endpoint.metrics
    return [
        _graph(f"{name}: requests a minute", [metrics.invocations]),
        _graph(f"{name}: replies 4xx, 5xx", [metrics.client_errors, metrics.server_errors]),
        _graph(f"{name}: model latency p90, microseconds", [metrics.latency]),
    ]


def _costs(sources: DashboardSources) -> Row:
    of = sources.metrics.of
    functions = [function.metric_duration(statistic="Sum", label=name) for name, function in sources.functions.items()]
    written = sources.table.metric_consumed_write_capacity_units(label="write units")
    return [
        _graph("Worker seconds", [of("WorkerTime", label="all")], width=QUARTER),
        _graph("Function milliseconds; table", functions, right=[written], width=QUARTER),
        _graph("Worker log bytes", [_log_bytes(sources.worker_log_group)], width=QUARTER),
        _graph("Bucket bytes, by day", [_bucket_bytes(sources.bucket)], width=QUARTER),
    ]


def _log_bytes(group: logs.ILogGroup) -> cloudwatch.Metric:
    name = {"LogGroupName": group.log_group_name}
    return cloudwatch.Metric(namespace="AWS/Logs", metric_name="IncomingBytes", dimensions_map=name, statistic="Sum")


def _bucket_bytes(bucket: s3.IBucket) -> cloudwatch.Metric:
    # S3 writes this metric once a day.
    dimensions = {"BucketName": bucket.bucket_name, "StorageType": "StandardStorage"}
    return cloudwatch.Metric(namespace="AWS/S3", metric_name="BucketSizeBytes", dimensions_map=dimensions, period=DAY)


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
