"""Scores as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from trainer.evaluation.scores import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.evaluation.scores import Score

_STYLES: Final = {Verdict.BETTER: "green", Verdict.WORSE: "red", Verdict.SAME: "yellow"}


def score_table(scores: Sequence[Score], title: str) -> Table:
    """One line a metric: trained, random, chance and which is better."""
    table = Table(title=title)
    table.add_column("task")
    table.add_column("metric")
    for heading in ("trained", "random init", "chance"):
        table.add_column(heading, justify="right")
    table.add_column("trained is")
    task = ""
    for score in scores:
        table.add_row(
            "" if score.task == task else score.task,
            f"{score.metric} {'↑' if score.higher_is_better else '↓'}",
            format_value(score.value, score.deviation, score.unit),
            format_value(score.baseline, score.baseline_deviation, score.unit),
            "" if score.chance is None else format_value(score.chance, 0.0, score.unit),
            f"[{_STYLES[score.verdict]}]{score.verdict}[/]",
        )
        task = score.task
    return table


def format_value(value: float, deviation: float, unit: str) -> str:
    """A value with its deviation, where there is one, and its unit."""
    spread = f" ± {deviation:.3f}" if deviation else ""
    return f"{value:.3f}{spread}{' ' if unit else ''}{unit}"


def footnotes(scores: Sequence[Score]) -> list[str]:
    """How to read the table."""
    repeats = max(score.repeats for score in scores)
    return [
        f"mean ± deviation over {repeats} seeds; ↑ higher is better, ↓ lower is better",
        "better or worse: beyond the 95 % noise of scenes and of random initialisations",
    ]
