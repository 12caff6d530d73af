"""Options that all commands share; they may come before or after the command's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

Local = Annotated[bool, typer.Option("--local", help="Use the embedded cloud (`dropscore local up`).")]
Profile = Annotated[str | None, typer.Option("--profile", help="AWS profile.", show_default="the environment's")]
Region = Annotated[str | None, typer.Option("--region", help="AWS region.", show_default="the profile's")]
Env = Annotated[str | None, typer.Option("--env", help="The deployment's name, deploy.env.", show_default="dev")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The deployment that a command talks to."""

    local: bool
    profile: str | None
    region: str | None
    env: str | None


def target(context: typer.Context, *, local: bool, profile: str | None, region: str | None, env: str | None) -> Target:
    """The target. Options after the command's name override those before it."""
    first: Target = context.obj
    return Target(
        local=local or first.local,
        profile=profile or first.profile,
        region=region or first.region,
        env=env or first.env,
    )
