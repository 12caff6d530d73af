"""An endpoint's metrics, and the two alarms that roll back a new model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

MINUTE = Duration.minutes(1)
# In percent, because workers find an endpoint's limit by reaching it: some 503 are normal (decision 0050).
ERROR_PERCENT = 10
DOCUMENTATION = "docs/monitoring.md"


@dataclass(frozen=True)
class EndpointMetrics:
    """SageMaker's metrics of one endpoint, per minute. Latency is in microseconds."""

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
        """The 90th percentile of the time that requests spend in the container."""
        return self._metric("ModelLatency", "p90")

    @cached_property
    def refused_at_zero(self) -> cloudwatch.Metric:
        """Requests that found no copy of the model, if the endpoint has scaled to zero."""
        return self._metric("NoCapacityInvocationFailures", "Sum")

    @cached_property
    def error_percent(self) -> cloudwatch.MathExpression:
        # `invocations` is not filled: a minute without requests has no value, and so cannot raise the alarm.
        return cloudwatch.MathExpression(
            expression="100 * FILL(errors, 0) / invocations",
            using_metrics={"errors": self.server_errors, "invocations": self.invocations},
            label="5xx replies, % of requests",
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
    """`alarms` watch errors and latency. Two bad minutes of five raise them; missing traffic does not.

    They have physical names so that another stack can show them without an import; see `alarms_for_stack`.
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
            f"Endpoint {name}: {ERROR_PERCENT}% or more of the requests in a minute failed with 5xx. "
            f"See the endpoint's log group for the cause, and {DOCUMENTATION}.",
        )
        latency = self._alarm(
            "Latency",
            metrics.latency,
            latency_ms * 1000,
            f"Endpoint {name}: a tenth of the requests took {latency_ms} ms or longer. Use more or larger instances, "
            f"or smaller requests (max_payload_bytes); see {DOCUMENTATION}.",
        )
        self.alarms = [errors, latency]

    def alarms_for_stack(self, scope: Construct) -> list[cloudwatch.IAlarm]:
        """Return the same alarms for use in another stack, by ARNs that are fixed at synth."""
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
