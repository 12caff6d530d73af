"""`python -m local.shim SETTINGS SOCKET_FD`: runs until SIGTERM, or until one of its lifelines ends."""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from local.shim.authority import Authority
from local.shim.batch.attempt import ContainerHost
from local.shim.batch.queue import Jobs
from local.shim.batch.service import Batch
from local.shim.image import Image, unpack
from local.shim.resources import ShimSettings, parse
from local.shim.sagemaker.endpoint import ModelServer
from local.shim.server import Shim

JOBS_PER_CORE = 2


def main(settings: ShimSettings, listening: socket.socket) -> None:
    settings.state.mkdir(parents=True, exist_ok=True)
    authority = Authority(settings.emulator_url, settings.root)
    resources = parse(settings.resources)
    host = ContainerHost(
        emulator_url=settings.emulator_url,
        shim_url=f"http://127.0.0.1:{listening.getsockname()[1]}",
        state=settings.state,
    )
    images = {tag: _image(settings, tag) for tag in settings.images}
    endpoints = {
        name: ModelServer(endpoint, images[endpoint.image.rsplit(":", 1)[1]], authority, host)
        for name, endpoint in resources.endpoints.items()
    }
    events = Events(authority)
    batch = Batch(resources, images, authority, host, Jobs(settings.state / "jobs.json", events.put))
    for server in endpoints.values():
        server.start()
    batch.start(JOBS_PER_CORE * (os.cpu_count() or 1))
    shim = Shim(
        listening, batch=batch, endpoints=endpoints, authority=authority, max_payload_bytes=settings.max_payload_bytes
    )
    # The parent opened the socket, so earlier requests are waiting in its backlog.
    threading.Thread(target=shim.serve_forever, daemon=True).start()
    _wait_for_end()
    # Before the endpoints, which running jobs call until they end.
    batch.stop()
    for server in endpoints.values():
        server.stop()


class Events:
    """Delivers Batch's state changes one at a time, so that a job's events arrive in order."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._deliver, daemon=True).start()

    def put(self, detail: dict[str, Any]) -> None:
        self._waiting.put(detail)

    def _deliver(self) -> None:
        while True:
            detail = self._waiting.get()
            while True:
                try:
                    self._authority.deliver("aws.batch", "Batch Job State Change", detail, [detail["jobArn"]])
                    break
                except OSError as error:
                    print(f"event of job {detail['jobId']} not sent, retrying: {error}", file=sys.stderr, flush=True)
                    time.sleep(0.5)


def _image(settings: ShimSettings, tag: str) -> Image:
    files = settings.images[tag]
    into = settings.state / "images" / tag
    return unpack(Path(files["context"]), files["dockerfile"], Path(files["interpreter"]), into)


def _wait_for_end() -> None:
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    for lifeline in os.environ.get("DROPSCORE_LIFELINES", "").split():
        threading.Thread(target=_end_with, args=(int(lifeline), end), daemon=True).start()
    end.wait()


def _end_with(lifeline: int, end: threading.Event) -> None:
    if not os.read(lifeline, 1):  # a byte means: continue without the holder
        end.set()


if __name__ == "__main__":
    main(ShimSettings.read(Path(sys.argv[1])), socket.socket(fileno=int(sys.argv[2])))
