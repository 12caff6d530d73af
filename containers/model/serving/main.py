"""`serve`: the model server. It starts only with a model that passes its checks; SIGTERM stops it cleanly."""

from __future__ import annotations

import os
import signal
import threading
import time

from model.serving.http.admission import Admission
from model.serving.http.contract import Server, Service
from model.serving.loading import BadArtifactError, load, size_of
from model.serving.log import log
from model.serving.model import Model
from model.serving.settings import Settings
from model.serving.trial import InterruptedTrialError, TrialError, attempt, limited

STOP_SECONDS = 20  # SageMaker kills 30 s after SIGTERM
LOAD_SECONDS = 8
LOAD_BYTES_PER_SECOND = 10_000_000  # larger models get more time
LOAD_MEMORY_BYTES = 512 * 1024 * 1024
LOAD_MEMORY_PER_BYTE = 32  # XGBoost's parsed JSON takes that many times the memory of its text


def main() -> int:
    stop = threading.Event()
    # Before the model is loaded, so that SIGTERM ends the loading too.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return serve(Settings.from_env(os.environ), stop)


def serve(settings: Settings, stop: threading.Event) -> int:
    started = time.monotonic()
    try:
        model = _load(settings, stop)
    except (BadArtifactError, TrialError) as error:
        log("refused_to_start", message=str(error))
        return 1
    except InterruptedTrialError:
        log("stopped", requests_finished=True)
        return 0
    seconds = round(time.monotonic() - started, 3)
    with Server((settings.host, settings.port), _service(settings, model)) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        about = {"model": model.sha256, "features": model.schema.features, "booster": model.booster_type}
        log("ready", port=server.server_port, **about, load_seconds=seconds)
        stop.wait()
        # In this order: accept nothing new, refuse what waits, then let running requests finish.
        server.shutdown()
        server.server_close()  # the system refuses new connections at once instead of queueing them
        is_done = server.service.admission.close(STOP_SECONDS)
    log("stopped", requests_finished=is_done)
    if not is_done:
        os._exit(0)  # a normal exit would wait for threads that are still scoring
    return 0


def _load(settings: Settings, stop: threading.Event) -> Model:
    """Load the model twice: first in a child process with limited time and memory, then here."""
    size = size_of(settings.model_dir)
    memory_bytes = LOAD_MEMORY_BYTES + LOAD_MEMORY_PER_BYTE * size
    seconds = LOAD_SECONDS + size / LOAD_BYTES_PER_SECOND

    def work() -> Model:
        return load(settings.model_dir, settings.model_sha256)

    attempt(work, seconds=seconds, memory_bytes=memory_bytes, is_stopped=stop.is_set)
    with limited(memory_bytes):
        return work()


def _service(settings: Settings, model: Model) -> Service:
    places = settings.running + settings.waiting
    admission = Admission(
        running=settings.running, waiting=settings.waiting, memory_bytes=places * settings.max_body_bytes
    )
    limit, seconds = settings.max_body_bytes, settings.transfer_seconds
    return Service(model=model, admission=admission, max_body_bytes=limit, transfer_seconds=seconds)
