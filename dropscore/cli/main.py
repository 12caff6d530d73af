"""`dropscore`: one command line for deployments in AWS and for the embedded cloud on this machine.

Data goes to stdout, messages to stderr. Exit codes: 0 done, 1 a job failed or rows were rejected, 2 usage,
3 configuration or credentials, 4 AWS returned an error, 130 interrupted.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points, version
from typing import Annotated

import typer
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

from dropscore.aws.faults import permission_of
from dropscore.cli import jobs, redrive, restore, retry, score, verify
from dropscore.cli.options import Env, Local, Profile, Region, Target
from dropscore.cli.output import say, say_crash, write
from dropscore.errors import CloudError, ConfigurationError, DropscoreError, JobError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
app.command("score")(score.score)
app.command("jobs")(jobs.jobs)
app.command("status")(jobs.status)
app.command("result")(jobs.result)
app.command("verify")(verify.verify)
app.command("retry")(retry.retry)
app.command("redrive")(redrive.redrive)
app.command("restore")(restore.restore)
# `local`, `model` and `train` join by entry point: the core must not import them, because they load the CDK, the
# emulator and XGBoost. Their modules must be cheap to import, since `dropscore --help` loads them all.
for _entry in sorted(entry_points(group="dropscore.commands"), key=lambda entry: entry.name):
    _loaded = _entry.load()
    if isinstance(_loaded, typer.Typer):
        app.add_typer(_loaded, name=_entry.name)
    else:
        app.command(_entry.name)(_loaded)

_ADVICE = {
    "ACCESS_DENIED": "docs/access.md says which permissions a command needs",
    "THROTTLED": "try again",
    "AWS_ERROR": "this is unexpected; please report it",
    "AWS_UNREACHABLE": "check your network connection, then try again",
}
"""What to do after an AWS error of the command line itself, by error code."""
_ACCOUNT_MISSING = (NoCredentialsError, NoRegionError, PartialCredentialsError, ProfileNotFound)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        write(version("dropscore"))
        raise typer.Exit


@app.callback()
def dropscore(
    context: typer.Context,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
    _version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Drop a CSV into a bucket, get it scored by your own model."""
    context.obj = Target(local=local, profile=profile, region=region, env=env)


def main() -> None:
    sys.excepthook = say_crash
    try:
        sys.exit(typer.main.get_command(app)(standalone_mode=False))  # `app()` would set a hook of its own
    except typer.TyperException as error:
        _stop_at_usage(error)
    except JobError as error:
        _stop(_cloud_error(error) if error.code in _ADVICE else error)
    except DropscoreError as error:
        _stop(error)
    except S3UploadFailedError as error:  # it has the AWS error only as text
        _stop(CloudError(str(error)))
    except _ACCOUNT_MISSING as error:
        _stop(ConfigurationError(f"{error}; pass --profile and --region, or --local for the embedded cloud"))
    except ClientError as error:
        details = error.response["Error"]
        _stop(CloudError(f"AWS refused {permission_of(error)}: {details.get('Code')}: {details.get('Message')}"))
    except BotoCoreError as error:
        _stop(CloudError(f"the request to AWS failed: {error}"))


def _cloud_error(error: JobError) -> CloudError:
    """The error without its advice for jobs, which is the text after the last semicolon."""
    problem, _, advice = error.text.rpartition("; ")
    return CloudError(f"{problem or advice}; {_ADVICE[error.code]}")


def _stop_at_usage(error: typer.TyperException) -> None:
    """The message is empty for a command without arguments, whose help is printed already."""
    context, message = getattr(error, "ctx", None), error.format_message()
    if context is not None and message:
        say(f"{context.get_usage()}\nTry '{context.command_path} --help' for help.")
    if message:
        say(f"error: {message}")
    sys.exit(error.exit_code)


def _stop(error: DropscoreError) -> None:
    say(f"error: {error}")
    sys.exit(error.exit_code)
