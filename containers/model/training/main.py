"""`train`: one SageMaker training job in the folders below /opt/ml.

Exit codes: 0 the model is saved; 1 it is not, and output/failure says why; 143 SIGTERM came and checkpoints are kept.
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
from model.training.progress import say
from model.training.stopping import Stop

REASON_CHARACTERS = 1024  # what SageMaker reads
STOPPED = 143


def main() -> int:
    folders, stop = Folders.from_env(os.environ), Stop()
    stop.listen()
    try:
        run(folders, stop)
    except StoppedError:
        say("stopped by SIGTERM; start the job again with the same checkpoint folder to go on")
        return STOPPED
    except TrainingError as error:
        return _fail(folders, str(error))
    except xgboost.core.XGBoostError as error:
        return _fail(folders, f"XGBoost refused: {_said(error)}")
    except Exception as error:  # noqa: BLE001
        # The edge: an unforeseen message may quote a row, so the kind of error and the place must do.
        places = [f"{at.name}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)]
        return _fail(
            folders, f"{type(error).__name__} at {' > '.join(places)}: a fault of the container, please report it"
        )
    return 0


def _said(error: Exception) -> str:
    """Without the times and places in XGBoost's sources that it puts first, and without its stack."""
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
