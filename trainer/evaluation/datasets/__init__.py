"""Held-out data with known truth, ready as arrays."""
