"""Monitoring: the alarms, and the dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import aws_events as events
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.function import Function
from stacks.constructs.metrics import Metrics
from stacks.hosting.endpoint import Endpoint
from stacks.scoring.monitoring.alarms import Alarms, AlarmSources
from stacks.scoring.monitoring.dashboard import DashboardSources, dashboard
from stacks.storage.stack import Storage


class Monitoring(Construct):
    """Alarms and dashboard of one deployment. `functions` by name must include `reconcile` and `announce`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        env: str,
        stuck_minutes: int,
        look_minutes: int,
        storage: Storage,
        endpoints: Sequence[Endpoint],
        functions: Mapping[str, Function],
        rules: Sequence[events.IRule],
        worker_log_group: logs.ILogGroup,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        metrics = Metrics(env)
        resources = {name: function.resource for name, function in functions.items()}
        alarm_sources = AlarmSources(
            metrics=metrics,
            dead_letters=dead_letters,
            functions=resources,
            rules=rules,
            stuck_minutes=stuck_minutes,
            reconcile_minutes=look_minutes,
        )
        # The alarms reference Scoring's resources: alarms in their own stack would import these and block its deletion.
        job_alarms = Alarms(self, "Alarms", alarm_sources).all
        storage.alarm_topic.notify_of([*job_alarms, *(alarm for endpoint in endpoints for alarm in endpoint.alarms)])
        endpoint_alarms = [alarm for endpoint in endpoints for alarm in endpoint.health.alarms_for_stack(self)]
        sources = DashboardSources(
            metrics=metrics,
            alarms=[*job_alarms, *endpoint_alarms],
            endpoints=endpoints,
            functions=resources,
            dead_letters=dead_letters,
            log_groups=[worker_log_group, *(function.log_group for function in functions.values())],
            worker_log_group=worker_log_group,
            table=storage.jobs,
            bucket=storage.bucket,
        )
        self.dashboard = dashboard(self, "Dashboard", sources)
