"""`python -I -S guard.py FD COMMAND…`: runs COMMAND in this process's group, and ends all of it when FD closes.

The shim holds the other end of FD, so this process ends the command even if the shim is killed. It starts the command
itself, so that the command never runs without it. It imports little, because every job waits for its start.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys


def main(lifeline: int, command: list[str]) -> int:
    signal.signal(signal.SIGTERM, _leave_it_to_the_command)
    child = os.fork()
    if child == 0:
        os.close(lifeline)
        _run(command)
    _thread.start_new_thread(_end_with, (lifeline,))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


def _run(command: list[str]) -> None:
    try:
        os.execvp(command[0], command)  # noqa: S606 - the image's own command
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)


def _leave_it_to_the_command(_number: int, _frame: object) -> None:
    """Ignore SIGTERM, which the whole group receives. Unlike SIG_IGN, the command does not inherit a handler."""


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
