"""The CDK application: settings → stacks → tags → policy checks → synth."""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")  # or jsii prints a banner over everything

from aws_cdk import App, DefaultStackSynthesizer, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.hosting import Hosting
from stacks.scoring import Scoring
from stacks.settings import Settings
from stacks.settings.complaints import SettingsError
from stacks.storage import Storage

ROOT = Path(__file__).resolve().parent


def build(settings: Settings, outdir: str | None = None) -> App:
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]  # the same whether the CDK CLI runs this or you do
    synthesizer = DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
    app = App(outdir=outdir, context=flags, default_stack_synthesizer=synthesizer, analytics_reporting=False)
    storage = Storage(app, "Storage", deploy=settings.deploy, job_ttl_days=settings.storage.job_ttl_days)
    hosting = Hosting(app, "Hosting", deploy=settings.deploy, models=settings.models, key=storage.key)
    Scoring(app, "Scoring", settings=settings, storage=storage, endpoints=hosting.endpoints)
    Tags.of(app).add("dropscore:env", settings.deploy.env)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


if __name__ == "__main__":
    try:
        build(Settings.load(ROOT), os.environ.get("CDK_OUTDIR", "cdk.out")).synth()
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(3)
