"""`python -I -S guard.py FD COMMAND…`: runs COMMAND in this process's group, and ends all of it when FD closes.

The shim holds the other end of FD. Killed by `kill -9`, it can end nothing any more: this process does. It starts the
command itself, so there is no moment at which one runs without the other. Imports little, for every job waits for it.
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
    """SIGTERM goes to the whole group. A handler, unlike SIG_IGN, is not inherited by the command."""


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
