"""The launcher wraps functions of the emulator; these stand in for them."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
import time
from collections import Counter
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from local.emulator.launch import (
    Doors,
    check_release,
    checked,
    cut_ranges_of_versions,
    delivery,
    put_version_ids,
    queue_events,
    retry_rule_targets,
)


def modules() -> tuple[Any, Any, list[dict[str, Any]]]:
    dispatched: list[dict[str, Any]] = []

    def dispatch(event: dict[str, Any], view: Any = None) -> None:
        dispatched.append({**event, "view": view})

    eventbridge = SimpleNamespace(__name__="eventbridge", _dispatch_event=dispatch)

    def fire(bucket_name: str, key: str, event_name: str, version_id: str | None = None) -> None:
        detail = json.dumps({"object": {"key": key}})
        eventbridge._dispatch_event({"Source": "aws.s3", "Detail": detail, "Name": bucket_name + event_name})

    return SimpleNamespace(__name__="s3", _fire_s3_event=fire), eventbridge, dispatched


def test_an_objects_version_is_in_its_event() -> None:
    s3, eventbridge, dispatched = modules()
    put_version_ids(s3, eventbridge)

    s3._fire_s3_event("bucket", "ü.csv", "Put", version_id="v1")
    s3._fire_s3_event("bucket", "plain.csv", "Put")
    eventbridge._dispatch_event({"Source": "other", "Detail": "{}"}, "a view")

    assert json.loads(dispatched[0]["Detail"]) == {"object": {"key": "ü.csv", "version-id": "v1"}}
    assert json.loads(dispatched[1]["Detail"]) == {"object": {"key": "plain.csv"}}
    assert dispatched[2] == {"Source": "other", "Detail": "{}", "view": "a view"}


def test_stops_when_a_function_is_gone_or_takes_other_arguments() -> None:
    module = SimpleNamespace(__name__="s3", fire=lambda bucket: bucket)
    assert checked(module, "fire", "bucket") is module.fire
    with pytest.raises(SystemExit, match="s3 has no function gone"):
        checked(module, "gone")
    with pytest.raises(SystemExit, match=r"s3\.fire no longer takes \['version_id'\]"):
        checked(module, "fire", "bucket", "version_id")


def test_stops_when_the_release_is_another() -> None:
    check_release("1.5.33")
    with pytest.raises(SystemExit, match=r"not 1\.5\.34"):
        check_release("1.5.34")


def test_a_range_of_a_version_is_that_range() -> None:
    def get(bucket_name: str, key: str, headers: dict[str, str], query_params: dict[str, Any]) -> Any:
        return 200, {"x-amz-checksum-crc32": "c", "ETag": "e"}, b"0123456789"

    def parse(said: str, size: int) -> tuple[int, int] | None:
        start, end = said.removeprefix("bytes=").split("-")
        return (int(start), min(int(end), size - 1)) if int(start) < size else None

    s3 = SimpleNamespace(
        __name__="s3",
        _get_object=get,
        _parse_range=parse,
        _range_error_xml=lambda bucket, key: f"{bucket}/{key}",
        _xml_body=str.encode,
    )
    cut_ranges_of_versions(s3)
    version = {"versionId": ["v"]}
    status, headers, body = s3._get_object("b", "k", {"range": "bytes=2-4"}, version)
    assert (status, body) == (206, b"234")
    assert headers == {"ETag": "e", "Content-Length": "3", "Content-Range": "bytes 2-4/10"}
    assert s3._get_object("b", "k", {"range": "bytes=12-14"}, version)[0] == 416
    assert s3._get_object("b", "k", {}, version)[2] == b"0123456789"
    assert s3._get_object("b", "k", {"range": "bytes=2-4"}, {})[2] == b"0123456789"


def test_a_rules_function_is_invoked_with_retries() -> None:
    invoked: list[Any] = []
    lambdas = SimpleNamespace(
        __name__="lambda_svc",
        _get_func_record_for_ref=lambda arn: ({"f": arn}, {"c": 1}, "name") if arn != "gone" else (None, None, "gone"),
        _execution_record_for_config=lambda function, config: {**function, **config},
        invoke_async_with_retry=lambda func, event: invoked.append((func, event)),
    )
    eventbridge = SimpleNamespace(__name__="eventbridge", _dispatch_to_lambda=lambda arn, payload: (arn, payload))
    retry_rule_targets(eventbridge, lambdas)

    eventbridge._dispatch_to_lambda("arn", '{"detail": 1}')

    assert invoked == [({"f": "arn", "c": 1}, {"detail": 1})]
    with pytest.raises(LookupError, match="gone"):
        eventbridge._dispatch_to_lambda("gone", "{}")


class Lambdas:
    """The emulator's module of functions, as far as it runs them; each run takes a moment."""

    __name__ = "lambda_svc"

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.threads: list[threading.Thread] = []

    def _execute_function(self, func: Any, event: Any) -> Any:
        name = func["config"]["FunctionName"]
        if event.get("inner"):  # the release calls itself for another account or region
            return self._execute_function(func, {**event, "inner": False})
        self.now[name] += 1
        self.most[name] = max(self.most[name], self.now[name])
        time.sleep(0.01)
        self.now[name] -= 1
        return event

    def invoke_async_with_retry(self, func: Any, event: Any) -> None:
        run = partial(contextvars.copy_context().run, lambda: self._execute_function(func, event))
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()


