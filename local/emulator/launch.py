"""Starts MiniStack with the things that AWS does and the pinned release does not.

1. S3's `Object Created` event of a versioned bucket carries `version-id`.
2. A rule's Lambda target is an asynchronous invocation: retried twice, then sent to the function's dead-letter queue.
3. A range of a named version is that range: the release sends the whole object.
4. Every request is signed, root's too (`gate.py`), and nobody can work out the credentials of a function's role.
5. The shim plays AWS services, so it may deliver `aws.batch` events and ask who signed a request
   (`POST /_dropscore/events` and `/_dropscore/caller`, which are root's).
6. Events wait until a function is free to handle them: the release starts a process for each at once, and a crowd of
   files then makes every invocation run into the function's timeout.
7. The state is saved while the emulator runs (`POST /_dropscore/save` begins it), for it may be killed.

Run by the emulator's interpreter; of ours it imports the other files of this folder. Each function it wraps is checked
first: a release whose insides moved stops here, loudly, instead of changing what an event says.
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

from local.emulator.authentication import Callers, Gate
from local.emulator.signature import RefusedError

RELEASE = "1.5.33"
ACCOUNT = "000000000000"
# Without a limit, 200 files made 200 cold starts on two cores: 516 invocations timed out, and their events became
# dead letters.
EVENTS_PER_CORE = 2  # of one function, under way at a time


def check_release(version: str) -> None:
    if version != RELEASE:
        sys.exit(f"local/emulator/launch.py was written for MiniStack {RELEASE}, not {version}: check what it wraps")


def checked(module: Any, name: str, *parameters: str) -> Callable[..., Any]:
    """`module.name`, once it is a function that still takes `parameters`."""
    function = getattr(module, name, None)
    if not callable(function):
        sys.exit(f"MiniStack's {module.__name__} has no function {name}: local/emulator/launch.py must be adapted")
    missing = set(parameters) - set(inspect.signature(function).parameters)
    if missing:
        sys.exit(
            f"MiniStack's {module.__name__}.{name} no longer takes {sorted(missing)}: adapt local/emulator/launch.py"
        )
    return function  # type: ignore[no-any-return]


def put_version_ids(s3: Any, eventbridge: Any) -> None:
    """Let `Object Created` say which version was created, as S3 does for a versioned bucket."""
    fire = checked(s3, "_fire_s3_event", "bucket_name", "key", "version_id")
    dispatch = checked(eventbridge, "_dispatch_event", "event", "view")
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


def cut_ranges_of_versions(s3: Any) -> None:
    """Let a GET with `versionId` and `Range` answer as S3 does."""
    get = checked(s3, "_get_object", "bucket_name", "key", "headers", "query_params")
    parse = checked(s3, "_parse_range")
    refusal = checked(s3, "_range_error_xml")
    written = checked(s3, "_xml_body")

    def get_range(bucket_name: str, key: str, headers: Any, query_params: Any = None) -> Any:
        status, answered, body = get(bucket_name, key, headers, query_params)
        if status != 200 or not headers.get("range") or not (query_params or {}).get("versionId"):
            return status, answered, body
        found = parse(headers["range"], len(body))
        if found is None:
            kind = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
            return 416, kind, written(refusal(bucket_name, key))
        start, end = found
        kept = {name: value for name, value in answered.items() if not name.lower().startswith("x-amz-checksum")}
        place = {"Content-Length": str(end + 1 - start), "Content-Range": f"bytes {start}-{end}/{len(body)}"}
        return 206, kept | place, body[start : end + 1]

    s3._get_object = get_range


def retry_rule_targets(eventbridge: Any, lambdas: Any) -> None:
    """EventBridge invokes Lambda asynchronously; the release calls it once and forgets a failure."""
    checked(eventbridge, "_dispatch_to_lambda", "arn", "payload")
    find = checked(lambdas, "_get_func_record_for_ref")
    record = checked(lambdas, "_execution_record_for_config")
    invoke = checked(lambdas, "invoke_async_with_retry", "func", "event")

    def dispatch_to_lambda(arn: str, payload: str) -> None:
        function, config, name = find(arn)
        if not function or not config:
            raise LookupError(f"the rule's target {name} does not exist")
        invoke(record(function, config), json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch_to_lambda


def queue_events(lambdas: Any, at_once: int) -> None:
    """Let each function handle `at_once` events at a time; the others wait, and their timeout has not begun.

    AWS does so for a function at its concurrency limit. Who invokes a function and waits for its answer is not queued:
    a function that calls itself would wait for its own end.
    """
    execute = checked(lambdas, "_execute_function", "func", "event")
    invoke = checked(lambdas, "invoke_async_with_retry", "func", "event")
    is_event: contextvars.ContextVar[bool] = contextvars.ContextVar("is_event", default=False)
    places: defaultdict[str, threading.Semaphore] = defaultdict(partial(threading.Semaphore, at_once))
    lock = threading.Lock()

    def execute_in_turn(func: Any, event: Any) -> Any:
        if not is_event.get():
            return execute(func, event)
        with lock:
            place = places[(func.get("config") or func)["FunctionName"]]
        token = is_event.set(False)  # the release calls itself again for another account or region
        try:
            with place:
                return execute(func, event)
        finally:
            is_event.reset(token)

    def invoke_in_turn(func: Any, event: Any) -> None:
        token = is_event.set(True)  # the thread that it starts gets a copy of this context
        try:
            invoke(func, event)
        finally:
            is_event.reset(token)

    lambdas._execute_function = execute_in_turn
    lambdas.invoke_async_with_retry = invoke_in_turn


def callers(evaluator: Any, responses: Any, root: str, root_secret: str) -> Callers:
    """Those that the emulator's IAM and STS know, but for the names of root that anybody could guess."""
    resolve = checked(evaluator, "resolve_credential", "access_key_id", "account_id", "session_token")
    is_guessable = checked(evaluator, "is_root_access_key", "access_key_id")
    identity = checked(evaluator, "resolve_caller_identity", "access_key_id")
    account_of = checked(responses, "_account_from_sts_session")

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
    """The release derives the credentials of a function's role from the ARNs of both by a plain digest."""
    checked(runtime, "execution_credentials", "config")

    def keyed(data: bytes) -> hmac.HMAC:
        return hmac.new(root_secret.encode(), data, hashlib.sha256)

    runtime.hashlib = types.SimpleNamespace(sha256=keyed)


