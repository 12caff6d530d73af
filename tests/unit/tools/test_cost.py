from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stacks.settings import Settings
from tests.stacks.building import write_settings
from tools.cost import __main__ as command
from tools.cost.idle import UnknownPriceError, idle
from tools.cost.million import million
from tools.cost.prices import PRICES, read_prices
from tools.cost.templates import Configuration, Resource, synthesize

PRICED = read_prices(PRICES)
INSTANCES = ("models.fraud.instance_type", "models.fraud.instance_count")
ENDPOINT: dict[str, Any] = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 2}


def _configuration(folder: Path, *resources: Resource, **overrides: object) -> Configuration:
    write_settings(folder, {name.replace("__", "."): value for name, value in overrides.items()})
    return Configuration("some", Settings.load(folder, {}), resources)


def _endpoint(**variant: object) -> Resource:
    return Resource("Config", "AWS::SageMaker::EndpointConfig", {"ProductionVariants": [{**ENDPOINT, **variant}]})


def _door(zones: int, kind: str = "Interface") -> Resource:
    return Resource("Door", "AWS::EC2::VPCEndpoint", {"VpcEndpointType": kind, "SubnetIds": ["subnet"] * zones})


def test_what_stands_is_counted_by_the_month(tmp_path: Path) -> None:
    key = Resource("Key", "AWS::KMS::Key", {})
    bucket = Resource("Bucket", "AWS::S3::Bucket", {})
    found = idle(_configuration(tmp_path, _endpoint(), _door(2), _door(3), _door(0, "Gateway"), key, bucket), PRICED)
    assert found == {
        "endpoints' instances": pytest.approx(2 * 0.115 * 730),
        "VPC interface endpoints": pytest.approx(5 * 0.01 * 730),
        "keys": 1.0,
    }
    assert list(found) == sorted(found, key=lambda what: -found[what])


def test_an_alarm_on_several_metrics_costs_as_several(tmp_path: Path) -> None:
    plain = Resource("One", "AWS::CloudWatch::Alarm", {"MetricName": "Errors"})
    metrics = [{"MetricStat": {}}, {"MetricStat": {}}, {"Expression": "a / b"}]
    ratio = Resource("Two", "AWS::CloudWatch::Alarm", {"Metrics": metrics})
    assert idle(_configuration(tmp_path, plain, ratio), PRICED) == {"alarms": pytest.approx(0.3)}


def test_a_schedule_measures_by_the_clock(tmp_path: Path) -> None:
    scheduled = Resource("Schedule", "AWS::Events::Rule", {"ScheduleExpression": "rate(1 hour)"})
    event_rule = Resource("Dropped", "AWS::Events::Rule", {"EventPattern": {}})
    assert idle(_configuration(tmp_path, scheduled, event_rule), PRICED) == {
        "metrics of `reconcile`": pytest.approx(1.2)
    }


def test_what_scales_to_nothing_stands_for_nothing(tmp_path: Path) -> None:
    serverless = _endpoint(ServerlessConfig={"MemorySizeInMB": 2048})
    asleep = _endpoint(ManagedInstanceScaling={"MinInstanceCount": 0})
    assert idle(_configuration(tmp_path, serverless, asleep), PRICED) == {}


@pytest.mark.parametrize(
    ("resource", "missing"),
    [
        (
            Resource("Thing", "AWS::Redshift::Cluster", {}),
            "Thing: no price for AWS::Redshift::Cluster; add it to tools/cost/idle.py",
        ),
        (_endpoint(InstanceType="ml.p5.48xlarge"), "ml.p5.48xlarge is not in tools/cost/prices.toml"),
    ],
)
def test_what_has_no_price_is_named(tmp_path: Path, resource: Resource, missing: str) -> None:
    with pytest.raises(UnknownPriceError, match=missing):
        idle(_configuration(tmp_path, resource), PRICED)


