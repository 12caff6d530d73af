"""`python -m tools.mutations [NAME…]`: removes each guard of a promise, one at a time; its test must then fail."""
