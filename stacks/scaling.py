"""How an endpoint grows and shrinks: by requests a minute, out at once and in slowly, and from nothing by an alarm.

The low-level constructs are used because they let Application Auto Scaling take its service-linked role; CDK's own
ScalableTarget makes a role that is then ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

OUT_SECONDS = 60
IN_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """What is scaled, in Application Auto Scaling's words, and the metric that has one value for each unit of it."""

    resource_id: str
    dimension: str
    metric: str


def instances_of(endpoint_name: str, variant: str) -> Scaled:
    return Scaled(
        resource_id=f"endpoint/{endpoint_name}/variant/{variant}",
        dimension="sagemaker:variant:DesiredInstanceCount",
        metric="SageMakerVariantInvocationsPerInstance",
    )


def copies_of(component_name: str) -> Scaled:
    return Scaled(
        resource_id=f"inference-component/{component_name}",
        dimension="sagemaker:inference-component:DesiredCopyCount",
        metric="SageMakerInferenceComponentInvocationsPerCopy",
    )


class Scaling(Construct):
    """Between `fewest` and `most` units, so that each answers `per_minute` requests a minute."""

    def __init__(
        self, scope: Construct, construct_id: str, *, scaled: Scaled, fewest: int, most: int, per_minute: int
    ) -> None:
        super().__init__(scope, construct_id)
        self._target = autoscaling.CfnScalableTarget(
            self,
            "Target",
            service_namespace="sagemaker",
            resource_id=scaled.resource_id,
            scalable_dimension=scaled.dimension,
            min_capacity=fewest,
            max_capacity=most,
        )
        policy = autoscaling.CfnScalingPolicy
        policy(
            self,
            "ByRequests",
            policy_name="requests",  # a scaling policy must have a name; it is one within its target
            policy_type="TargetTrackingScaling",
            scaling_target_id=self._target.ref,
            target_tracking_scaling_policy_configuration=policy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=per_minute,
                predefined_metric_specification=policy.PredefinedMetricSpecificationProperty(
                    predefined_metric_type=scaled.metric
                ),
                scale_out_cooldown=OUT_SECONDS,
                scale_in_cooldown=IN_SECONDS,
            ),
        )

    def wake_by(self, refused: cloudwatch.Metric) -> None:
        """From nothing, where no unit has a metric to follow, to one unit as soon as a request was `refused`."""
        policy = autoscaling.CfnScalingPolicy
        wake = policy(
            self,
            "Wake",
            policy_name="wake",
            policy_type="StepScaling",
            scaling_target_id=self._target.ref,
            step_scaling_policy_configuration=policy.StepScalingPolicyConfigurationProperty(
                adjustment_type="ExactCapacity",  # however long the alarm lasts while one starts, no second one does
                metric_aggregation_type="Maximum",
                cooldown=OUT_SECONDS,
                step_adjustments=[policy.StepAdjustmentProperty(metric_interval_lower_bound=0, scaling_adjustment=1)],
            ),
        )
        cloudwatch.CfnAlarm(
            self,
            "Refused",
            alarm_description="The model has scaled to nothing and is asked for: not a fault, this alarm wakes it.",
            namespace=refused.namespace,
            metric_name=refused.metric_name,
            dimensions=[{"name": name, "value": value} for name, value in (refused.dimensions or {}).items()],
            statistic="Sum",
            period=60,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[wake.ref],
        )
