"""What only an image can show: how it starts, and with how little it makes do."""

from __future__ import annotations

from model_tools.conformance.checks.rows import same
from model_tools.conformance.client import CSV, Reply
from model_tools.conformance.container import PORT, Container
from model_tools.conformance.findings import FailedError, Passed, SkippedError, check
from model_tools.conformance.sample import body
from model_tools.conformance.starting import NotStartedError
from model_tools.conformance.subject import Subject, scores

PORT_LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
OTHER_PORT = 9123
ROOT_USERS = {"", "root", "0"}


def _container(subject: Subject) -> Container:
    if not isinstance(subject.server, Container):
        raise SkippedError("only an image can show this")
    return subject.server


@check("serve", "starts with the argument `serve`, as SageMaker starts it", needs_scores=False)
def serve(subject: Subject) -> Passed:
    if not _container(subject).manner.argument:
        do = "use an ENTRYPOINT that takes, or ignores, the argument `serve`; it replaces CMD"
        raise FailedError("it starts without an argument only", do)
    return Passed("it starts with `serve`")


@check("offline", "starts and scores without a network")
def offline(subject: Subject) -> Passed:
    container = _container(subject)
    rows = subject.sample.some(2)
    content = body(rows)
    try:
        said = container.answer_offline(content)
    except NotStartedError as error:
        do = "put everything that it loads into the image or the artifact: endpoints of Dropscore have no way out"
        raise FailedError(f"without a network it does not start: {error}", do) from None
    if not same(scores(Reply(200, said, CSV, 0), content, len(rows)), subject.score(rows)):
        raise FailedError("without a network it scores otherwise", "ask nobody while scoring")
    return Passed("started and scored with no network at all")


@check("non-root", "its user is not root", needs_scores=False)
def non_root(subject: Subject) -> Passed:
    user = _container(subject).image_field("{{.Config.User}}")
    if user.partition(":")[0] in ROOT_USERS:
        raise FailedError("it runs as root", "add USER 10001:10001 to the Dockerfile, after what needs root")
    return Passed(f"runs as {user}")


@check("read-only", "runs on a read-only root file system, with /tmp to write to", needs_scores=False)
def read_only(subject: Subject) -> Passed:
    container = _container(subject)
    if container.manner.read_only:
        return Passed("runs with nothing to write to but /tmp")
    written = container.written_files()
    what = f"; it writes {', '.join(written[:5])}" if written else ""
    do = "write below /tmp only, and set PYTHONDONTWRITEBYTECODE=1, HOME and cache folders accordingly"
    raise FailedError(f"it does not start on a read-only root file system{what}", do)


@check("capabilities", "runs with all capabilities dropped and no new privileges", needs_scores=False)
def capabilities(subject: Subject) -> Passed:
    if _container(subject).manner.capless:
        return Passed("runs without any")
    do = "do not switch users, change owners or listen below port 1024 at start; do such things in the Dockerfile"
    raise FailedError("it does not start without capabilities", do)


@check("port", "listens at 8080, and at $SAGEMAKER_BIND_TO_PORT where its label says so", needs_scores=False)
def port(subject: Subject) -> Passed:
    container = _container(subject)
    claims = container.image_field(f'{{{{index .Config.Labels "{PORT_LABEL}"}}}}') == "true"
    honors = container.listens_at(OTHER_PORT)
    if claims and not honors:
        do = f"read the port from SAGEMAKER_BIND_TO_PORT, {PORT} when unset, or take the label away"
        raise FailedError(f"its label {PORT_LABEL} is true, but it does not listen at the port given", do)
    if honors and not claims:
        return Passed(f"listens at {PORT} and at the port given", f"say so: LABEL {PORT_LABEL}=true")
    advice = "" if honors else "the embedded cloud needs a server that reads its port from SAGEMAKER_BIND_TO_PORT"
    return Passed(f"listens at {PORT}" + (" and at the port given" if honors else ""), advice)
