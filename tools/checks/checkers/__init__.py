"""One module per checker: `check` runs a program over the whole subject and parses its output."""
