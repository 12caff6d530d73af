"""The alarms. Each description says what happened and links to the chapter of docs/monitoring.md on what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.metrics import Metrics

AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
LESS = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
MISSING_IS_OK = cloudwatch.TreatMissingData.NOT_BREACHING
MISSING_IS_ALARM = cloudwatch.TreatMissingData.BREACHING
MISSING_KEEPS_STATE = cloudwatch.TreatMissingData.IGNORE
FIVE_MINUTES = Duration.minutes(5)
FIFTEEN_MINUTES = Duration.minutes(15)
LATE_MINUTES = 15
THROTTLED_PERCENT = 50


@dataclass(frozen=True, kw_only=True)
class AlarmSources:
    """The resources that the alarms watch, except the endpoints, which have alarms of their own."""

    metrics: Metrics
    dead_letters: sqs.IQueue
    functions: Mapping[str, lambda_.IFunction]
    rules: Sequence[events.IRule]
    stuck_minutes: int
    reconcile_minutes: int
    """The interval at which `reconcile` runs."""


class Alarms(Construct):
    """All alarms, in the order in which an operator should check them."""

    def __init__(self, scope: Construct, construct_id: str, sources: AlarmSources) -> None:
        super().__init__(scope, construct_id)
        self._sources = sources
        self._reconcile_interval = Duration.minutes(sources.reconcile_minutes)
        self.all = [
            self._jobs_failed(),
            self._dead_letters(),
            self._dead_letter_delivery_failed(),
            self._jobs_stuck(),
            self._reconcile_repairs(),
            self._reconcile_not_running(),
            self._errors(),
            self._throttled_functions(),
            self._late(),
            self._throttled(),
        ]

    def _jobs_failed(self) -> cloudwatch.Alarm:
        metric = self._sources.metrics.of("JobsFailed")
        return self._alarm("JobsFailed", metric, 1, "A job has FAILED. Its input is not the cause.")

    def _dead_letters(self) -> cloudwatch.Alarm:
        metric = self._sources.dead_letters.metric_approximate_number_of_messages_visible(
            period=FIVE_MINUTES, statistic="Maximum"
        )
        return self._alarm("DeadLetters", metric, 1, "The dead-letter queue holds events that could not be processed.")

    def _dead_letter_delivery_failed(self) -> cloudwatch.Alarm:
        functions = [function.metric("DeadLetterErrors", statistic="Sum") for function in self._functions]
        functions.append(self._sources.functions["announce"].metric("DestinationDeliveryFailures", statistic="Sum"))
        return self._alarm(
            "DeadLetterDeliveryFailed",
            _sum("Events lost", [*functions, *map(_undeliverable, self._sources.rules)]),
            1,
            "An event could be neither delivered nor kept in the dead-letter queue: it is lost.",
        )

    def _jobs_stuck(self) -> cloudwatch.Alarm:
        minutes = self._sources.stuck_minutes
        metric = self._sources.metrics.of("OldestUnfinished", "Maximum", period=self._reconcile_interval)
        description = f"A job has not ended within {minutes} minutes of its submission (monitoring.stuck_minutes)."
        # The metric has no data between two runs of `reconcile`.
        return self._alarm("JobsStuck", metric, minutes * 60, description, missing=MISSING_KEEPS_STATE)

    def _reconcile_repairs(self) -> cloudwatch.Alarm:
        metric = self._sources.metrics.of("ReconcileRepairs")
        return self._alarm("ReconcileRepairs", metric, 1, "`reconcile` found and repaired work that events had missed.")

    def _reconcile_not_running(self) -> cloudwatch.Alarm:
        metric = self._sources.functions["reconcile"].metric_invocations(
            period=self._reconcile_interval, statistic="Sum"
        )
        description = (
            "`reconcile` has not run for three of its intervals, so missed events are not repaired. This alarm is also "
            "active for a short time after the first deployment."
        )
        return self._alarm(
            "ReconcileNotRunning", metric, 1, description, comparison=LESS, periods=3, missing=MISSING_IS_ALARM
        )

    def _errors(self) -> cloudwatch.Alarm:
        """Lambda tries an event three times: one error may be transient, three are not."""
        errors = [function.metric_errors(period=FIFTEEN_MINUTES, statistic="Sum") for function in self._functions]
        description = "Functions failed three times or more within 15 minutes."
        return self._alarm("FunctionErrors", _sum("Errors", errors, FIFTEEN_MINUTES), 3, description)

    def _throttled_functions(self) -> cloudwatch.Alarm:
        throttles = [function.metric_throttles(statistic="Sum") for function in self._functions]
        description = "AWS Lambda throttled functions: the account's concurrency is used up."
        return self._alarm("FunctionThrottles", _sum("Throttles", throttles), 1, description, periods=3)

    def _late(self) -> cloudwatch.Alarm:
        # IteratorAge is in milliseconds.
        metric = self._sources.functions["announce"].metric("IteratorAge", statistic="Maximum", period=FIVE_MINUTES)
        description = f"Jobs' ends are announced more than {LATE_MINUTES} minutes late; after 24 hours they are lost."
        return self._alarm("Late", metric, LATE_MINUTES * 60_000, description, periods=3)

    def _throttled(self) -> cloudwatch.Alarm:
        metrics = self._sources.metrics
        metric = cloudwatch.MathExpression(
            # `throttled` is not filled: without throttles there is no value, and so no alarm.
            expression="100 * throttled / (throttled + FILL(answered, 0))",
            using_metrics={"throttled": metrics.of("Throttles"), "answered": metrics.of("Requests")},
            label="Requests throttled, %",
            period=FIVE_MINUTES,
        )
        description = f"For 15 minutes, models throttled {THROTTLED_PERCENT}% or more of the requests: jobs are slow."
        return self._alarm("Throttled", metric, THROTTLED_PERCENT, description, periods=3)

    @property
    def _functions(self) -> list[lambda_.IFunction]:
        return list(self._sources.functions.values())

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        description: str,
        *,
        periods: int = 1,
        comparison: cloudwatch.ComparisonOperator = AT_LEAST,
        missing: cloudwatch.TreatMissingData = MISSING_IS_OK,
    ) -> cloudwatch.Alarm:
        environment = self._sources.metrics.environment
        return cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=periods,
            treat_missing_data=missing,
            alarm_description=f"Dropscore {environment}: {description} What to do: docs/monitoring.md#{name.lower()}",
        )


def _undeliverable(rule: events.IRule) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/Events",
        metric_name="InvocationsFailedToBeSentToDlq",
        dimensions_map={"RuleName": rule.rule_name},
        statistic="Sum",
    )


def _sum(
    label: str, metrics: Sequence[cloudwatch.IMetric], period: Duration = FIVE_MINUTES
) -> cloudwatch.MathExpression:
    """Sum metrics that have no value if nothing happened. An alarm accepts at most ten metrics."""
    named = {f"m{number}": metric for number, metric in enumerate(metrics)}
    expression = f"SUM([{', '.join(f'FILL({name}, 0)' for name in named)}])"
    return cloudwatch.MathExpression(expression=expression, using_metrics=named, label=label, period=period)
