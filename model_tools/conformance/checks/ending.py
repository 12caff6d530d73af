"""How it ends. SageMaker sends SIGTERM and waits 30 s when it takes an instance away."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from model_tools.conformance.findings import FailedError, Passed, SkippedError, check
from model_tools.conformance.subject import Server, Subject, scores

UNDER_WAY_SECONDS = 0.05  # from a request's start until it is surely being read


@check("sigterm", "SIGTERM ends it within 30 s with exit code 0, after what it was scoring")
def sigterm(subject: Subject) -> Passed:
    server = subject.server.another()
    if server is None:
        raise SkippedError("it was not started here, and is not ended here")
    try:
        return _ended(subject, server)
    finally:
        server.close()


def _ended(subject: Subject, server: Server) -> Passed:
    content, count = subject.sample.of_size(subject.limit_bytes)
    seconds = subject.bounds.stop_seconds
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.client.invoke, content, timeout=subject.bounds.answer_seconds)
        time.sleep(max(UNDER_WAY_SECONDS, subject.limit_seconds / 3))
        asked = time.monotonic()
        code = server.terminate(seconds)
        took = time.monotonic() - asked
        if code is None:
            server.close()
            do = "handle SIGTERM; as a container's first process it is ignored otherwise, also by a shell in between"
            raise FailedError(f"it still ran {seconds:.0f} s after SIGTERM", do)
        reply = answer.result()
    if code != 0:
        raise FailedError(
            f"SIGTERM ended it with exit code {code}", "handle SIGTERM: stop listening, finish, exit with 0"
        )
    if reply.status != 200:
        do = "stop listening first, and wait for the requests that are under way"
        raise FailedError(f"the body that it was scoring when SIGTERM came was answered with {reply.brief}", do)
    scores(reply, content, count)
    return Passed(f"ended {took:.1f} s after SIGTERM, having answered what was under way")