@pytest.mark.parametrize(
    "overrides",
    [
        {
            "worker.compute": "ec2",
            "network.mode": "nat",
            "deploy.images": "codebuild",
            "models.fraud.max_instances": 2,
            "storage.data_events": True,
            "storage.access_logs": True,
            "monitoring.emails": ["ops@example.com"],
        },
        {"models.fraud.min_instances": 0, "deploy.images": "codebuild"},
        {"models.fraud.serverless_memory_mib": 1024, **dict.fromkeys(INSTANCES)},
    ],
    ids=["instances", "asleep", "serverless"],
)
def test_whatever_can_be_deployed_has_a_price(tmp_path: Path, overrides: dict[str, object]) -> None:
    write_settings(tmp_path, overrides)
    found = idle(synthesize("some", Settings.load(tmp_path, {})), PRICED)
    assert (found["keys"] >= 3, "VPC interface endpoints" in found) == (True, "network.mode" not in overrides)


def test_a_million_rows_take_workers_and_bytes(tmp_path: Path) -> None:
    standard = million(_configuration(tmp_path), PRICED)
    sooner = million(_configuration(tmp_path, worker__shard_mib=4096), PRICED)
    assert sooner["workers, on spot"] < standard["workers, on spot"]  # one worker that starts, instead of three
    assert standard["bytes through the network"] == pytest.approx(512e6 / 2**30 * 0.01)
    assert standard["serverless inference"] == 0
    nat = million(_configuration(tmp_path, network__mode="nat"), PRICED)
    assert nat["bytes through the network"] == pytest.approx(4.5 * standard["bytes through the network"])


def test_serverless_is_paid_by_the_second(tmp_path: Path) -> None:
    configuration = _configuration(
        tmp_path,
        models__fraud__serverless_memory_mib=2048,
        **{name.replace(".", "__"): None for name in INSTANCES},
    )
    seconds, gib = 1e6 / 60_000, 500e6 / 2**30
    assert million(configuration, PRICED)["serverless inference"] == pytest.approx(seconds * 0.00004 + gib * 0.016)


def test_half_the_speed_is_twice_the_endpoint_time(tmp_path: Path) -> None:
    configuration = _configuration(tmp_path, worker__shard_mib=4096)
    slow = {**PRICED, "assumed": {**PRICED["assumed"], "rows_a_second": 3_000, "start_seconds": 0}}
    slower = {**slow, "assumed": {**slow["assumed"], "rows_a_second": 1_500}}
    price = "workers, on spot"
    assert million(configuration, slower)[price] == pytest.approx(2 * million(configuration, slow)[price])


def test_architecture_and_compute_have_their_own_prices(tmp_path: Path) -> None:
    configuration = _configuration(tmp_path)
    worker = configuration.settings.worker
    by_kind = {
        (compute, architecture): million(
            replace(
                configuration,
                settings=configuration.settings.model_copy(
                    update={"worker": worker.model_copy(update={"compute": compute, "architecture": architecture})}
                ),
            ),
            PRICED,
        )["workers, on spot"]
        for compute in ("fargate", "ec2")
        for architecture in ("x86_64", "arm64")
    }
    assert len(set(by_kind.values())) == 4
    assert by_kind["fargate", "arm64"] < by_kind["fargate", "x86_64"]


def test_the_page_and_the_readme_hold_what_the_templates_cost() -> None:
    stale = [file.name for file, text in command.current().items() if file.read_text() != text]
    assert stale == [], "run `make cost`"


def test_settings_of_ones_own_are_priced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_settings(tmp_path, {"models.fraud.instance_type": "ml.m5.xlarge"})
    assert command.main([str(tmp_path / "dropscore.toml")]) == 0
    assert "| endpoints' instances | $167.90 |" in capsys.readouterr().out


def test_an_unknown_price_is_an_error_with_the_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_settings(tmp_path, {"models.fraud.instance_type": "ml.p5.48xlarge"})
    assert command.main([str(tmp_path / "dropscore.toml")]) == 3
    assert "error: ml.p5.48xlarge is not in tools/cost/prices.toml, [hour.endpoint]" in capsys.readouterr().err
