"""The `pairstream` command: it composes the commands of the packages and holds no logic itself."""
