"""The checker: contract tests for anybody's model container: a process, an image, or a server that runs already."""
