"""The metrics that Dropscore writes (dropscore/metrics.py), by name. docs/monitoring.md explains them."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from schema.metrics import NAMESPACE

FIVE_MINUTES = Duration.minutes(5)


@dataclass(frozen=True)
class Metrics:
    """The metrics of one deployment. Without `model`, a metric covers all models."""

    environment: str

    def of(
        self,
        name: str,
        statistic: str = "Sum",
        *,
        model: str | None = None,
        label: str | None = None,
        period: Duration = FIVE_MINUTES,
    ) -> cloudwatch.Metric:
        """Return the metric `name` of schema/metrics.py, by default its sum over five minutes."""
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=name,
            dimensions_map={"Environment": self.environment} | ({"Model": model} if model else {}),
            statistic=statistic,
            label=label or model,  # an alarm's metric with a label is rendered as metric math
            period=period,
        )
