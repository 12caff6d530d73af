"""Why a training job ends without a model.

TrainingError      the job's order or its data are at fault: exit 1, the message goes to /opt/ml/output/failure
StoppedError       SIGTERM came; what can be resumed is in /opt/ml/checkpoints: exit 143
"""

from __future__ import annotations


class TrainingError(Exception):
    """The message says what is wrong, where, and what to do. Never row content."""


class StoppedError(Exception):
    pass
