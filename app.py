"""The CDK application: settings → stacks → tags → policy checks → synth."""

import json
import os
import sys
from pathlib import Path
from typing import cast

os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")  # without it, jsii prints a banner

from aws_cdk import App, DefaultStackSynthesizer, Stack, Tags

from stacks.constructs.code import DockerImages, ImageMaker
from stacks.constructs.findings import check_policies
from stacks.hosting.stack import Hosting
from stacks.images.stack import Images
from stacks.scoring.stack import Scoring
from stacks.settings import Settings
from stacks.settings.problems import SettingsError
from stacks.storage.stack import Storage

TAGS_FIXED_AT_CREATION = ["AWS::Batch::ComputeEnvironment"]
"""CloudFormation cannot change their tags: a new tag would replace the pools and terminate their jobs."""
ROOT = Path(__file__).resolve().parent


def build(settings: Settings, outdir: str | None = None) -> App:
    """Return the app with all stacks. `outdir` receives the templates; None for `cdk.out`. Raises SettingsError."""
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]  # tests call `build` without the CDK CLI
    synthesizer = DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
    app = App(outdir=outdir, context=flags, default_stack_synthesizer=synthesizer, analytics_reporting=False)
    deploy, models, monitoring = settings.deploy, settings.models, settings.monitoring
    storage = Storage(
        app,
        "Storage",
        deploy=deploy,
        settings=settings.storage,
        emails=monitoring.emails,
        upload_routes=[name for name, route in settings.routes.items() if route.uploaders],
        inputs=settings.inputs.names,
        routes=list(settings.routes),
    )
    images: ImageMaker = DockerImages()
    if deploy.images == "codebuild":
        images = Images(app, "Images", deploy=deploy, monitoring=monitoring, storage=storage)
    hosting = Hosting(
        app, "Hosting", deploy=deploy, models=models, storage=storage, monitoring=monitoring, images=images
    )
    Scoring(app, "Scoring", settings=settings, storage=storage, endpoints=hosting.endpoints, images=images)
    Tags.of(app).add("dropscore:env", deploy.env)
    for key, value in deploy.tags.items():
        Tags.of(app).add(key, value, exclude_resource_types=TAGS_FIXED_AT_CREATION)
    for stack in filter(Stack.is_stack, app.node.children):
        cast(Stack, stack).termination_protection = settings.deploy.termination_protection
    check_policies(app)
    return app


if __name__ == "__main__":
    try:
        build(Settings.load(ROOT), os.environ.get("CDK_OUTDIR", "cdk.out")).synth()
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(3)
