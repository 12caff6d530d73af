"""`train`: one SageMaker training job in the folders below /opt/ml.

Exit codes: 0 the model is saved; 1 training failed, and output/failure has the reason; 143 SIGTERM, checkpoints kept.
"""

from __future__ import annotations

import os
import re
import sys
import traceback

import xgboost

from model.training.errors import StoppedError, TrainingError
from model.training.folders import Folders
from model.training.job import run
from model.training.progress import Stop, print_line

REASON_CHARACTERS = 1024  # SageMaker reads no more
STOPPED = 143


def main() -> int:
    folders, stop = Folders.from_env(os.environ), Stop()
    stop.listen()
    try:
        run(folders, stop)
    except StoppedError:
        print_line("stopped by SIGTERM; run the job again with the same checkpoint folder to resume")
        return STOPPED
    except TrainingError as error:
        return _fail(folders, str(error))
    except xgboost.core.XGBoostError as error:
        return _fail(folders, f"XGBoost failed: {_xgboost_message(error)}")
    except Exception as error:  # noqa: BLE001
        # The message of an unexpected error may quote a row, so report only its type and place.
        places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        return _fail(
            folders, f"{type(error).__name__} at {' > '.join(places)}: this is a bug in the container, please report it"
        )
    return 0


def _xgboost_message(error: Exception) -> str:
    """Return the message without XGBoost's timestamps, source positions and stack trace."""
    text = re.sub(r"(- )?\[[\w.|: ]+\]:?( /\S+:\d+:)?", "", str(error).partition("Stack trace:")[0])
    return " ".join(text.split())


def _fail(folders: Folders, reason: str) -> int:
    print(f"error: {reason}", file=sys.stderr, flush=True)
    try:
        folders.failure.parent.mkdir(parents=True, exist_ok=True)
        folders.failure.write_text(reason[:REASON_CHARACTERS], encoding="utf-8")
    except OSError as error:
        print(f"error: {folders.failure} cannot be written: {error.strerror}", file=sys.stderr, flush=True)
    return 1
