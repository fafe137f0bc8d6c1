import pytest

from streaming.errors import LogError
from streaming.log.address import open_log


@pytest.mark.parametrize("address", ["sqlite:///a.db", "a.db", "./a.db"])
def test_relative_addresses(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    open_log(address).close()
    assert (tmp_path / "a.db").is_file()


@pytest.mark.parametrize("form", ["sqlite:///{}", "{}"])
def test_absolute_addresses(form, tmp_path):
    open_log(form.format(tmp_path / "a b?#%20.db")).close()
    assert (tmp_path / "a b?#%20.db").is_file()


def test_does_not_make_what_is_not_to_be_made(tmp_path):
    with pytest.raises(LogError, match=r"a\.db: there is no such file; .* start a producer"):
        open_log(f"sqlite:///{tmp_path}/a.db", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("kafka://host:9092", "this version has no Kafka engine yet"),
        ("redis://host", "unknown scheme 'redis'"),
        ("sqlite://a.db", "names no file"),
        ("sqlite:///", "names no file"),
        ("", "is not understood"),
        ("runs/pairs", "is not understood"),
    ],
)
def test_others_are_refused_in_one_line_that_tells_what_is_possible(address, line):
    with pytest.raises(LogError, match=line) as caught:
        open_log(address)
    assert "sqlite:///relative/path.db" in str(caught.value)
    assert "\n" not in str(caught.value)
