"""The built worker image runs in the same embedded cloud as the end-to-end tests."""

from tests.e2e.conftest import cloud, driver, sample

__all__ = ["cloud", "driver", "sample"]
