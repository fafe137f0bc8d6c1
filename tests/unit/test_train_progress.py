"""Progress on a terminal and without one."""

import io
from dataclasses import replace

from rich.console import Console

from trainer.hooks import StepMetrics
from trainer.progress import LiveProgress, PlainProgress

METRICS = StepMetrics(
    step=3,
    loss=0.51234,
    lr=1.5e-4,
    grad_norm=1.0,
    pairs_seen=24,
    pairs_per_s=812.3,
    data_wait_s=0.1,
    fresh_share=0.25,
    skipped_steps=0,
)


def show(display_class, *, terminal, total, metrics):
    text = io.StringIO()
    display = display_class(Console(file=text, force_terminal=terminal, width=120))
    display.on_start(0, total)
    for each in metrics:
        display.on_step(each)
    display.on_note("path [a]/b")
    display.on_stop()
    return text.getvalue()


def test_a_terminal_gets_a_bar_with_the_figures():
    text = show(LiveProgress, terminal=True, total=10, metrics=[METRICS])
    assert "loss 0.5123" in text
    assert "812 pairs/s" in text
    assert "3/10" in text
    assert "path [a]/b" in text


def test_a_run_without_end_has_no_total():
    assert "3/?" in show(LiveProgress, terminal=True, total=None, metrics=[METRICS])


def test_plain_lines_come_once_in_a_while():
    metrics = [METRICS, replace(METRICS, step=4)]
    text = show(PlainProgress, terminal=False, total=10, metrics=metrics)
    assert text.splitlines() == [
        "step 0/10  waiting for pairs",
        "step 3/10  loss 0.5123  812 pairs/s  lr 1.50e-04  fresh 25%",
        "path [a]/b",
    ]


def test_a_skipped_step_is_told():
    text = show(PlainProgress, terminal=False, total=None, metrics=[replace(METRICS, loss=None)])
    assert "step 3  loss skipped (not finite)" in text
