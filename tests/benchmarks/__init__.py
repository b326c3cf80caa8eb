"""Benchmarks. `make bench` runs them; no test depends on a time."""
