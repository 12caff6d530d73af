"""Starts MiniStack with AWS behavior that the pinned release lacks.

1. S3's `Object Created` event of a versioned bucket carries `version-id`.
2. A rule's Lambda target is an asynchronous invocation: retried twice, then sent to the function's dead-letter queue.
3. A GET with a version and a range returns that range; the release sends the whole object.
4. Every request must be signed, including root's (`authentication.py`), and a function's credentials cannot be guessed.
5. The shim acts as AWS services, so root may deliver `aws.batch` events and ask who signed a request
   (`POST /_dropscore/events` and `/_dropscore/caller`).
6. Events wait until a function has a free slot. The release starts a process for each event at once, so that many
   files make every invocation time out.
7. The state is saved while the emulator runs, after the first `POST /_dropscore/save`, because it may be killed.

Runs in the emulator's interpreter and imports only this folder. Each function is checked before it is wrapped, so that
a changed release stops at startup instead of misbehaving.
"""

from __future__ import annotations

import contextlib
import contextvars
import fcntl
import hashlib
import hmac
import importlib
import importlib.metadata
import inspect
import json
import logging
import os
import signal
import sys
import threading
import time
import types
import uuid
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from local.emulator.authentication import AuthenticationMiddleware, Callers
from local.emulator.signature import RefusedError

RELEASE = "1.5.33"
ACCOUNT = "000000000000"
# Without a limit, 200 files made 200 cold starts on two cores: 516 invocations timed out, and their events became
# dead letters.
EVENTS_PER_CORE = 2  # events that one function handles at a time


def check_release(version: str) -> None:
    if version != RELEASE:
        sys.exit(f"local/emulator/launch.py supports MiniStack {RELEASE}, not {version}: check the functions it wraps")


def require_function(module: Any, name: str, *parameters: str) -> Callable[..., Any]:
    """Return the function `module.name`; exit if it is missing or does not take `parameters`."""
    function = getattr(module, name, None)
    if not callable(function):
        sys.exit(f"MiniStack's {module.__name__} has no function {name}: local/emulator/launch.py must be adapted")
    missing = set(parameters) - set(inspect.signature(function).parameters)
    if missing:
        sys.exit(
            f"MiniStack's {module.__name__}.{name} no longer takes {sorted(missing)}: adapt local/emulator/launch.py"
        )
    return function  # type: ignore[no-any-return]


def add_version_ids(s3: Any, eventbridge: Any) -> None:
    """Add the version id to `Object Created` events, as S3 does for a versioned bucket."""
    fire = require_function(s3, "_fire_s3_event", "bucket_name", "key", "version_id")
    dispatch = require_function(eventbridge, "_dispatch_event", "event", "view")
    # The release does not pass the version on to the event, so it travels in the context.
    current: contextvars.ContextVar[str | None] = contextvars.ContextVar("version_id", default=None)

    def fire_with_version(*args: Any, version_id: str | None = None, **kwargs: Any) -> None:
        token = current.set(version_id)
        try:
            fire(*args, version_id=version_id, **kwargs)
        finally:
            current.reset(token)

    def dispatch_with_version(event: dict[str, Any], view: Any = None) -> None:
        version = current.get()
        if version and event["Source"] == "aws.s3":
            detail = json.loads(event["Detail"])
            detail["object"]["version-id"] = version
            event, view = {**event, "Detail": json.dumps(detail)}, None
        dispatch(event, view)

    s3._fire_s3_event = fire_with_version
    eventbridge._dispatch_event = dispatch_with_version


def support_version_ranges(s3: Any) -> None:
    """Return the range for a GET with `versionId` and `Range`, as S3 does."""
    get = require_function(s3, "_get_object", "bucket_name", "key", "headers", "query_params")
    parse = require_function(s3, "_parse_range")
    refusal = require_function(s3, "_range_error_xml")
    written = require_function(s3, "_xml_body")

    def get_range(bucket_name: str, key: str, headers: Any, query_params: Any = None) -> Any:
        status, answered, body = get(bucket_name, key, headers, query_params)
        if status != 200 or not headers.get("range") or not (query_params or {}).get("versionId"):
            return status, answered, body
        found = parse(headers["range"], len(body))
        if found is None:
            error_headers = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
            return 416, error_headers, written(refusal(bucket_name, key))
        start, end = found
        # The checksum is that of the whole object, and would not match the range.
        kept = {name: value for name, value in answered.items() if not name.lower().startswith("x-amz-checksum")}
        place = {"Content-Length": str(end + 1 - start), "Content-Range": f"bytes {start}-{end}/{len(body)}"}
        return 206, kept | place, body[start : end + 1]

    s3._get_object = get_range


