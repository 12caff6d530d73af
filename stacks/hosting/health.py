"""How an endpoint fares: its metrics, and the two alarms that take a new model back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

MINUTE = Duration.minutes(1)
ERROR_PERCENT = 10
DOCUMENTATION = "docs/monitoring.md"


@dataclass(frozen=True)
class EndpointMetrics:
    """SageMaker's own, of one endpoint and minute by minute. Latency is in microseconds."""

    dimensions: dict[str, str]

    @cached_property
    def invocations(self) -> cloudwatch.Metric:
        return self._metric("Invocations", "Sum")

    @cached_property
    def server_errors(self) -> cloudwatch.Metric:
        return self._metric("Invocation5XXErrors", "Sum")

    @cached_property
    def client_errors(self) -> cloudwatch.Metric:
        return self._metric("Invocation4XXErrors", "Sum")

    @cached_property
    def latency(self) -> cloudwatch.Metric:
        """The time in the container of the slowest tenth of requests."""
        return self._metric("ModelLatency", "p90")

    @cached_property
    def refused_asleep(self) -> cloudwatch.Metric:
        """Requests that found no copy of the model; only where it scales to nothing."""
        return self._metric("NoCapacityInvocationFailures", "Sum")

    @cached_property
    def error_percent(self) -> cloudwatch.MathExpression:
        return cloudwatch.MathExpression(
            expression="100 * FILL(errors, 0) / invocations",
            using_metrics={"errors": self.server_errors, "invocations": self.invocations},
            label="5xx answers, % of requests",
            period=MINUTE,
        )

    def _metric(self, name: str, statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/SageMaker",
            metric_name=name,
            dimensions_map=self.dimensions,
            statistic=statistic,
            period=MINUTE,
        )


class EndpointHealth(Construct):
    """`alarms` are those of errors and of latency; two bad minutes of five raise them, no traffic raises none.

    They have names so that another stack can show them without importing anything; see `alarms_seen_from`.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, metrics: EndpointMetrics, latency_ms: int
    ) -> None:
        super().__init__(scope, construct_id)
        self._name = name
        errors = self._alarm(
            "Errors",
            metrics.error_percent,
            ERROR_PERCENT,
            f"Endpoint {name}: {ERROR_PERCENT}% or more of the requests of a minute were answered with 5xx. "
            f"Its log group says why; see {DOCUMENTATION}.",
        )
        latency = self._alarm(
            "Latency",
            metrics.latency,
            latency_ms * 1000,
            f"Endpoint {name}: a tenth of the requests took {latency_ms} ms or longer. More or larger instances, or "
            f"smaller bodies (max_payload_bytes), make it quicker; see {DOCUMENTATION}.",
        )
        self.alarms = [errors, latency]

    def alarms_seen_from(self, scope: Construct) -> list[cloudwatch.IAlarm]:
        """The same alarms for a stack other than this one: by ARNs that are known beforehand."""
        names = [f"{self._name}-{alarm.node.id.lower()}" for alarm in self.alarms]
        arns = {name: Stack.of(self).format_arn(service="cloudwatch", resource=f"alarm:{name}") for name in names}
        return [cloudwatch.Alarm.from_alarm_arn(scope, name, arn) for name, arn in arns.items()]

    def _alarm(
        self, construct_id: str, metric: cloudwatch.IMetric, threshold: float, description: str
    ) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=f"{self._name}-{construct_id.lower()}",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=5,
            datapoints_to_alarm=2,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=description,
        )
