from collections import Counter

from monitoring.events import Journal, read_journal
from monitoring.funnel import SourceFunnel


def test_journal_is_read_back_in_order(tmp_path):
    path = tmp_path / "run" / "journal.jsonl"
    with Journal(path) as journal:
        journal.write("step", step=1, loss=0.1 + 0.2)
        journal.write("checkpoint", step=1)
        journal.write("step", step=2, loss=0.25)
    assert [event["step"] for event in read_journal(path, "step")] == [1, 2]
    assert next(read_journal(path, "step"))["loss"] == 0.1 + 0.2


def test_a_torn_last_line_is_passed_over_and_cut_by_the_next_writer(tmp_path):
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.write("step", step=1)
    with path.open("a") as file:
        file.write('{"event": "step", "st')
    assert [event["step"] for event in read_journal(path)] == [1]
    with Journal(path) as journal:
        journal.write("step", step=2)
    assert [event["step"] for event in read_journal(path)] == [1, 2]


def test_funnel_sums_over_sources():
    first = SourceFunnel(accepted=2, rejected=Counter(overlap_too_low=3))
    second = SourceFunnel(rejected=Counter(overlap_too_low=1, blurred=1))
    total = first + second
    assert total.candidates == 7
    assert total.rejected == Counter(overlap_too_low=4, blurred=1)
    assert total.accepted_share == 2 / 7
    assert SourceFunnel().accepted_share == 0.0
