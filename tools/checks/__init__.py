"""What a security review would run: offline, over templates, Dockerfiles and code; see docs/checks.md."""
