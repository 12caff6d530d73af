from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.stacks.building import ROOT, Templates, build_templates, only, write_settings


def test_there_are_three_stacks_without_parameters_or_conditions(templates: Templates) -> None:
    manifest = json.loads((templates.outdir / "manifest.json").read_text())["artifacts"]
    stacks = {name: each for name, each in manifest.items() if each["type"] == "aws:cloudformation:stack"}
    assert {name: each["properties"]["stackName"] for name, each in stacks.items()} == {
        "Storage": "dropscore-dev-storage",
        "Hosting": "dropscore-dev-hosting",
        "Scoring": "dropscore-dev-scoring",
    }
    for template in templates.every.values():
        assert {"Parameters", "Conditions", "Rules", "Mappings"}.isdisjoint(template)


# Alarms, scaling policies and SageMaker must know these names in advance: docs/decisions/0049.
NAMED_LIKE_THE_ENDPOINT = {
    "hosting": ("AWS::CloudWatch::Alarm", "AWS::SageMaker::Endpoint"),
    "storage": ("AWS::Logs::LogGroup",),
}


def test_no_custom_resource_and_no_physical_name(templates: Templates) -> None:
    for stack, template in templates.every.items():
        for name, resource in template["Resources"].items():
            kind = resource["Type"].split("::")[-1]
            assert not resource["Type"].startswith(("Custom::", "AWS::CloudFormation::")), name
            named = kind != "Policy" and f"{kind}Name" in resource.get("Properties", {})  # inline policies need one
            is_the_endpoints = resource["Type"] in NAMED_LIKE_THE_ENDPOINT.get(stack, ())
            assert named == is_the_endpoints, name


def test_every_resource_that_takes_tags_carries_the_environments(templates: Templates) -> None:
    bucket = only(templates.storage, "AWS::S3::Bucket")
    assert {"Key": "dropscore:env", "Value": "dev"} in bucket["Tags"]


def test_two_synths_give_the_same_templates_and_assets(templates: Templates, tmp_path: Path) -> None:
    again = build_templates(tmp_path, {})
    for name in ("Storage", "Hosting", "Scoring"):
        for kind in ("template", "assets"):
            first, second = (folder / f"{name}.{kind}.json" for folder in (templates.outdir, again.outdir))
            assert first.read_bytes() == second.read_bytes()


def test_a_function_holds_the_runtime_and_its_own_doorway_only(templates: Templates) -> None:
    for name, other in (("Submit", "track"), ("Track", "submit")):
        files = _asset(templates, only(templates.scoring, "AWS::Lambda::Function", name)["Code"]["S3Key"])
        assert {f"lambdas/scoring/{name.lower()}/handler.py", "dropscore/settings.py"} <= files
        assert {path.split("/")[0] for path in files} == {"dropscore", "lambdas", "schema"}
        assert not [
            path
            for path in files
            if path.startswith((f"lambdas/scoring/{other}", "lambdas/images", "dropscore/scoring", "dropscore/cli"))
        ]
        assert not [path for path in files if "__pycache__" in path]


def test_the_worker_image_is_built_from_the_runtime_and_its_own_folder_only(templates: Templates) -> None:
    image = only(templates.scoring, "AWS::Batch::JobDefinition")["ContainerProperties"]["Image"]["Fn::Sub"]
    files = _asset(templates, image.rpartition(":")[2])
    assert {"containers/worker/Dockerfile", "containers/worker/main.py", "dropscore/settings.py"} <= files
    assert {path.split("/")[0] for path in files} <= {"dropscore", "schema", "containers", ".dockerignore"}
    assert not [path for path in files if path.startswith(("containers/model", "dropscore/cli"))]
    assert not [path for path in files if "__pycache__" in path]


def test_the_model_image_is_built_from_its_own_folder_only(templates: Templates) -> None:
    image = only(templates.hosting, "AWS::SageMaker::Model")["PrimaryContainer"]["Image"]["Fn::Sub"]
    files = _asset(templates, image.rpartition(":")[2])
    assert {"Dockerfile", "serve.py", "requirements.txt"} <= files
    assert not [path for path in files if "__pycache__" in path]


def test_the_application_needs_neither_docker_nor_network_nor_credentials(tmp_path: Path) -> None:
    done = _run_app(tmp_path, {})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "out" / "Scoring.template.json").exists()


def test_wrong_settings_are_one_line_and_exit_code_3(tmp_path: Path) -> None:
    done = _run_app(tmp_path, {"worker.vcpus": 3})
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "error: dropscore.toml: worker.vcpus: 3: Fargate does not offer this size; use 0.25, 0.5, 1, 2, 4, 8 or 16"
    ]


def test_the_command_line_tool_runs_the_same_application() -> None:
    assert json.loads((ROOT / "cdk.json").read_text())["app"] == ".venv/bin/python app.py"


def _run_app(folder: Path, overrides: dict[str, object]) -> subprocess.CompletedProcess[str]:
    write_settings(folder, overrides)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(Path.home()),
        "CDK_OUTDIR": str(folder / "out"),
        "DROPSCORE_SETTINGS": str(folder / "dropscore.toml"),
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    run = [sys.executable, str(ROOT / "app.py")]
    return subprocess.run(run, env=environment, capture_output=True, text=True, check=False)


def _asset(templates: Templates, key: str) -> set[str]:
    folder = templates.outdir / f"asset.{key.removesuffix('.zip')}"
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
