"""The image checker on real images: our image passes; each fault of an image fails its own check.

The bad images derive from the model image, with another server or another configuration.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from model_tools.conformance.sample import body
from tests.unit.model_tools.conformance.conftest import BAD_SERVER, SAMPLE
from training import demo

IMAGE = os.environ.get("DROPSCORE_MODEL_IMAGE", "")
ENGINE = shlex.split(os.environ.get("DROPSCORE_ENGINE", "docker"))
DROPSCORE = Path(sys.executable).with_name("dropscore")
WRITABLE = "import os; os.makedirs('/app/out'); os.chmod('/app/out', 0o777)"
FAULTS = {
    "none": ("10001:10001", set[str]()),
    "root": ("0", {"non-root"}),
    "writes": ("10001:10001", {"read-only"}),
    "changes-owners": ("0", {"non-root", "capabilities"}),  # only root has a capability to lose
    "asks-the-network": ("10001:10001", {"offline"}),
    "refuses-arguments": ("10001:10001", {"serve"}),
    "ignores-the-port": ("10001:10001", {"port"}),
    "sorts": ("10001:10001", {"order"}),
    "keeps-bodies": ("10001:10001", {"memory"}),
    "ends-with-143": ("10001:10001", {"sigterm"}),
}

pytestmark = pytest.mark.skipif(not IMAGE, reason="DROPSCORE_MODEL_IMAGE names no built image to check")


def engine(*arguments: str) -> None:
    subprocess.run([*ENGINE, *arguments], capture_output=True, check=True)


@contextmanager
def bad_image(fault: str, user: str) -> Iterator[str]:
    name = f"dropscore-bad-{uuid4().hex[:8]}"
    changes = (f"ENV FAULT={fault}", f"USER {user}", 'ENTRYPOINT ["python", "bad_server.py"]')
    try:
        engine("run", "--name", name, "--user", "0", "--entrypoint", "python", IMAGE, "-c", WRITABLE)
        engine("cp", str(BAD_SERVER), f"{name}:/app/model/bad_server.py")
        engine("commit", *(argument for change in changes for argument in ("--change", change)), name, name)
        engine("rm", name)
        yield name
    finally:
        subprocess.run([*ENGINE, "rmi", "--force", name], capture_output=True, check=False)


def check(*arguments: str | Path) -> tuple[int, set[str], dict[str, str]]:
    """Return the exit code, the failed checks, and each check's text."""
    done = subprocess.run(
        [DROPSCORE, "model", "check", *map(str, arguments), "--json"], capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    findings = json.loads(done.stdout)["findings"]
    failed = {finding["check"] for finding in findings if finding["outcome"] == "fail"}
    return done.returncode, failed, {finding["check"]: finding["what"] for finding in findings}


def test_our_own_image_passes_every_check(tmp_path: Path) -> None:
    demo.write(tmp_path)
    code, failed, findings = check(IMAGE, "--model", tmp_path / "model.tar.gz")
    assert (code, failed) == (0, set()), findings


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_an_image_fails_its_own_check(fault: str, tmp_path: Path) -> None:
    user, expected = FAULTS[fault]
    (tmp_path / "sample.csv").write_bytes(body(SAMPLE.rows))
    with bad_image(fault, user) as image:
        code, failed, findings = check(image, "--sample", tmp_path / "sample.csv")
    assert failed == expected, findings
    assert code == (1 if expected else 0)
    if fault == "writes":
        assert "/app/out/written" in findings["read-only"]
