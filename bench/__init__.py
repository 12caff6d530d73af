"""Measurements that anyone can repeat; they print and write nothing into the repository."""
