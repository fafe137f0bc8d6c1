"""Heads that turn an encoder's tokens into dense predictions."""
