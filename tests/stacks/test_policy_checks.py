"""cfn-lint over the templates of the default settings; tests/checks runs cdk-nag, and `make check` runs both."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.stacks.building import ROOT, Templates


def test_the_templates_are_lint_free(templates: Templates) -> None:
    files = [str(templates.outdir / f"{stack}.template.json") for stack in ("Storage", "Hosting", "Scoring")]
    lint = [str(Path(sys.executable).with_name("cfn-lint")), "--config-file", str(ROOT / ".cfnlintrc"), "--", *files]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
