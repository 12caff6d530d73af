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


def test_last_stage_is_laid_out_as_in_the_image(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("entry", ['ENTRYPOINT ["sh", "x"]', "", 'CMD ["python"]'])
def test_error_when_the_entry_point_is_not_pythons(tmp_path: Path, entry: str) -> None:
    with pytest.raises(ConfigurationError, match="containers/w/Dockerfile"):
        image(tmp_path, f"FROM python\n{entry}\n")


def test_error_when_an_instruction_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot follow ADD"):
        image(tmp_path, 'FROM python\nADD x y\nENTRYPOINT ["python"]\n')
