"""Monitoring: alarms that say what to do, and one page that shows whether all is well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import aws_events as events
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.function import Function
from stacks.constructs.metrics import Measures
from stacks.hosting.endpoint import Endpoint
from stacks.scoring.monitoring.alarms import Alarms, Watched
from stacks.scoring.monitoring.dashboard import Shown, dashboard
from stacks.storage.stack import Storage


class Monitoring(Construct):
    """Of one deployment: `functions` by their names, among them `reconcile` and `announce`."""

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
        measures = Measures(env)
        resources = {name: function.resource for name, function in functions.items()}
        watched = Watched(
            measures=measures,
            dead_letters=dead_letters,
            functions=resources,
            rules=rules,
            stuck_minutes=stuck_minutes,
            look_minutes=look_minutes,
        )
        # Alarms name resources of Scoring: in a stack of their own they would import these and block its deletion.
        ours = Alarms(self, "Alarms", watched).every
        storage.alarm_topic.hear([*ours, *(alarm for endpoint in endpoints for alarm in endpoint.alarms)])
        theirs = [alarm for endpoint in endpoints for alarm in endpoint.health.alarms_seen_from(self)]
        shown = Shown(
            measures=measures,
            alarms=[*ours, *theirs],
            endpoints=endpoints,
            functions=resources,
            dead_letters=dead_letters,
            log_groups=[worker_log_group, *(function.log_group for function in functions.values())],
            worker_log_group=worker_log_group,
            table=storage.jobs,
            bucket=storage.bucket,
        )
        self.dashboard = dashboard(self, "Dashboard", shown)
