"""`python -m tools.mutations [NAME…]`: every guard of a promise is removed, one at a time, and its test must fail."""
