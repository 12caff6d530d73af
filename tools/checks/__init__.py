"""Offline security checks of templates, Dockerfiles and code; see docs/checks.md."""
