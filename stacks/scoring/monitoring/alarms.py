"""What wakes somebody up: each alarm says what happened and where docs/monitoring.md says what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.metrics import Measures

AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
LESS = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
NO_NEWS_IS_GOOD = cloudwatch.TreatMissingData.NOT_BREACHING
NO_NEWS_IS_BAD = cloudwatch.TreatMissingData.BREACHING
NO_NEWS_IS_NONE = cloudwatch.TreatMissingData.IGNORE
FIVE_MINUTES = Duration.minutes(5)
QUARTER = Duration.minutes(15)
LATE_MINUTES = 15
THROTTLED_PERCENT = 50


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the alarms look at, but for the endpoints, which have alarms of their own."""

    measures: Measures
    dead_letters: sqs.IQueue
    functions: Mapping[str, lambda_.IFunction]
    rules: Sequence[events.IRule]
    stuck_minutes: int
    look_minutes: int
    """How often `reconcile` looks."""


class Alarms(Construct):
    """In the order in which a person should look at them."""

    def __init__(self, scope: Construct, construct_id: str, watched: Watched) -> None:
        super().__init__(scope, construct_id)
        self._watched = watched
        self._looks = Duration.minutes(watched.look_minutes)
        self.every = [
            self._jobs_failed(),
            self._dead_letters(),
            self._unkept(),
            self._stuck(),
            self._findings(),
            self._silent(),
            self._errors(),
            self._throttled_functions(),
            self._late(),
            self._throttled(),
        ]

    def _jobs_failed(self) -> cloudwatch.Alarm:
        metric = self._watched.measures.of("JobsFailed")
        return self._alarm("JobsFailed", metric, 1, "A job has FAILED, which is not the fault of its file.")

    def _dead_letters(self) -> cloudwatch.Alarm:
        metric = self._watched.dead_letters.metric_approximate_number_of_messages_visible(
            period=FIVE_MINUTES, statistic="Maximum"
        )
        return self._alarm("DeadLetters", metric, 1, "Events that came to nothing lie in the dead-letter queue.")

    def _unkept(self) -> cloudwatch.Alarm:
        functions = [each.metric("DeadLetterErrors", statistic="Sum") for each in self._functions]
        functions.append(self._watched.functions["announce"].metric("DestinationDeliveryFailures", statistic="Sum"))
        return self._alarm(
            "DeadLetterDeliveryFailed",
            _sum("Events lost", [*functions, *map(_undeliverable, self._watched.rules)]),
            1,
            "An event could neither be delivered nor kept in the dead-letter queue: it is lost.",
        )

    def _stuck(self) -> cloudwatch.Alarm:
        minutes = self._watched.stuck_minutes
        metric = self._watched.measures.of("OldestUnfinished", "Maximum", period=self._looks)
        what = f"A job has not ended {minutes} minutes after it was submitted (monitoring.stuck_minutes)."
        return self._alarm("JobsStuck", metric, minutes * 60, what, missing=NO_NEWS_IS_NONE)  # between two looks

    def _findings(self) -> cloudwatch.Alarm:
        metric = self._watched.measures.of("ReconcileRepairs")
        return self._alarm(
            "ReconcileRepairs", metric, 1, "`reconcile` found, and mended, what events should have done."
        )

    def _silent(self) -> cloudwatch.Alarm:
        metric = self._watched.functions["reconcile"].metric_invocations(period=self._looks, statistic="Sum")
        what = "`reconcile` has not run for three of its intervals, so nobody looks for what was lost. This alarm also "
        what += "stands for a moment after the first deployment."
        return self._alarm("ReconcileNotRunning", metric, 1, what, comparison=LESS, periods=3, missing=NO_NEWS_IS_BAD)

    def _errors(self) -> cloudwatch.Alarm:
        """An event is tried three times: one error may be chance, three are not."""
        errors = [each.metric_errors(period=QUARTER, statistic="Sum") for each in self._functions]
        what = "Functions ended in an error three times or more within 15 minutes."
        return self._alarm("FunctionErrors", _sum("Errors", errors, QUARTER), 3, what)

    def _throttled_functions(self) -> cloudwatch.Alarm:
        throttles = [each.metric_throttles(statistic="Sum") for each in self._functions]
        what = "AWS Lambda turned functions away: the account's concurrency is used up."
        return self._alarm("FunctionThrottles", _sum("Throttles", throttles), 1, what, periods=3)

    def _late(self) -> cloudwatch.Alarm:
        metric = self._watched.functions["announce"].metric("IteratorAge", statistic="Maximum", period=FIVE_MINUTES)
        what = f"Ends of jobs are announced more than {LATE_MINUTES} minutes late; after 24 hours they would be lost."
        return self._alarm("Late", metric, LATE_MINUTES * 60_000, what, periods=3)

    def _throttled(self) -> cloudwatch.Alarm:
        measures = self._watched.measures
        metric = cloudwatch.MathExpression(
            expression="100 * throttled / (throttled + FILL(answered, 0))",
            using_metrics={"throttled": measures.of("Throttles"), "answered": measures.of("Requests")},
            label="Requests turned away, %",
            period=FIVE_MINUTES,
        )
        what = f"For 15 minutes models have turned away {THROTTLED_PERCENT} % of the requests or more: jobs crawl."
        return self._alarm("Throttled", metric, THROTTLED_PERCENT, what, periods=3)

    @property
    def _functions(self) -> list[lambda_.IFunction]:
        return list(self._watched.functions.values())

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        what: str,
        *,
        periods: int = 1,
        comparison: cloudwatch.ComparisonOperator = AT_LEAST,
        missing: cloudwatch.TreatMissingData = NO_NEWS_IS_GOOD,
    ) -> cloudwatch.Alarm:
        environment = self._watched.measures.environment
        return cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=periods,
            treat_missing_data=missing,
            alarm_description=f"Dropscore {environment}: {what} What to do: docs/monitoring.md#{name.lower()}",
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
    """Of metrics that have no value where nothing happened; an alarm takes ten of them at most."""
    named = {f"m{number}": metric for number, metric in enumerate(metrics)}
    expression = f"SUM([{', '.join(f'FILL({name}, 0)' for name in named)}])"
    return cloudwatch.MathExpression(expression=expression, using_metrics=named, label=label, period=period)