def retry_rule_targets(eventbridge: Any, lambdas: Any) -> None:
    """Invoke rule targets asynchronously with retries, as EventBridge does; the release ignores failures."""
    require_function(eventbridge, "_dispatch_to_lambda", "arn", "payload")
    find = require_function(lambdas, "_get_func_record_for_ref")
    record = require_function(lambdas, "_execution_record_for_config")
    invoke = require_function(lambdas, "invoke_async_with_retry", "func", "event")

    def dispatch_to_lambda(arn: str, payload: str) -> None:
        function, config, name = find(arn)
        if not function or not config:
            raise LookupError(f"the rule's target function {name} does not exist")
        invoke(record(function, config), json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch_to_lambda


def queue_events(lambdas: Any, at_once: int) -> None:
    """Let each function handle `at_once` events at a time; the others wait before their timeout starts.

    AWS does the same at a function's concurrency limit. Synchronous invocations are not queued: a function that calls
    itself would wait for its own end.
    """
    execute = require_function(lambdas, "_execute_function", "func", "event")
    invoke = require_function(lambdas, "invoke_async_with_retry", "func", "event")
    is_event: contextvars.ContextVar[bool] = contextvars.ContextVar("is_event", default=False)
    places: defaultdict[str, threading.Semaphore] = defaultdict(partial(threading.Semaphore, at_once))
    lock = threading.Lock()

    def execute_in_turn(func: Any, event: Any) -> Any:
        if not is_event.get():
            return execute(func, event)
        with lock:
            place = places[(func.get("config") or func)["FunctionName"]]
        token = is_event.set(False)  # the release calls this again for another account or region
        try:
            with place:
                return execute(func, event)
        finally:
            is_event.reset(token)

    def invoke_in_turn(func: Any, event: Any) -> None:
        token = is_event.set(True)  # the release's new thread copies this context
        try:
            invoke(func, event)
        finally:
            is_event.reset(token)

    lambdas._execute_function = execute_in_turn
    lambdas.invoke_async_with_retry = invoke_in_turn


def emulator_callers(evaluator: Any, responses: Any, root: str, root_secret: str) -> Callers:
    """The principals of the emulator's IAM and STS, without the guessable access keys of root."""
    resolve = require_function(evaluator, "resolve_credential", "access_key_id", "account_id", "session_token")
    is_guessable = require_function(evaluator, "is_root_access_key", "access_key_id")
    identity = require_function(evaluator, "resolve_caller_identity", "access_key_id")
    account_of = require_function(responses, "_account_from_sts_session")

    def secret_of(access_key: str, token: str) -> str:
        if is_guessable(access_key):
            raise RefusedError("InvalidClientTokenId", "The security token included in the request is invalid.")
        found = resolve(access_key, account_of(access_key) or ACCOUNT, token)
        if not hasattr(found, "secret_access_key"):
            raise RefusedError(found.code, found.message)
        return str(found.secret_access_key)

    def arn_of(access_key: str) -> str:
        return str(identity(access_key)["userArn"])

    return Callers(root, root_secret, secret_of, arn_of)


def hide_function_credentials(runtime: Any, root_secret: str) -> None:
    """Derive function credentials with a secret; the release hashes only the ARNs, which anyone can compute."""
    require_function(runtime, "execution_credentials", "config")

    def keyed(data: bytes) -> hmac.HMAC:
        return hmac.new(root_secret.encode(), data, hashlib.sha256)

    runtime.hashlib = types.SimpleNamespace(sha256=keyed)


def adopt_buckets(emulator: Any, s3: Any) -> None:
    """Set the region of restored buckets whose metadata was lost when the emulator was killed."""
    load = require_function(emulator, "_load_persisted_state")

    def load_and_adopt() -> None:
        load()
        for bucket in s3._buckets._data.values():
            bucket["region"] = bucket.get("region") or os.environ["AWS_REGION"]

    emulator._load_persisted_state = load_and_adopt


def state_saver(emulator: Any, persistence: Any) -> Callable[[], bool]:
    services = require_function(emulator, "_build_persistence_save_dict")
    write = require_function(persistence, "save_state", "service", "data")
    encode = require_function(persistence, "_json_default")
    written: dict[str, str] = {}

    def save() -> bool:
        """Write each service's changed state. Returns False if one changed while it was read, so save again."""
        is_whole = True
        for service, state_of in services().items():
            try:
                state = state_of()
                text = json.dumps(state, default=encode)
            except RuntimeError:  # an emulator thread changed a dictionary while it was read
                is_whole = False
                continue
            if state is not None and written.get(service) != text:
                write(service, state)
                written[service] = text
        return is_whole

    return save


def event_sender(eventbridge: Any, responses: Any) -> Callable[[Any], None]:
    set_account = require_function(responses, "set_request_account_id")
    set_region = require_function(responses, "set_request_region")

    def deliver(event: dict[str, Any]) -> None:
        """Put an event on the default bus as an AWS service does."""
        set_account(ACCOUNT)
        set_region(event["region"])
        record = {
            "EventId": str(uuid.uuid4()),
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "EventBusName": "default",
            "Time": int(time.time()),
            "Resources": event["resources"],
            "Account": ACCOUNT,
            "Region": event["region"],
        }
        eventbridge._dispatch_event(record)

    return deliver


def hold_lock(lock: Path) -> int:
    """Hold the lock that shows clients that the emulator is running. Returns its file descriptor."""
    held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(100):
        with contextlib.suppress(BlockingIOError):  # a client checks it, or the previous emulator is ending
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return held
        time.sleep(0.1)
    sys.exit(f"another emulator is running in {lock.parent}: stop it with `dropscore local down`")


def end_with_others() -> None:
    """End when a holder of one of the lifelines ends, so that a killed parent leaves no emulator."""
    for lifeline in os.environ.pop("DROPSCORE_LIFELINES", "").split():
        threading.Thread(target=_end_with, args=(int(lifeline),), daemon=True).start()


def _end_with(lifeline: int) -> None:
    if not os.read(lifeline, 1):  # a byte means: continue without the holder
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    end_with_others()
    # The descriptor is never closed: the lock ends with the process, however it ends.
    hold_lock(Path(sys.argv[1]) / "alive")
    check_release(importlib.metadata.version("ministack"))
    root, root_secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    emulator: Any = importlib.import_module("ministack.app")
    evaluator = importlib.import_module("ministack.core.iam_evaluator")
    responses = importlib.import_module("ministack.core.responses")
    eventbridge = importlib.import_module("ministack.services.eventbridge")
    s3 = importlib.import_module("ministack.services.s3")
    add_version_ids(s3, eventbridge)
    support_version_ranges(s3)
    lambdas = importlib.import_module("ministack.services.lambda_svc")
    # Before `retry_rule_targets`, which keeps the function that it finds.
    queue_events(lambdas, EVENTS_PER_CORE * (os.cpu_count() or 1))
    retry_rule_targets(eventbridge, lambdas)
    hide_function_credentials(importlib.import_module("ministack.core.lambda_runtime"), root_secret)
    adopt_buckets(emulator, s3)
    logging.getLogger("persistence").setLevel(logging.WARNING)  # it would log a line per service every second
    del sys.argv[1:]  # the folder argument only marks the process
    emulator.app = AuthenticationMiddleware(
        emulator.app,
        int(os.environ["GATEWAY_PORT"]),
        emulator_callers(evaluator, responses, root, root_secret),
        event_sender(eventbridge, responses),
        state_saver(emulator, importlib.import_module("ministack.core.persistence")),
    )
    emulator.main()


if __name__ == "__main__":
    main()
