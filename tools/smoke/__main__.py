"""`make smoke ENV=prod`: tests a deployment in its account: scores the sample and compares. It deploys nothing.

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
from tools.smoke.expected import expected_scores
from tools.smoke.proofs import LARGE, ONLY_ELSEWHERE, PROOFS, Proof
from tools.smoke.stage import Stage, UnmetError

DEMO = Path(__file__).resolve().parents[2] / "build" / "demo"
PATIENCE_SECONDS = 1800.0


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    target = Target(local=asked.local, profile=asked.profile, region=asked.region, env=asked.env)
    try:
        return smoke(connect(target), asked.sample, asked.model, large=asked.large, more=_of_the_account(target))
    except DropscoreError as error:
        say(f"error: {error}")
        return 3
    except (ClientError, BotoCoreError) as error:
        say(f"error: AWS returned an error: {error}")
        return 4


def smoke(
    there: Deployment, sample: Path, model: Path | None, *, large: bool = False, more: tuple[Proof, ...] = ()
) -> int:
    """Run every check, also after a failure; returns the exit code."""
    expected = expected_scores(model, sample) if model else None
    stage = Stage(there, sample.read_bytes(), expected, PATIENCE_SECONDS)
    proofs = (*PROOFS, *more, LARGE) if large else (*PROOFS, *more)
    try:
        kept = [proof for proof in proofs if _tried(proof, stage)]
    finally:
        stage.clear()
    _report(kept, proofs, compared=expected is not None)
    return 0 if len(kept) == len(proofs) else 1


def _of_the_account(target: Target) -> tuple[Proof, ...]:
    if target.local:
        return ()
    session = boto3.Session(profile_name=target.profile, region_name=target.region)
    return Account(session, target.env or "dev").proofs()


def _tried(proof: Proof, stage: Stage) -> bool:
    began = time.monotonic()
    try:
        proof.prove(stage)
    except (UnmetError, DropscoreError, ClientError, BotoCoreError, KeyError) as error:
        write(f"NOT KEPT  {proof.says}: {error}")
        return False
    write(f"kept      {proof.says} ({time.monotonic() - began:.0f} s)")
    return True


def _report(kept: list[Proof], proofs: tuple[Proof, ...], *, compared: bool) -> None:
    witnessed = sorted({number for proof in kept for number in proof.promises})
    broken = sorted({number for proof in proofs if proof not in kept for number in proof.promises})
    write("")
    write(f"promises with a witness here: {', '.join(map(str, witnessed)) or 'none'}")
    if broken:
        write(f"promises in doubt: {', '.join(map(str, broken))}; docs/promises.md says what each is")
    for number, where in ONLY_ELSEWHERE.items():
        if number not in witnessed:
            write(f"promise {number} has none here; {where}")
    if not compared:
        write("scores were counted, not compared: name the deployed artifact by MODEL=… to compare them")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="smoke", description="Prove a deployment in its account. Deploys nothing.")
    parser.add_argument("--env", help="the deployment's name, `deploy.env`")
    parser.add_argument("--profile", help="of the AWS credentials")
    parser.add_argument("--region", help="of the deployment")
    parser.add_argument("--local", action="store_true", help="the embedded cloud that `dropscore local up` started")
    parser.add_argument("--sample", type=Path, default=DEMO / "sample.csv", help="a CSV without a header")
    parser.add_argument("--model", type=Path, help="the deployed model.tar.gz: compare the scores with its own")
    parser.add_argument("--large", action="store_true", help="also a file of half a gigabyte, in shards")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
