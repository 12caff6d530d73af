"""The container's entry: `python serve.py [serve | train]`.

Serving starts only with a model it can vouch for; SIGTERM ends it cleanly. Training is loaded only when asked for.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

from serving.contract import Server, Service
from serving.gate import Gate
from serving.loading import BadArtefactError, load
from serving.log import log
from serving.settings import Settings

STOP_SECONDS = 20  # SageMaker kills 30 s after SIGTERM


def main(arguments: Sequence[str]) -> int:
    if list(arguments) == ["train"]:
        import train

        return train.main()
    if list(arguments) not in ([], ["serve"]):
        print("usage: serve.py [serve | train]", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return serve(Settings.from_env(os.environ), stop)


def serve(settings: Settings, stop: threading.Event) -> int:
    started = time.monotonic()
    try:
        model = load(settings.model_dir, settings.model_sha256)
    except BadArtefactError as error:
        log("refused_to_start", message=str(error))
        return 1
    gate = Gate(running=settings.running, waiting=settings.waiting)
    service = Service(model=model, gate=gate, max_body_bytes=settings.max_body_bytes)
    with Server((settings.host, settings.port), service) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        seconds = round(time.monotonic() - started, 3)
        told = {"model": model.sha256, "features": model.schema.features, "booster": model.kind}
        log("ready", port=server.server_port, **told, load_seconds=seconds)
        stop.wait()
        server.shutdown()
        server.server_close()  # who comes now is told so at once, instead of waiting in the backlog
        is_done = gate.close(STOP_SECONDS)
    log("stopped", requests_finished=is_done)
    return 0 if is_done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
