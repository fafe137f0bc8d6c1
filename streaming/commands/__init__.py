"""The commands of this package: `mine` and `pairs`."""
