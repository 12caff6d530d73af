"""The guards, a module for each stretch of a file's way."""