def adopt_buckets(emulator: Any, s3: Any) -> None:
    """A bucket whose files are there, and whose description was lost with a killed emulator, is in our region."""
    load = checked(emulator, "_load_persisted_state")

    def load_and_adopt() -> None:
        load()
        for bucket in s3._buckets._data.values():
            bucket["region"] = bucket.get("region") or os.environ["AWS_REGION"]

    emulator._load_persisted_state = load_and_adopt


def saving(emulator: Any, persistence: Any) -> Callable[[], bool]:
    every = checked(emulator, "_build_persistence_save_dict")
    write = checked(persistence, "save_state", "service", "data")
    encode = checked(persistence, "_json_default")
    written: dict[str, str] = {}

    def save() -> bool:
        """Write the state of each service that has changed. False: one changed meanwhile, and is to be saved yet."""
        is_whole = True
        for service, state_of in every().items():
            try:
                state = state_of()
                text = json.dumps(state, default=encode)
            except RuntimeError:  # a dictionary grew while it was read, by a thread of the emulator's
                is_whole = False
                continue
            if state is not None and written.get(service) != text:
                write(service, state)
                written[service] = text
        return is_whole

    return save


def delivery(eventbridge: Any, responses: Any) -> Callable[[Any], None]:
    set_account = checked(responses, "set_request_account_id")
    set_region = checked(responses, "set_request_region")

    def deliver(event: dict[str, Any]) -> None:
        """Give the default bus an event that an AWS service would send."""
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


def hold(lock: Path) -> int:
    """Show that the emulator runs, for as long as it does; a client asks no one else in its place."""
    held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(100):
        with contextlib.suppress(BlockingIOError):  # a client looks, or the one before is about to end
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return held
        time.sleep(0.1)
    sys.exit(f"another emulator runs in {lock.parent}: end it first")


def end_with_others() -> None:
    """End when one of the processes ends that hold the other ends of these pipes: killed ones leave no emulator."""
    for lifeline in os.environ.pop("DROPSCORE_LIFELINES", "").split():
        threading.Thread(target=_end_with, args=(int(lifeline),), daemon=True).start()


def _end_with(lifeline: int) -> None:
    if not os.read(lifeline, 1):  # a byte would say: go on alone
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    end_with_others()
    hold(Path(sys.argv[1]) / "alive")
    check_release(importlib.metadata.version("ministack"))
    root, root_secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    emulator: Any = importlib.import_module("ministack.app")
    evaluator = importlib.import_module("ministack.core.iam_evaluator")
    responses = importlib.import_module("ministack.core.responses")
    eventbridge = importlib.import_module("ministack.services.eventbridge")
    s3 = importlib.import_module("ministack.services.s3")
    put_version_ids(s3, eventbridge)
    cut_ranges_of_versions(s3)
    lambdas = importlib.import_module("ministack.services.lambda_svc")
    queue_events(lambdas, EVENTS_PER_CORE * (os.cpu_count() or 1))
    retry_rule_targets(eventbridge, lambdas)
    hide_function_credentials(importlib.import_module("ministack.core.lambda_runtime"), root_secret)
    adopt_buckets(emulator, s3)
    logging.getLogger("persistence").setLevel(logging.WARNING)  # a line for each service, each second
    del sys.argv[1:]  # the folder, by which the process is recognized
    emulator.app = Gate(
        emulator.app,
        int(os.environ["GATEWAY_PORT"]),
        callers(evaluator, responses, root, root_secret),
        delivery(eventbridge, responses),
        saving(emulator, importlib.import_module("ministack.core.persistence")),
    )
    emulator.main()


if __name__ == "__main__":
    main()
