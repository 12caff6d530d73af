"""Why a training job ends without a model.

TrainingError      the job's configuration or data is wrong: exit 1, the message goes to /opt/ml/output/failure
StoppedError       SIGTERM; /opt/ml/checkpoints has what is needed to resume: exit 143
"""

from __future__ import annotations


class TrainingError(Exception):
    """The message says what is wrong, where, and what to do. Never row content."""


class StoppedError(Exception):
    pass
