"""Measurements: one module each, run as `make bench-NAME`; see docs/benchmarks.md."""
