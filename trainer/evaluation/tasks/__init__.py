"""Each task is data, head, loss and metrics in one module."""
