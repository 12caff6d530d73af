from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.stacks.building import Templates, build_templates

Build = Callable[[Mapping[str, object]], Templates]


@pytest.fixture(scope="session")
def build_template(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Templates from the default settings with some dotted keys changed; equal changes are built once."""
    built: dict[str, Templates] = {}

    def build(overrides: Mapping[str, object]) -> Templates:
        key = repr(sorted(overrides.items()))
        if key not in built:
            built[key] = build_templates(tmp_path_factory.mktemp("templates"), overrides)
        return built[key]

    return build


@pytest.fixture(scope="session")
def templates(build_template: Build) -> Templates:
    return build_template({})


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]
