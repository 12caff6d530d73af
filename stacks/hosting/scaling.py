"""Scales an endpoint by requests per minute: out at once, in slowly, and from zero by an alarm.

SageMaker does not emit zeros: an endpoint without requests has no metric, and target tracking then never scales in. So
target tracking only scales out, and a step policy scales in, triggered by an alarm that treats a missing value as a
quiet minute (decision 0054).

The low-level constructs let Application Auto Scaling use its service-linked role; the CDK's ScalableTarget creates a
role that is then ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

OUT_SECONDS = 60
IN_SECONDS = 600
QUIET_MINUTES = 15
QUIET_SHARE = 0.5
"""Share of the target. Below it, half of the units can serve all requests without scaling out again."""

_Policy = autoscaling.CfnScalingPolicy
_Alarm = cloudwatch.CfnAlarm


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """A scalable resource, in Application Auto Scaling's terms. A unit is an instance or a copy.

    `tracked` is the predefined metric of requests per unit, `requests` that metric's name in CloudWatch.
    """

    resource_id: str
    dimension: str
    tracked: str
    requests: str


def instances_of(endpoint_name: str, variant: str) -> Scaled:
    return Scaled(
        resource_id=f"endpoint/{endpoint_name}/variant/{variant}",
        dimension="sagemaker:variant:DesiredInstanceCount",
        tracked="SageMakerVariantInvocationsPerInstance",
        requests="InvocationsPerInstance",
    )


def copies_of(component_name: str) -> Scaled:
    return Scaled(
        resource_id=f"inference-component/{component_name}",
        dimension="sagemaker:inference-component:DesiredCopyCount",
        tracked="SageMakerInferenceComponentInvocationsPerCopy",
        requests="InvocationsPerCopy",
    )


class Scaling(Construct):
    """Scales between `minimum` and `maximum` units, so that each serves `per_minute` requests per minute.

    `dimensions` are the dimensions of the scaled resource's metrics. If `minimum` is 0, `refused` counts the requests
    that found no unit: they start one and prevent its removal.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        scaled: Scaled,
        dimensions: dict[str, str],
        minimum: int,
        maximum: int,
        per_minute: int,
        refused: cloudwatch.Metric | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._target = autoscaling.CfnScalableTarget(
            self,
            "Target",
            service_namespace="sagemaker",
            resource_id=scaled.resource_id,
            scalable_dimension=scaled.dimension,
            min_capacity=minimum,
            max_capacity=maximum,
        )
        self._scale_out(scaled, per_minute)
        requests = cloudwatch.Metric(
            namespace="AWS/SageMaker", metric_name=scaled.requests, dimensions_map=dimensions, statistic="Sum"
        )
        self._scale_in(requests, per_minute, refused)
        if refused:
            self._wake(refused)

    def _scale_out(self, scaled: Scaled, per_minute: int) -> None:
        _Policy(
            self,
            "ByRequests",
            policy_name="requests",  # required, and unique within the target only
            policy_type="TargetTrackingScaling",
            scaling_target_id=self._target.ref,
            target_tracking_scaling_policy_configuration=_Policy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=per_minute,
                predefined_metric_specification=_Policy.PredefinedMetricSpecificationProperty(
                    predefined_metric_type=scaled.tracked
                ),
                scale_out_cooldown=OUT_SECONDS,
                disable_scale_in=True,
            ),
        )

    def _scale_in(self, requests: cloudwatch.Metric, per_minute: int, refused: cloudwatch.Metric | None) -> None:
        """Remove half of the units, repeatedly, while all of the last 15 minutes were quiet."""
        fewer = self._step(
            "Fewer", IN_SECONDS, adjustment_type="PercentChangeInCapacity", by=-50, least=1, above_the_threshold=False
        )
        quiet = per_minute * QUIET_SHARE
        terms = {"requests": requests}
        if refused:  # a unit that has just started has served no request yet: the refused requests must keep it
            terms["refused"] = refused
        # One refused request alone reaches the threshold, so its minute does not count as quiet.
        expression = f"FILL(requests, 0) + {quiet:g} * FILL(refused, 0)" if refused else "FILL(requests, 0)"
        _Alarm(
            self,
            "Quiet",
            alarm_description="Few or no requests for 15 minutes. Not a fault: this alarm scales in.",
            metrics=[
                _Alarm.MetricDataQueryProperty(id="quiet", expression=expression, return_data=True),
                *(_query(name, metric) for name, metric in terms.items()),
            ],
            evaluation_periods=QUIET_MINUTES,
            datapoints_to_alarm=QUIET_MINUTES,
            threshold=quiet,
            comparison_operator="LessThanThreshold",
            treat_missing_data="breaching",
            alarm_actions=[fewer.ref],
        )

    def _wake(self, refused: cloudwatch.Metric) -> None:
        """Start one unit as soon as a request is `refused`: with zero units there is no metric for target tracking."""
        # An exact capacity, so that an alarm that lasts while the unit starts does not start a second one.
        wake = self._step("Wake", OUT_SECONDS, adjustment_type="ExactCapacity", by=1, above_the_threshold=True)
        _Alarm(
            self,
            "Refused",
            alarm_description="The model has scaled to zero and received a request. Not a fault: this alarm starts it.",
            namespace=refused.namespace,
            metric_name=refused.metric_name,
            dimensions=_dimensions(refused),
            statistic="Sum",
            period=60,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[wake.ref],
        )

    def _step(
        self,
        construct_id: str,
        cooldown_seconds: int,
        *,
        adjustment_type: str,
        by: int,
        above_the_threshold: bool,
        least: int | None = None,
    ) -> _Policy:
        bound: Any = {f"metric_interval_{'lower' if above_the_threshold else 'upper'}_bound": 0}
        return _Policy(
            self,
            construct_id,
            policy_name=construct_id.lower(),
            policy_type="StepScaling",
            scaling_target_id=self._target.ref,
            step_scaling_policy_configuration=_Policy.StepScalingPolicyConfigurationProperty(
                adjustment_type=adjustment_type,
                metric_aggregation_type="Maximum",
                min_adjustment_magnitude=least,
                cooldown=cooldown_seconds,
                step_adjustments=[_Policy.StepAdjustmentProperty(scaling_adjustment=by, **bound)],
            ),
        )


def _query(name: str, metric: cloudwatch.Metric) -> _Alarm.MetricDataQueryProperty:
    return _Alarm.MetricDataQueryProperty(
        id=name,
        return_data=False,
        metric_stat=_Alarm.MetricStatProperty(
            metric=_Alarm.MetricProperty(
                namespace=metric.namespace, metric_name=metric.metric_name, dimensions=_dimensions(metric)
            ),
            period=60,
            stat="Sum",
        ),
    )


def _dimensions(metric: cloudwatch.Metric) -> list[_Alarm.DimensionProperty]:
    return [_Alarm.DimensionProperty(name=name, value=value) for name, value in (metric.dimensions or {}).items()]
