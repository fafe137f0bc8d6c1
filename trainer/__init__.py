"""Pretraining from the log of pairs, checkpoints, and their evaluation."""
