"""The logs that the contract tests run over: a new engine is one more parameter here."""

import pytest

from streaming.log.address import open_log


@pytest.fixture(params=["embedded"])
def log_address(request, tmp_path) -> str:
    """Address of an empty log of each engine."""
    assert request.param == "embedded"
    return f"sqlite:///{tmp_path / 'log.db'}"


@pytest.fixture
def log(log_address):
    with open_log(log_address) as log:
        yield log


@pytest.fixture
def other_log(log, log_address):
    """A second, independent handle of the same log."""
    with open_log(log_address) as other:
        yield other
