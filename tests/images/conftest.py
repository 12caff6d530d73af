"""The built worker image works in the same embedded cloud as the end-to-end tests do."""

from tests.e2e.conftest import cloud, driver, sample

__all__ = ["cloud", "driver", "sample"]
