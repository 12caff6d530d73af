"""Check how the server stops. SageMaker sends SIGTERM and waits 30 s before it removes an instance."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from model_tools.conformance.findings import check
from model_tools.conformance.outcomes import FailedError, Passed, SkippedError
from model_tools.conformance.subject import Server, Subject, scores

UNDER_WAY_SECONDS = 0.05  # after this, the server is certainly reading the request


@check("sigterm", "ends within 30 s of SIGTERM with exit code 0, after finishing its requests")
def sigterm(subject: Subject) -> Passed:
    server = subject.server.another()
    if server is None:
        raise SkippedError("the server was not started by this command, so it is not stopped either")
    try:
        return _stop(subject, server)
    finally:
        server.close()


def _stop(subject: Subject, server: Server) -> Passed:
    content, count = subject.sample.of_size(subject.limit_bytes)
    seconds = subject.bounds.stop_seconds
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.client.invoke, content, timeout=subject.bounds.answer_seconds)
        time.sleep(max(UNDER_WAY_SECONDS, subject.limit_seconds / 3))
        started = time.monotonic()
        code = server.terminate(seconds)
        took = time.monotonic() - started
        if code is None:
            server.close()
            do = "handle SIGTERM: a container's first process ignores it by default, even if it is a shell"
            raise FailedError(f"it was still running {seconds:.0f} s after SIGTERM", do)
        reply = answer.result()
    if code != 0:
        raise FailedError(
            f"SIGTERM ended it with exit code {code}", "handle SIGTERM: stop listening, finish, exit with 0"
        )
    if reply.status != 200:
        do = "stop listening first, then finish the requests in progress"
        raise FailedError(f"the request that it was scoring at SIGTERM got {reply.brief}", do)
    scores(reply, content, count)
    return Passed(f"ended {took:.1f} s after SIGTERM, after finishing the request in progress")
