"""The environment of one case: a cloud, a model, Batch, faults, and functions and workers as processes."""

from __future__ import annotations

import itertools
import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto import mock_aws

from schema.keys import INPUT_PATTERNS as NAMES
from tests.faults.batch import DEFINITION, QUEUE, Batch
from tests.faults.cloud import BUCKET, REGION, TABLE, Cloud
from tests.faults.endpoint import Model
from tests.faults.processes import Process, Zygote, start_worker
from tests.faults.schedule import Answer, Call, Fault, ResetError, Schedule
from tests.faults.upload import Upload

EVENT_TRIES = 3  # Lambda retries an asynchronous invocation twice


class Laboratory:
    """`faults` are added to `schedule`; `order` holds options for each process (see zygote.py)."""

    def __init__(self, folder: Path, zygote: Zygote, url: str) -> None:
        self.folder, self.url = folder, url
        self._moto = mock_aws()
        self._moto.start()
        self.cloud, self.model, self.schedule = Cloud(), Model(), Schedule()
        self.batch = Batch(folder, self.start_worker)
        self.order: dict[str, Any] = {"share_of_sleeps": 0.002, "timeout_seconds": 5.0}
        self.max_bad_rows: str | int = 0
        self.header: str | bool = "auto"
        self.max_payload_bytes = 100
        self.features: int | None = None
        self.shard_bytes = 1 << 28
        self.is_real_start = False
        self.processes: dict[str, Process] = {}
        self.found: list[str] = []
        self._zygote = zygote
        self._numbers = itertools.count(1)
        self._started = threading.Condition()

    # requests to the cloud

    def answer(self, call: Call) -> Answer:
        real: dict[str, Callable[[Call], Answer]] = {
            "InvokeEndpoint": self.model.answer,
            "SubmitJob": self.batch.answer,
            "DescribeJobs": self.batch.describe,
        }
        return self.schedule.answer(call, lambda: real.get(call.operation, self.cloud.answer)(call))

    def fault(self, act: Any, **when: Any) -> Fault:
        fault = Fault(act=act, **when)
        self.schedule.faults.append(fault)
        return fault

    def check(self, is_kept: bool, violation: str) -> None:
        """Checks a promise that the story itself verifies."""
        if not is_kept:
            self.found.append(violation)

    # faults of the caller

    def process_of(self, call: Call) -> Process:
        with self._started:
            assert self._started.wait_for(lambda: call.caller in self.processes, 5), f"who is {call.caller!r}?"
            return self.processes[call.caller]

    def kill_before(self, call: Call, _forward: Callable[[], Answer]) -> Answer:
        self.process_of(call).kill()
        raise ResetError

    def kill_after(self, call: Call, forward: Callable[[], Answer]) -> Answer:
        forward()
        return self.kill_before(call, forward)

    def terminate(self, call: Call) -> None:
        self.process_of(call).send(signal.SIGTERM)

    def stall(self, call: Call) -> None:
        """Stops the process; Batch gives its host up."""
        process = self.process_of(call)
        process.send(signal.SIGSTOP)
        self.batch.abandon(process)

    def wake(self) -> None:
        for process in self.batch.abandoned:
            process.send(signal.SIGCONT)
            process.wait()

    # actions of users, S3 and Batch

    def put(self, data: bytes, key: str = "input/a.csv") -> Upload:
        return Upload(key, data, self.cloud.put(key, data))

    def deliver(self, *events: dict[str, Any]) -> None:
        """Sends all events to the function at once; a failed one is retried."""
        self._invoke("submit", list(events))

    def settle(self, side_by_side: int = 1) -> None:
        """Runs every job to its end and sends Batch's events."""
        self.batch.run(side_by_side)
        self.wake()
        events, self.batch.ended = self.batch.ended, []
        self.send_batch_events(*events)

    def send_batch_events(self, *events: dict[str, Any]) -> None:
        """Sends Batch's events, one after the other."""
        for event in events:
            self._invoke("track", [event])

    def reconcile(self) -> None:
        """Invokes the scheduled function, which finds what events missed, and runs its Batch jobs."""
        self._invoke("reconcile", [{}])
        self.settle()

    def score(self, upload: Upload) -> Upload:
        self.deliver(upload.event)
        self.settle()
        return upload

    def _invoke(self, function: str, events: list[dict[str, Any]]) -> None:
        for _ in range(EVENT_TRIES):
            started = [
                (self._start(function, {"handler": f"lambdas.scoring.{function}.handler", "event": event}), event)
                for event in events
            ]
            for process, _event in started:
                process.wait()
            events = [event for process, event in started if process.exit_code != 0]

    # processes

    def start_worker(self, arguments: list[str], environment: dict[str, str]) -> Process:
        return self._start("worker", {"arguments": arguments}, environment)

    def _start(self, program: str, order: dict[str, Any], environment: dict[str, str] | None = None) -> Process:
        name = f"{program}-{next(self._numbers)}"
        order = {"log": str(self.folder / f"{name}.log"), **self.order, **order}
        order["environment"] = {**self.environment(), "AWS_SDK_UA_APP_ID": name, **(environment or {})}
        with self._started:
            if self.is_real_start and program == "worker":
                process = start_worker(order["arguments"], order["environment"], Path(order["log"]))
            else:
                process = self._zygote.start(order)
            self.processes[name] = process
            self._started.notify_all()
        return process

    def _route(self) -> dict[str, Any]:
        return {"model": "fraud", "max_bad_rows": self.max_bad_rows, "header": self.header}

    def environment(self) -> dict[str, str]:
        """The environment variables that the stacks set for the functions and the job."""
        model = {
            "endpoint": "endpoint",
            "version": "0123456789ab",
            "max_payload_bytes": self.max_payload_bytes,
            "features": self.features,
        }
        return {
            "PATH": "/usr/bin:/bin",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
            "JOBS_TABLE": TABLE,
            "ENVIRONMENT": "test",
            "BUCKET": BUCKET,
            "MODELS": json.dumps({"fraud": model}),
            "INPUTS": json.dumps(NAMES),
            "ROUTES": json.dumps({"default": self._route()}),
            "MAX_CONCURRENT_REQUESTS": "2",
            "JOB_QUEUE": QUEUE,
            "JOB_DEFINITION": DEFINITION,
            "JOB_TTL_DAYS": "1",
            "RECONCILE_WINDOW_HOURS": "72",
            "RECONCILE_GRACE_MINUTES": "0",
            "SHARD_BYTES": str(self.shard_bytes),
            "WORKER_IMAGE": "worker:0123456789ab",
        }

    def logs(self, program: str = "") -> str:
        return "".join(file.read_text(errors="replace") for file in sorted(self.folder.glob(f"{program}*.log")))

    def close(self) -> None:
        for process in self.processes.values():
            if not process.ended.is_set():
                process.kill()
        self._moto.stop()
