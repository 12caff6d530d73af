"""Starts MiniStack with the five things that AWS does and the pinned release does not.

1. S3's `Object Created` event of a versioned bucket carries `version-id`.
2. A rule's Lambda target is an asynchronous invocation: retried twice, then sent to the function's dead-letter queue.
3. The shim plays AWS services, so it may deliver `aws.batch` events and ask whom an access key belongs to
   (`POST /_dropscore/events`, `GET /_dropscore/identity`; both want the token of DROPSCORE_LOCAL_TOKEN).
4. A range of a named version is that range: the release sends the whole object.
5. Events wait until a function is free to handle them: the release starts a process for each at once, and a crowd of
   files then makes every invocation run into the function's timeout.

Run by the emulator's interpreter; it imports nothing of ours. Each function it wraps is checked first:
a release whose insides moved stops here, loudly, instead of changing what an event says.
"""

from __future__ import annotations

import asyncio
import contextvars
import hmac
import importlib
import importlib.metadata
import inspect
import json
import os
import signal
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs

RELEASE = "1.5.33"
ACCOUNT = "000000000000"
EVENTS_PER_CORE = 2  # of one function, under way at a time
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


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


class Doors:
    """MiniStack's ASGI application with our two internal paths in front."""

    def __init__(self, app: Any, token: str, identity: Callable[[str], Any], deliver: Callable[[Any], None]) -> None:
        self._app, self._token, self._identity, self._deliver = app, token, identity, deliver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/_dropscore/"):
            await self._app(scope, receive, send)
            return
        status, answer = await self._answer(scope, receive)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, Any]:
        if not hmac.compare_digest(dict(scope["headers"]).get(b"x-dropscore-token", b""), self._token.encode()):
            return 403, {"message": "this path is the shim's own"}
        if (scope["method"], scope["path"]) == ("GET", "/_dropscore/identity"):
            key = parse_qs(scope["query_string"].decode()).get("access_key", [""])[0]
            return 200, self._identity(key)
        if (scope["method"], scope["path"]) == ("POST", "/_dropscore/events"):
            await asyncio.to_thread(self._deliver, json.loads(await _body(receive)))
            return 200, {}
        return 404, {"message": "no such path"}


async def _body(receive: Receive) -> bytes:
    whole, more = b"", True
    while more:
        message = await receive()
        whole, more = whole + message.get("body", b""), message.get("more_body", False)
    return whole


def identity_lookup(evaluator: Any) -> Callable[[str], Any]:
    resolve = checked(evaluator, "resolve_caller_identity", "access_key_id")

    def identity(access_key: str) -> dict[str, str] | None:
        """The ARN behind an access key: a role's session, a user or root; None when nobody's."""
        found = resolve(access_key)
        return {"arn": found["userArn"]} if found else None

    return identity


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


def stop_with_parent() -> None:
    """End when standard input closes: a parent that was killed leaves no emulator behind."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    token = os.environ.pop("DROPSCORE_LOCAL_TOKEN")  # the Lambda workers inherit what stays
    if os.environ.pop("DROPSCORE_LIFELINE", ""):
        threading.Thread(target=stop_with_parent, daemon=True).start()
    check_release(importlib.metadata.version("ministack"))
    emulator: Any = importlib.import_module("ministack.app")
    eventbridge = importlib.import_module("ministack.services.eventbridge")
    s3 = importlib.import_module("ministack.services.s3")
    put_version_ids(s3, eventbridge)
    cut_ranges_of_versions(s3)
    lambdas = importlib.import_module("ministack.services.lambda_svc")
    queue_events(lambdas, EVENTS_PER_CORE * (os.cpu_count() or 1))
    retry_rule_targets(eventbridge, lambdas)
    identity = identity_lookup(importlib.import_module("ministack.core.iam_evaluator"))
    deliver = delivery(eventbridge, importlib.import_module("ministack.core.responses"))
    del sys.argv[1:]  # the folder, by which the process is recognized
    emulator.app = Doors(emulator.app, token, identity, deliver)
    emulator.main()


if __name__ == "__main__":
    main()
