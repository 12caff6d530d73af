"""The launcher's wrappers around stand-ins for the emulator's functions."""

from __future__ import annotations

import contextvars
import hashlib
import json
import threading
import time
from collections import Counter
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from local.emulator.launch import (
    add_version_ids,
    adopt_buckets,
    check_release,
    emulator_callers,
    event_sender,
    hide_function_credentials,
    queue_events,
    require_function,
    retry_rule_targets,
    state_saver,
    support_version_ranges,
)
from local.emulator.signature import RefusedError


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
    add_version_ids(s3, eventbridge)

    s3._fire_s3_event("bucket", "ü.csv", "Put", version_id="v1")
    s3._fire_s3_event("bucket", "plain.csv", "Put")
    eventbridge._dispatch_event({"Source": "other", "Detail": "{}"}, "a view")

    assert json.loads(dispatched[0]["Detail"]) == {"object": {"key": "ü.csv", "version-id": "v1"}}
    assert json.loads(dispatched[1]["Detail"]) == {"object": {"key": "plain.csv"}}
    assert dispatched[2] == {"Source": "other", "Detail": "{}", "view": "a view"}


def test_startup_fails_when_a_wrapped_function_changed() -> None:
    module = SimpleNamespace(__name__="s3", fire=lambda bucket: bucket)
    assert require_function(module, "fire", "bucket") is module.fire
    with pytest.raises(SystemExit, match="s3 has no function gone"):
        require_function(module, "gone")
    with pytest.raises(SystemExit, match=r"s3\.fire no longer takes \['version_id'\]"):
        require_function(module, "fire", "bucket", "version_id")


def test_startup_fails_for_another_release() -> None:
    check_release("1.5.33")
    with pytest.raises(SystemExit, match=r"not 1\.5\.34"):
        check_release("1.5.34")


def test_a_range_of_a_version_is_returned() -> None:
    def get(bucket_name: str, key: str, headers: dict[str, str], query_params: dict[str, Any]) -> Any:
        return 200, {"x-amz-checksum-crc32": "c", "ETag": "e"}, b"0123456789"

    def parse(header: str, size: int) -> tuple[int, int] | None:
        start, end = header.removeprefix("bytes=").split("-")
        return (int(start), min(int(end), size - 1)) if int(start) < size else None

    s3 = SimpleNamespace(
        __name__="s3",
        _get_object=get,
        _parse_range=parse,
        _range_error_xml=lambda bucket, key: f"{bucket}/{key}",
        _xml_body=str.encode,
    )
    support_version_ranges(s3)
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
    """A stand-in for the emulator's Lambda module; each run takes a moment."""

    __name__ = "lambda_svc"

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.threads: list[threading.Thread] = []

    def _execute_function(self, func: Any, event: Any) -> Any:
        name = func["config"]["FunctionName"]
        if event.get("inner"):  # the release calls this again for another account or region
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


def test_events_wait_for_a_free_slot() -> None:
    lambdas = Lambdas()
    queue_events(lambdas, 2)
    functions = [{"config": {"FunctionName": name}} for name in ("submit", "track")]

    for number in range(40):
        lambdas.invoke_async_with_retry(functions[number % 2], {"inner": number % 3 == 0})
    for thread in lambdas.threads:
        thread.join()

    assert lambdas.most == {"submit": 2, "track": 2}


def test_synchronous_invocations_are_not_queued() -> None:
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

    event_sender(eventbridge, responses)(event)

    assert scope == {"account": "000000000000", "region": "us-east-1"}
    (sent,) = dispatched
    assert (sent["Source"], sent["DetailType"], json.loads(sent["Detail"])) == ("aws.batch", "T", {"a": 1})


def make_callers(evaluator: Any) -> Any:
    responses = SimpleNamespace(__name__="responses", _account_from_sts_session=lambda _key: None)
    return emulator_callers(evaluator, responses, "AKIAROOT", "secret")


def evaluator(found: Any) -> Any:
    def resolve(access_key_id: str, account_id: str, session_token: str) -> Any:
        assert (access_key_id, account_id, session_token) == ("ASIA", "000000000000", "token")
        return found

    return SimpleNamespace(
        __name__="evaluator",
        resolve_credential=resolve,
        is_root_access_key=lambda access_key_id: access_key_id in {"", "test", "000000000000", "AKIAROOT"},
        resolve_caller_identity=lambda access_key_id: {"userArn": f"arn:{access_key_id}"},
    )


@pytest.mark.parametrize("guessed", ["", "test", "000000000000"])
def test_guessable_access_keys_of_root_are_refused(guessed: str) -> None:
    with pytest.raises(RefusedError, match="InvalidClientTokenId"):
        make_callers(evaluator(SimpleNamespace(secret_access_key="test"))).secret_of(guessed, "")


def test_users_and_sessions_have_the_secrets_of_the_emulator() -> None:
    found = make_callers(evaluator(SimpleNamespace(secret_access_key="theirs")))
    assert found.secret_of("ASIA", "token") == "theirs"
    assert found.arn_of("ASIA") == "arn:ASIA"
    with pytest.raises(RefusedError, match="ExpiredTokenException: late"):
        make_callers(evaluator(SimpleNamespace(code="ExpiredTokenException", message="late"))).secret_of(
            "ASIA", "token"
        )


def test_a_functions_credentials_depend_on_roots_secret() -> None:
    def runtime() -> Any:
        made = SimpleNamespace(__name__="lambda_runtime", hashlib=hashlib)
        made.execution_credentials = lambda config: made.hashlib.sha256(config.encode()).hexdigest()
        return made

    plain, first, second = runtime(), runtime(), runtime()
    hide_function_credentials(first, "secret")
    hide_function_credentials(second, "another secret")
    assert len({module.execution_credentials("arn") for module in (plain, first, second)}) == 3


def test_a_restored_bucket_gets_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    buckets = {"lost": {"region": None}, "known": {"region": "eu-west-1"}}
    s3 = SimpleNamespace(_buckets=SimpleNamespace(_data={}))
    emulator = SimpleNamespace(__name__="app", _load_persisted_state=lambda: s3._buckets._data.update(buckets))
    adopt_buckets(emulator, s3)
    emulator._load_persisted_state()
    assert buckets == {"lost": {"region": "us-east-1"}, "known": {"region": "eu-west-1"}}


def test_changed_state_is_saved_and_failed_reads_are_reported() -> None:
    states: dict[str, Any] = {"s3": {"b": 1}, "sqs": {"q": b"x"}, "broken": None}
    written: list[Any] = []

    def growing() -> Any:
        raise RuntimeError("dictionary changed size during iteration")

    every: dict[str, Any] = {name: lambda name=name: states[name] for name in states}
    emulator = SimpleNamespace(__name__="app", _build_persistence_save_dict=lambda: every)
    persistence = SimpleNamespace(
        __name__="persistence",
        save_state=lambda service, data: written.append((service, data)),
        _json_default=lambda value: value.decode(),
    )
    save = state_saver(emulator, persistence)
    assert save()
    assert written == [("s3", {"b": 1}), ("sqs", {"q": b"x"})]
    states["sqs"] = {"q": b"y"}
    assert save()
    assert written[2:] == [("sqs", {"q": b"y"})]
    every["s3"] = growing
    assert not save()
    assert written[3:] == []
