"""Turns an image's build context and Dockerfile into a folder and a command that run without a container.

In the last stage, WORKDIR, ENV, COPY from the context and an exec-form ENTRYPOINT are applied. RUN is ignored: it is
assumed to install requirements.txt, and `python` becomes the interpreter of that environment. CMD is ignored too:
containers are always started with arguments, which replace it.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dropscore.errors import ConfigurationError

IGNORED = {"RUN", "USER", "EXPOSE", "LABEL", "HEALTHCHECK", "STOPSIGNAL", "ARG", "CMD"}


@dataclass(frozen=True)
class Image:
    """How to start the image's process: `command` and the arguments, in `directory`, with `environment`."""

    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str]


def unpack(context: Path, dockerfile: str, interpreter: Path, into: Path) -> Image:
    """Copy the last stage's files to `into` as in the image. Raises ConfigurationError."""
    workdir, environment, command = PurePosixPath("/"), dict[str, str](), list[str]()
    for instruction, argument in _last_stage((context / dockerfile).read_text()):
        try:
            if instruction == "WORKDIR":
                workdir = workdir / argument
            elif instruction == "ENV":
                environment |= _variables(argument)
            elif instruction == "COPY":
                _copy(argument, context, into, workdir)
            elif instruction == "ENTRYPOINT":
                command = _exec_form(argument)
            elif instruction not in IGNORED:
                raise ValueError("this instruction is not supported")  # noqa: TRY301
        except (ValueError, OSError) as error:
            raise ConfigurationError(f"{dockerfile}: the embedded cloud cannot apply {instruction}: {error}") from None
    if not command:
        raise ConfigurationError(
            f'{dockerfile}: the embedded cloud needs an exec-form ENTRYPOINT, such as ENTRYPOINT ["python", '
            '"server.py"]. CMD does not replace it: SageMaker starts an image with the argument `serve` instead of CMD'
        )
    directory = _inside(into, workdir)
    directory.mkdir(parents=True, exist_ok=True)
    mapped = {name: _mapped(value, into) for name, value in environment.items()}
    return Image((str(interpreter), *command[1:]), directory, mapped)


def _variables(argument: str) -> dict[str, str]:
    words = shlex.split(argument)
    if not all("=" in word for word in words):
        raise ValueError("write it as ENV NAME=value")
    if "$" in argument:
        raise ValueError("values must not refer to other variables; write the value out")
    return dict(word.split("=", 1) for word in words)


def _exec_form(argument: str) -> list[str]:
    try:
        command = json.loads(argument)
    except json.JSONDecodeError:
        raise ValueError('write it as a list, ["python", "server.py"]; otherwise a shell receives SIGTERM') from None
    if not command or PurePosixPath(command[0]).name not in {"python", "python3"}:
        raise ValueError("it must start `python` or `python3`, which runs in the environment of requirements.txt")
    return list(map(str, command))


def _last_stage(text: str) -> Iterator[tuple[str, str]]:
    """(instruction, argument) pairs after the last FROM, continuation lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    pairs = [
        (word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.split("\n")) if word
    ]
    stages = [index for index, (word, _) in enumerate(pairs) if word == "FROM"]
    yield from pairs[stages[-1] + 1 if stages else 0 :]


def _copy(argument: str, context: Path, into: Path, workdir: PurePosixPath) -> None:
    words = shlex.split(argument)
    if any(word.startswith("--from=") for word in words):
        return  # an earlier stage's packages are in the interpreter's environment
    *sources, target = [word for word in words if not word.startswith("--")]
    into_folder = target.endswith("/") or target in {".", "./"} or len(sources) > 1
    for source in sources:
        for origin in _found(context, source):
            goal = _inside(into, workdir / target)
            if origin.is_dir():
                shutil.copytree(origin, goal, dirs_exist_ok=True)
            else:
                goal = goal / origin.name if into_folder else goal
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(origin, goal)


def _found(context: Path, source: str) -> list[Path]:
    found = [context] if source in {".", "./"} else sorted(context.glob(source.removeprefix("/")))
    if not found:
        raise ValueError(f"{source} is not in the build context; check the folder and its .dockerignore")
    return found


def _inside(root: Path, path: PurePosixPath) -> Path:
    return root / path.relative_to("/")


def _mapped(value: str, root: Path) -> str:
    """Map absolute image paths in an ENV value to paths below `root`."""
    parts = value.split(":")
    return ":".join(str(_inside(root, PurePosixPath(part))) if part.startswith("/") else part for part in parts)
