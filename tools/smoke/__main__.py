"""`make smoke ENV=prod`: tests a deployment in its account by scoring a sample. It deploys nothing.

Exit codes: 0 all checks pass, 1 some fail, 3 configuration or credentials, 4 AWS returned an error.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from dropscore.cli.deployment import Deployment, connect
from dropscore.cli.options import Target
from dropscore.cli.output import say, write
from dropscore.errors import DropscoreError
from tools.smoke.account import Account
from tools.smoke.checks import CHECKS, LARGE, TESTED_ELSEWHERE, Check
from tools.smoke.expected import expected_scores
from tools.smoke.run import SmokeRun, UnmetError

DEMO = Path(__file__).resolve().parents[2] / "build" / "demo"
TIMEOUT_SECONDS = 1800.0


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    target = Target(local=options.local, profile=options.profile, region=options.region, env=options.env)
    try:
        return smoke(connect(target), options.sample, options.model, large=options.large, more=_account_checks(target))
    except DropscoreError as error:
        say(f"error: {error}")
        return 3
    except (ClientError, BotoCoreError) as error:
        say(f"error: AWS returned an error: {error}")
        return 4


def smoke(
    deployment: Deployment, sample: Path, model: Path | None, *, large: bool = False, more: tuple[Check, ...] = ()
) -> int:
    """Run every check, also after a failure; returns the exit code."""
    expected = expected_scores(model, sample) if model else None
    run = SmokeRun(deployment, sample.read_bytes(), expected, TIMEOUT_SECONDS)
    checks = (*CHECKS, *more, LARGE) if large else (*CHECKS, *more)
    try:
        passed = [check for check in checks if _passes(check, run)]
    finally:
        run.clear()
    _report(passed, checks, compared=expected is not None)
    return 0 if len(passed) == len(checks) else 1


def _account_checks(target: Target) -> tuple[Check, ...]:
    if target.local:
        return ()
    session = boto3.Session(profile_name=target.profile, region_name=target.region)
    return Account(session, target.env or "dev").checks()


def _passes(check: Check, run: SmokeRun) -> bool:
    began = time.monotonic()
    try:
        check.function(run)
    except (UnmetError, DropscoreError, ClientError, BotoCoreError, KeyError) as error:
        write(f"FAILED  {check.title}: {error}")
        return False
    write(f"passed  {check.title} ({time.monotonic() - began:.0f} s)")
    return True


def _report(passed: list[Check], checks: tuple[Check, ...], *, compared: bool) -> None:
    tested = sorted({number for check in passed for number in check.promises})
    broken = sorted({number for check in checks if check not in passed for number in check.promises})
    write("")
    write(f"promises tested here: {', '.join(map(str, tested)) or 'none'}")
    if broken:
        write(f"promises not confirmed: {', '.join(map(str, broken))}; see docs/promises.md")
    for number, where in TESTED_ELSEWHERE.items():
        if number not in tested:
            write(f"promise {number} is not tested here; {where}")
    if not compared:
        write("scores were counted, not compared; pass the deployed artifact with MODEL=… to compare them")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="smoke", description="Test a deployment in its account. Deploys nothing.")
    parser.add_argument("--env", help="the deployment's name, `deploy.env`")
    parser.add_argument("--profile", help="the profile of the AWS credentials")
    parser.add_argument("--region", help="the region of the deployment")
    parser.add_argument("--local", action="store_true", help="the embedded cloud that `dropscore local up` started")
    parser.add_argument("--sample", type=Path, default=DEMO / "sample.csv", help="a CSV without a header")
    parser.add_argument("--model", type=Path, help="the deployed model.tar.gz, to compare the scores")
    parser.add_argument("--large", action="store_true", help="also score a 600 MiB file in shards")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
