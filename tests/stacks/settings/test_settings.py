from __future__ import annotations

from pathlib import Path

import pytest

from schema.keys import FOLDER_MARKERS, INPUT_PATTERNS, JOB_OPTIONS, UNFINISHED
from stacks.settings import SECTIONS, Settings
from stacks.settings.artifact import Artifact
from stacks.settings.problems import SettingsError
from stacks.settings.sections import NEVER_INPUTS, InputSettings
from stacks.settings.workers import FAMILIES
from tests.stacks.building import MODEL_SHA256, ROOT, VERSION, digest_of, pack, write_settings

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
SERVERLESS: dict[str, object] = {
    "models.fraud.serverless_memory_mib": 2048,
    "models.fraud.instance_type": None,
    "models.fraud.instance_count": None,
}
WRONG: dict[str, tuple[dict[str, object], list[str]]] = {
    "unknown key": (
        {"worker.memory": 2048},
        ["dropscore.toml: worker.memory: unknown key 'memory'", "did you mean 'memory_mib'?"],
    ),
    "rows that expire before the window ends": (
        {"storage.job_ttl_days": 2, "reconcile.window_hours": 48},
        ["reconcile.window_hours: rows of the jobs table expire after 48 hours"],
    ),
    "unknown key far from any": (
        {"storage.color": 1},
        ["storage.color: unknown key", "use 'access_logs'", "'job_ttl_days'"],
    ),
    "unknown table": ({"wroker.vcpus": 1}, ["wroker: unknown key 'wroker'; did you mean 'worker'?"]),
    "unknown key of a model": (
        {"models.fraud.instance_typ": "x"},
        ["models.fraud.instance_typ: unknown key", "'instance_type'"],
    ),
    "wrong type": ({"network.max_azs": "two"}, ["network.max_azs: 'two': should be a valid integer"]),
    "no zone": (
        {"network.zones": ["eu-west-1a", "eu-west-1"]},
        ["network.zones: ['eu-west-1a', 'eu-west-1']: 'eu-west-1' is not a zone; use names such as eu-west-1a, or ids"],
    ),
    "a local zone": ({"network.zones": ["us-west-2-lax-1a"]}, ["'us-west-2-lax-1a' is not a zone"]),
    "zones by name and by id": (
        {"network.zones": ["eu-west-1a", "euw1-az2"]},
        ["network.zones: ['eu-west-1a', 'euw1-az2']: names and ids cannot be mixed, nor can regions"],
    ),
    "zones of two regions": ({"network.zones": ["eu-west-1a", "eu-west-2b"]}, ["network.zones: ", "nor can regions"]),
    "a zone twice": ({"network.zones": ["euw1-az1", "euw1-az1"]}, ["a zone is listed twice; list each zone once"]),
    "zones in another number than max_azs": (
        {"network.max_azs": 2, "network.zones": ["eu-west-1a"]},
        ["network.max_azs: 2: network.zones names 1 zones; remove max_azs"],
    ),
    "true is no number": ({"worker.attempts": True}, ["worker.attempts: True: should be a valid integer"]),
    "a number is not a string": ({"deploy.env": 1}, ["deploy.env: 1: should be a valid string"]),
    "too small": (
        {"worker.max_concurrent_requests": 0},
        ["worker.max_concurrent_requests: 0: should be greater than or equal to 1"],
    ),
    "too large": (
        {"worker.timeout_minutes": 20161},
        ["worker.timeout_minutes: 20161: should be less than or equal to 20160"],
    ),
    "not a name": ({"deploy.env": "Prod!"}, ["deploy.env: 'Prod!': String should match pattern"]),
    "not a model name": ({"models.A_B.artifact": "model.tar.gz"}, ["models.A_B: 'A_B': String should match"]),
    "vcpus that Fargate lacks": (
        {"worker.vcpus": 3},
        ["worker.vcpus: 3: Fargate does not offer this size; use 0.25, 0.5, 1, 2, 4, 8 or 16"],
    ),
    "memory that Fargate lacks": (
        {"worker.vcpus": 0.5, "worker.memory_mib": 1536},
        ["worker.memory_mib: 1536: Fargate does not offer this with vcpus = 0.5; use 1024, 2048, 3072 or 4096"],
    ),
    "vcpus that EC2 lacks": (
        {"worker.compute": "ec2", "worker.vcpus": 0.5},
        ["worker.vcpus: 0.5: on EC2 a job uses whole vCPUs; use 1 or more"],
    ),
    "a compute that is not offered": (
        {"worker.compute": "eks"},
        ["worker.compute: 'eks': should be 'fargate' or 'ec2'"],
    ),
    "GPUs on Fargate": ({"worker.gpus": 1}, ["worker.gpus: 1: Fargate has no instances to choose; set compute"]),
    "families on Fargate": (
        {"worker.instance_families": ["m7i"]},
        ["worker.instance_families: ['m7i']: Fargate has no instances to choose"],
    ),
    "GPUs beside Graviton": (
        {"worker.compute": "ec2", "worker.architecture": "arm64", "worker.gpus": 1},
        ["worker.gpus: 1: GPU instances have x86 processors"],
    ),
    "families of the other architecture": (
        {"worker.compute": "ec2", "worker.instance_families": ["m7i", "m7g"]},
        ["worker.instance_families: ['m7i', 'm7g']: m7g is not x86_64; use other families"],
    ),
    "protected, and not kept": (
        {"deploy.termination_protection": True},
        ["deploy.termination_protection: True: a protected deployment must also retain its data; add retain_data"],
    ),
    "a reserved tag": (
        {"deploy.tags.dropscore:env": "x"},
        ["'dropscore:env': this prefix is reserved for AWS and Dropscore"],
    ),
    "not a tag": ({"deploy.tags.cost*": "x"}, ["'cost*' is not a valid tag; use letters, digits"]),
    "no patterns of inputs": ({"inputs.names": []}, ["inputs.names: []: List should have at least 1 item"]),
    "an empty pattern": ({"inputs.names": ["*.csv", ""]}, ["'' is not a valid pattern; use one such as"]),
    "a pattern of folders": ({"inputs.names": ["unload/"]}, ["'unload/' is not a valid pattern; use one such as"]),
    "a pattern with input/": ({"inputs.names": ["input/*.tsv"]}, ["patterns are relative to input/; use '*.tsv'"]),
    "a pattern of temporary names": (
        {"inputs.names": ["*.csv.part"]},
        ["'*.csv.part' matches only hidden or temporary names, which are never scored"],
    ),
    "a pattern of hidden names": ({"inputs.names": ["x/_*"]}, ["'x/_*' matches only hidden or temporary names"]),
    "a route in a hidden folder": (
        {"routes._x.model": "fraud"},
        ["routes._x: files in hidden folders are never scored; give it a name that begins otherwise"],
    ),
    "no address": ({"monitoring.emails": ["me"]}, ["monitoring.emails: ['me']: 'me' is not an e-mail address"]),
    "a retention that CloudWatch lacks": (
        {"monitoring.log_days": 91},
        ["monitoring.log_days: 91: CloudWatch Logs does not offer this retention; use 1, 3, 5"],
    ),
    "a serverless endpoint with instances": (
        {**SERVERLESS, "models.fraud.instance_count": 1},
        ["models.fraud.instance_count: 1: a serverless endpoint has no instances; remove this key"],
    ),
    "a size of serverless that is not sold": (
        {**SERVERLESS, "models.fraud.serverless_memory_mib": 2000},
        ["models.fraud.serverless_memory_mib: 2000: SageMaker sells serverless endpoints of 1024, 2048"],
    ),
    "requests too large for serverless": (
        {**SERVERLESS, "models.fraud.max_payload_bytes": 5_000_000},
        ["models.fraud.max_payload_bytes: 5000000: serverless endpoints accept at most 4 MB; use at most 4000000"],
    ),
    "an instance that cannot run the image": (
        {"models.fraud.instance_type": "ml.m6g.large"},
        ["models.fraud.instance_type: 'ml.m6g.large': images are built for x86-64, and this is Graviton"],
    ),
    "minimum above instance_count": (
        {"models.fraud.min_instances": 2},
        ["models.fraud.min_instances: 2: more than instance_count; use at most 1"],
    ),
    "a serverless endpoint that scales instances to zero": (
        {**SERVERLESS, "models.fraud.min_instances": 0},
        ["models.fraud.min_instances: 0: a serverless endpoint has no instances; remove this key"],
    ),
    "scaling to zero with an unknown instance type": (
        {"models.fraud.min_instances": 0, "models.fraud.instance_type": "ml.inf2.xlarge"},
        ["models.fraud.min_instances: 0: the capacity of this instance type is unknown", "or min_instances = 1"],
    ),
    "captured from an endpoint that scales to zero": (
        {"models.fraud.min_instances": 0, "models.fraud.capture_percent": 5},
        ["models.fraud.capture_percent: 5: an endpoint that scales to zero cannot capture; use min_instances = 1"],
    ),
    "maximum below instance_count": (
        {"models.fraud.instance_count": 3, "models.fraud.max_instances": 2},
        ["models.fraud.max_instances: 2: fewer than instance_count; use at least 3"],
    ),
    "a pool too small for one worker": (
        {"worker.vcpus": 4, "worker.memory_mib": 8192, "worker.max_vcpus": 7},
        ["worker.max_vcpus: 7: spot and on-demand each need capacity for one worker; use at least 8"],
    ),
    "not an instance type": (
        {"models.fraud.instance_type": "m5.large"},
        ["models.fraud.instance_type: 'm5.large': String should match pattern '^ml"],
    ),
    "nothing to serve": (
        {"models.fraud.artifact": None},
        ["models.fraud.artifact: is missing; add the model.tar.gz", "a container or an image of your own"],
    ),
    "two containers": (
        {"models.fraud.container": ".", "models.fraud.image": f"{ECR}/mine:1"},
        [f"models.fraud.image: '{ECR}/mine:1': the model already has a container; use either"],
    ),
    "an image that is not in ECR": (
        {"models.fraud.image": "docker.io/me/mine:1"},
        ["models.fraud.image: 'docker.io/me/mine:1': SageMaker pulls from Amazon ECR only; push the image there"],
    ),
    "an image without a tag": (
        {"models.fraud.image": f"{ECR}/mine"},
        ["models.fraud.image", "this tag names another image after every push", "use a unique tag or the digest"],
    ),
    "an image whose tag moves": (
        {"models.fraud.image": f"{ECR}/mine:latest"},
        ["models.fraud.image", "this tag names another image after every push"],
    ),
    "a folder without a Dockerfile": (
        {"models.fraud.container": "nowhere"},
        [
            "dropscore.toml: models.fraud.container: ",
            "nowhere does not contain a Dockerfile; use a folder that contains one",
        ],
    ),
    "no models": ({"models": {}}, ["models: {}: Dictionary should have at least 1 item"]),
    "bad rows": ({"routes.default.max_bad_rows": "101%"}, ["routes.default.max_bad_rows: '101%': write a number"]),
    "bad rows below none": ({"routes.default.max_bad_rows": -1}, ["routes.default.max_bad_rows: -1: write a number"]),
    "bad rows of a wrong type": (
        {"routes.default.max_bad_rows": True},
        ["routes.default.max_bad_rows: True: write a number"],
    ),
    "shards of nothing": ({"worker.shard_mib": 0}, ["worker.shard_mib: 0: should be greater than or equal to 1"]),
    "shards too large": (
        {"worker.shard_mib": 65537},
        ["worker.shard_mib: 65537: should be less than or equal to 65536"],
    ),
    "unknown key of a route": (
        {"routes.default.delimeter": ";"},
        ["dropscore.toml: routes.default.delimeter: unknown key 'delimeter'; did you mean 'delimiter'?"],
    ),
    "output by an id that is not named": (
        {"routes.default.output": "id"},
        ["dropscore.toml: routes.default.output: 'id': needs the option `id`, which names that column"],
    ),
    "labels without a threshold": (
        {"routes.default.labels": ["good", "bad"]},
        ["routes.default.labels: ['good', 'bad']: need a threshold; add one such as threshold = 0.5"],
    ),
    "a wrong id with an output that needs one": (
        {"routes.default.id": 0, "routes.default.output": "id"},
        ["routes.default.id: 0: write a column's name"],
    ),
    "a wrong threshold with labels that need one": (
        {"routes.default.threshold": "high", "routes.default.labels": ["good", "bad"]},
        ["routes.default.threshold: 'high': write a finite number such as 0.5"],
    ),
    "no default route": ({"routes": {}}, ['routes.default: is missing; add [routes.default] with model = "fraud"']),
    "a route to no model": (
        {"routes.vip.model": "frod"},
        ["dropscore.toml: routes.vip.model: unknown model 'frod'; did you mean 'fraud'?"],
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_value_is_named_with_the_fix(tmp_path: Path, wrong: str) -> None:
    overrides, expected = WRONG[wrong]
    write_settings(tmp_path, overrides)
    with pytest.raises(SettingsError) as raised:
        Settings.load(tmp_path, {})
    lines = str(raised.value).splitlines()
    assert len(lines) == 1
    for words in expected:
        assert words in lines[0]


@pytest.mark.parametrize("zones", [["eu-west-1a", "eu-west-1c"], ["usgw1-az1", "usgw1-az3"], ["us-gov-west-1b"]])
def test_zones_may_stand_without_azs(tmp_path: Path, zones: list[str]) -> None:
    write_settings(tmp_path, {"network.max_azs": None, "network.zones": zones})
    assert Settings.load(tmp_path, {}).network.zones == zones


def test_every_problem_has_its_line(tmp_path: Path) -> None:
    write_settings(tmp_path, {"worker.max_concurrent_requests": 0, "network.max_azs": 9})
    with pytest.raises(SettingsError) as raised:
        Settings.load(tmp_path, {})
    keys = [line.split(": ")[1] for line in str(raised.value).splitlines()]
    assert keys == ["network.max_azs", "worker.max_concurrent_requests"]


def test_the_projects_own_file_is_valid_and_spells_out_the_defaults(tmp_path: Path) -> None:
    write_settings(tmp_path, {})
    written = Settings.load(tmp_path, {})
    text = '[models.fraud]\nartifact = "model.tar.gz"\n[routes.default]\nmodel = "fraud"\n'
    (tmp_path / "dropscore.toml").write_text(text)
    assert Settings.load(tmp_path, {}) == written


def test_a_serverless_model_has_smaller_bodies(tmp_path: Path) -> None:
    write_settings(tmp_path, {})
    assert Settings.load(tmp_path, {}).models[0].max_payload_bytes == 5_000_000
    write_settings(tmp_path, SERVERLESS)
    assert Settings.load(tmp_path, {}).models[0].max_payload_bytes == 4_000_000
    write_settings(tmp_path, {**SERVERLESS, "models.fraud.max_payload_bytes": 1_000_000})
    assert Settings.load(tmp_path, {}).models[0].max_payload_bytes == 1_000_000


@pytest.mark.parametrize(
    ("overrides", "families"),
    [
        ({"worker.architecture": "x86_64"}, FAMILIES["x86_64"]),
        ({"worker.architecture": "arm64"}, FAMILIES["arm64"]),
        ({"worker.gpus": 1}, FAMILIES["gpu"]),
        ({"worker.instance_families": ["m5", "m5a"]}, ("m5", "m5a")),
    ],
)
def test_families_fit_what_is_asked_for(
    tmp_path: Path, overrides: dict[str, object], families: tuple[str, ...]
) -> None:
    write_settings(tmp_path, {"worker.compute": "ec2", **overrides})
    assert Settings.load(tmp_path, {}).worker.families == families


@pytest.mark.parametrize(
    ("overrides", "scaling"),
    [
        ({}, (1, 1, False)),
        ({"models.fraud.max_instances": 4}, (1, 4, True)),
        ({"models.fraud.instance_count": 3, "models.fraud.min_instances": 1}, (1, 3, True)),
        ({"models.fraud.min_instances": 0}, (0, 1, True)),
    ],
)
def test_a_model_scales_where_it_is_told_to(
    tmp_path: Path, overrides: dict[str, object], scaling: tuple[int, int, bool]
) -> None:
    write_settings(tmp_path, overrides)
    serving = Settings.load(tmp_path, {}).models[0].serving
    assert (serving.minimum_count, serving.maximum_count, serving.scales) == scaling


def test_settings_are_read_from_the_file_that_the_environment_names(tmp_path: Path) -> None:
    write_settings(tmp_path, {"deploy.env": "prod"})
    (tmp_path / "dropscore.toml").rename(tmp_path / "other.toml")
    assert Settings.load(tmp_path, {"DROPSCORE_SETTINGS": "other.toml"}).deploy.env == "prod"


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no such file; restore dropscore\.toml, or name another file"):
        Settings.load(tmp_path, {})


def test_broken_toml_says_where(tmp_path: Path) -> None:
    (tmp_path / "dropscore.toml").write_text("[deploy\n")
    with pytest.raises(SettingsError, match=r"not valid TOML: .*line 1"):
        Settings.load(tmp_path, {})


def test_the_environment_overrides_the_artifact_of_the_default_routes_model_only(tmp_path: Path) -> None:
    two = {"models.other.artifact": "model.tar.gz", "routes.other.model": "other"}
    write_settings(tmp_path, two)
    theirs = pack(tmp_path / "theirs.tar.gz", {"model.json": b"{}"})
    models = {
        model.name: model.artifact for model in Settings.load(tmp_path, {"DROPSCORE_ARTIFACT": str(theirs)}).models
    }
    fraud, other = models["fraud"], models["other"]
    assert fraud is not None
    assert fraud.path == theirs
    ours = tmp_path / "model.tar.gz"
    assert other == Artifact(ours, VERSION, digest_of(ours), 30, MODEL_SHA256)


def test_settings_cannot_be_changed_after_loading(tmp_path: Path) -> None:
    write_settings(tmp_path, {})
    with pytest.raises(ValueError, match="frozen"):
        Settings.load(tmp_path, {}).worker.vcpus = 2


def test_every_key_is_documented_with_its_default() -> None:
    documented = (ROOT / "docs" / "settings.md").read_text()
    for section, schema in SECTIONS.items():
        for key in schema.model_fields if section else []:
            assert f"| `{key}` |" in documented.partition(f"## `[{section}")[2].partition("\n## ")[0], (section, key)


def test_the_runtime_ignores_the_same_names() -> None:
    assert {*NEVER_INPUTS, "/"} == {*UNFINISHED, *FOLDER_MARKERS, JOB_OPTIONS}
    assert tuple(InputSettings().names) == INPUT_PATTERNS
