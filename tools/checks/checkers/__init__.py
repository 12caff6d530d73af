"""One module a checker: `check` runs a program over the whole subject, in one process, and reads what it says."""