def test_a_crowd_of_events_waits_for_its_function() -> None:
    lambdas = Lambdas()
    queue_events(lambdas, 2)
    functions = [{"config": {"FunctionName": name}} for name in ("submit", "track")]

    for number in range(40):
        lambdas.invoke_async_with_retry(functions[number % 2], {"inner": number % 3 == 0})
    for thread in lambdas.threads:
        thread.join()

    assert lambdas.most == {"submit": 2, "track": 2}


def test_who_waits_for_an_answer_is_not_queued() -> None:
    lambdas = Lambdas()
    queue_events(lambdas, 1)
    function = {"config": {"FunctionName": "submit"}}
    threads = [threading.Thread(target=lambdas._execute_function, args=(function, {})) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lambdas.most["submit"] > 1


def test_a_services_event_reaches_the_bus() -> None:
    _, eventbridge, dispatched = modules()
    scope: dict[str, str] = {}
    responses = SimpleNamespace(
        __name__="responses",
        set_request_account_id=lambda value: scope.update(account=value),
        set_request_region=lambda value: scope.update(region=value),
    )
    event = {"region": "us-east-1", "source": "aws.batch", "detail-type": "T", "detail": {"a": 1}, "resources": ["r"]}

    delivery(eventbridge, responses)(event)

    assert scope == {"account": "000000000000", "region": "us-east-1"}
    (sent,) = dispatched
    assert (sent["Source"], sent["DetailType"], json.loads(sent["Detail"])) == ("aws.batch", "T", {"a": 1})


def ask(doors: Doors, method: str, path: str, token: str, query: str = "") -> tuple[int, Any]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"source": "aws.batch"}', "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"x-dropscore-token", token.encode())] if token else []
    scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": query.encode()}
    asyncio.run(doors(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_doors_open_for_the_token_only() -> None:
    delivered: list[Any] = []

    async def emulator(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 418})
        await send({"type": "http.response.body", "body": b'"the emulator"'})

    doors = Doors(emulator, "secret", lambda key: {"arn": key}, delivered.append)

    assert ask(doors, "GET", "/_dropscore/identity", "secret", "access_key=AKIA") == (200, {"arn": "AKIA"})
    assert ask(doors, "POST", "/_dropscore/events", "secret") == (200, {})
    assert delivered == [{"source": "aws.batch"}]
    assert ask(doors, "GET", "/_dropscore/else", "secret")[0] == 404
    for token in ("", "wrong"):
        assert ask(doors, "GET", "/_dropscore/identity", token)[0] == 403
        assert ask(doors, "POST", "/_dropscore/events", token)[0] == 403
    assert delivered == [{"source": "aws.batch"}]
    assert ask(doors, "GET", "/bucket/key", "") == (418, "the emulator")
