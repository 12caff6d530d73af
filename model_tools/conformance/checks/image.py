"""Checks that need an image: how it starts, and under which restrictions it runs."""

from __future__ import annotations

from model_tools.conformance.checks.rows import same
from model_tools.conformance.client import CSV, Reply
from model_tools.conformance.container import PORT, Container
from model_tools.conformance.findings import check
from model_tools.conformance.outcomes import FailedError, Passed, SkippedError
from model_tools.conformance.sample import body
from model_tools.conformance.starting import NotStartedError
from model_tools.conformance.subject import Subject, scores

PORT_LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
OTHER_PORT = 9123
ROOT_USERS = {"", "root", "0"}


def _container(subject: Subject) -> Container:
    if not isinstance(subject.server, Container):
        raise SkippedError("this check needs an image")
    return subject.server


@check("serve", "starts with the argument `serve`, which SageMaker passes", needs_scores=False)
def serve(subject: Subject) -> Passed:
    if not _container(subject).restrictions.argument:
        do = "use an ENTRYPOINT that accepts or ignores the argument `serve`, which replaces CMD"
        raise FailedError("it starts only without an argument", do)
    return Passed("it starts with `serve`")


@check("offline", "starts and scores without a network")
def offline(subject: Subject) -> Passed:
    container = _container(subject)
    rows = subject.sample.some(2)
    content = body(rows)
    try:
        reply = container.answer_offline(content)
    except NotStartedError as error:
        do = "put everything that it loads into the image or the artifact: Dropscore's endpoints have no network access"
        raise FailedError(f"it does not start without a network: {error}", do) from None
    if not same(scores(Reply(200, reply, CSV, 0), content, len(rows)), subject.score(rows)):
        raise FailedError("its scores differ without a network", "do not use the network for scoring")
    return Passed("started and scored without a network")


@check("non-root", "does not run as root", needs_scores=False)
def non_root(subject: Subject) -> Passed:
    user = _container(subject).image_field("{{.Config.User}}")
    if user.partition(":")[0] in ROOT_USERS:
        raise FailedError("it runs as root", "add USER 10001:10001 to the Dockerfile, after what needs root")
    return Passed(f"runs as {user}")


@check("read-only", "runs on a read-only root file system, with a writable /tmp", needs_scores=False)
def read_only(subject: Subject) -> Passed:
    container = _container(subject)
    if container.restrictions.read_only:
        return Passed("runs with only /tmp writable")
    written = container.written_files()
    what = f"; it writes {', '.join(written[:5])}" if written else ""
    do = "write below /tmp only, and set PYTHONDONTWRITEBYTECODE=1, HOME and cache folders accordingly"
    raise FailedError(f"it does not start on a read-only root file system{what}", do)


@check("capabilities", "runs with all capabilities dropped and no new privileges", needs_scores=False)
def capabilities(subject: Subject) -> Passed:
    if _container(subject).restrictions.no_capabilities:
        return Passed("runs without capabilities")
    do = "do not switch users or change owners at start, but in the Dockerfile; listen on port 1024 or above"
    raise FailedError("it does not start without capabilities", do)


@check("port", "listens on 8080, and on $SAGEMAKER_BIND_TO_PORT if its label says so", needs_scores=False)
def port(subject: Subject) -> Passed:
    container = _container(subject)
    claims = container.image_field(f'{{{{index .Config.Labels "{PORT_LABEL}"}}}}') == "true"
    honors = container.listens_on(OTHER_PORT)
    if claims and not honors:
        do = f"read the port from SAGEMAKER_BIND_TO_PORT, {PORT} if it is unset, or remove the label"
        raise FailedError(f"its label {PORT_LABEL} is true, but it does not listen on that port", do)
    if honors and not claims:
        return Passed(f"listens on {PORT} and on $SAGEMAKER_BIND_TO_PORT", f"add LABEL {PORT_LABEL}=true")
    advice = "" if honors else "for the embedded cloud, the server must read its port from SAGEMAKER_BIND_TO_PORT"
    return Passed(f"listens on {PORT}" + (" and on $SAGEMAKER_BIND_TO_PORT" if honors else ""), advice)
