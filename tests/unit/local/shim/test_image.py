from __future__ import annotations

from pathlib import Path

import pytest

from dropscore.errors import ConfigurationError
from local.shim.image import Image, unpack

PYTHON = Path("/envs/worker/bin/python")
DOCKERFILE = """
FROM python AS packages
WORKDIR /wrong
ENTRYPOINT ["python", "wrong.py"]
FROM python
# a comment
ENV ONE=1 \\
    PYTHONPATH=/packages:/app
WORKDIR /app
COPY --from=packages /packages /packages
COPY core core
COPY main.py start.py
COPY a.txt b.txt files/
RUN anything at all
USER 10001
ENTRYPOINT ["python", "-u", "start.py"]
"""


def image(tmp_path: Path, dockerfile: str) -> Image:
    context = tmp_path / "context"
    for name in ("core/x.py", "main.py", "a.txt", "b.txt", "containers/w/Dockerfile", "core/deep/y.py"):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(name)
    (context / "containers/w/Dockerfile").write_text(dockerfile)
    return unpack(context, "containers/w/Dockerfile", PYTHON, tmp_path / "root")


def test_the_last_stage_is_copied_as_in_the_image(tmp_path: Path) -> None:
    result = image(tmp_path, DOCKERFILE)
    root = tmp_path / "root"

    assert result.command == (str(PYTHON), "-u", "start.py")
    assert result.directory == root / "app"
    assert result.environment == {"ONE": "1", "PYTHONPATH": f"{root}/packages:{root}/app"}
    files = {str(file.relative_to(root)): file.read_text() for file in root.rglob("*") if file.is_file()}
    assert files == {
        "app/core/x.py": "core/x.py",
        "app/core/deep/y.py": "core/deep/y.py",
        "app/start.py": "main.py",
        "app/files/a.txt": "a.txt",
        "app/files/b.txt": "b.txt",
    }


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("", "needs an exec-form ENTRYPOINT"),
        ('CMD ["python", "x.py"]', "CMD does not replace it: SageMaker starts an image with the argument `serve`"),
        ('ENTRYPOINT ["sh", "x"]', "cannot apply ENTRYPOINT: it must start `python`"),
        ("ENTRYPOINT python x.py", "cannot apply ENTRYPOINT: write it as a list"),
        ("ADD x y", "cannot apply ADD"),
        ("ENV ONE 1", "cannot apply ENV: write it as ENV NAME=value"),
        ("ENV PATH=/app:$PATH", "cannot apply ENV: values must not refer to other variables"),
        (
            "COPY nothing.py .",
            "cannot apply COPY: nothing.py is not in the build context",
        ),
    ],
)
def test_error_names_the_unsupported_instruction(tmp_path: Path, dockerfile: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^containers/w/Dockerfile: the embedded cloud") as raised:
        image(tmp_path, f"FROM python\n{dockerfile}\n")
    assert words in str(raised.value)


def test_arguments_replace_cmd(tmp_path: Path) -> None:
    result = image(tmp_path, 'FROM python\nENTRYPOINT ["python", "x.py"]\nCMD ["other"]\n')
    assert result.command == (str(PYTHON), "x.py")


def test_copy_accepts_patterns_and_the_whole_context(tmp_path: Path) -> None:
    image(tmp_path, 'FROM python\nWORKDIR /app\nCOPY *.txt ./\nCOPY . all/\nENTRYPOINT ["python"]\n')
    root = tmp_path / "root" / "app"
    assert sorted(file.name for file in root.iterdir()) == ["a.txt", "all", "b.txt"]
    assert (root / "all" / "core" / "deep" / "y.py").is_file()
