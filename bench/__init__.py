"""Benchmarks that anyone can repeat. They print results and write nothing into the repository."""
