from __future__ import annotations

import json
from pathlib import Path

from tools.checks.checkers import secrets
from tools.checks.subject import Subject

LINE = "password = " + '"correct horse"\n'


def tree(folder: Path, text: str = LINE) -> Subject:
    (folder / "settings.py").write_text(text)
    return Subject(root=folder, files=[Path("settings.py")])


def found(subject: Subject) -> list[tuple[str, str]]:
    return [(each.rule, each.place) for each in secrets.check(subject)]


def audit(folder: Path) -> None:
    path = folder / secrets.BASELINE
    read = json.loads(path.read_text())
    for entries in read["results"].values():
        for entry in entries:
            entry["is_secret"] = False
    path.write_text(json.dumps(read))


def test_a_secret_is_found_and_not_printed(tmp_path: Path) -> None:
    subject = tree(tmp_path)
    assert found(subject) == [("Secret Keyword", "settings.py")]
    assert "correct" not in str(secrets.check(subject))


def test_writing_the_baseline_excuses_nothing_by_itself(tmp_path: Path) -> None:
    subject = tree(tmp_path)
    secrets.write_baseline(subject)
    assert found(subject) == [("Secret Keyword", "settings.py")]


def test_what_was_looked_at_is_let_pass_wherever_its_line_goes(tmp_path: Path) -> None:
    subject = tree(tmp_path)
    secrets.write_baseline(subject)
    audit(tmp_path)
    assert found(subject) == []
    assert found(tree(tmp_path, "\n\n" + LINE)) == []


def test_another_secret_in_the_same_place_is_found(tmp_path: Path) -> None:
    subject = tree(tmp_path)
    secrets.write_baseline(subject)
    audit(tmp_path)
    changed = tree(tmp_path, LINE.replace("horse", "donkey"))
    assert found(changed) == [("Secret Keyword", "settings.py"), ("unneeded", "settings.py")]


def test_writing_it_anew_keeps_what_people_have_said(tmp_path: Path) -> None:
    subject = tree(tmp_path)
    secrets.write_baseline(subject)
    audit(tmp_path)
    secrets.write_baseline(tree(tmp_path, "\n" + LINE))
    assert found(subject) == []
    assert str(tmp_path) not in (tmp_path / secrets.BASELINE).read_text()
