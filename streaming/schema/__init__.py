"""The data contract: what a record in the log looks like, and how it is written and checked."""
