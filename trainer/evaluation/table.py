"""Scores as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from trainer.evaluation.scores import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.evaluation.scores import Score

_STYLES: Final = {
    Verdict.BETTER: "green",
    Verdict.WORSE: "red",
    Verdict.SAME: "yellow",
    Verdict.UNKNOWN: "dim",
}


def score_table(scores: Sequence[Score], title: str) -> Table:
    """A block a task, a line a metric: trained, random, chance and which is better.

    It fits into 80 columns; the units stand in the names of the metrics.
    """
    table = Table(title=title, box=None, title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    for heading in ("trained", "random init", "chance", "verdict"):
        table.add_column(heading, justify="right", no_wrap=True)
    task = ""
    for score in scores:
        if score.task != task:
            task = score.task
            table.add_row(f"[bold]{task}[/]")
        table.add_row(
            f"  {score.metric} {'↑' if score.higher_is_better else '↓'}",
            format_value(score.value, score.deviation),
            format_value(score.baseline, score.baseline_deviation),
            "" if score.chance is None else format_value(score.chance, 0.0),
            f"[{_STYLES[score.verdict]}]{score.verdict}[/]",
        )
    return table


def format_value(value: float, deviation: float) -> str:
    """A value with its deviation, where there is one."""
    spread = f" ±{deviation:.3f}" if deviation else ""
    return f"{value:.3f}{spread}"


def footnotes(scores: Sequence[Score]) -> list[str]:
    """How to read the table."""
    repeats = max(score.repeats for score in scores)
    lines = [
        f"mean ± deviation over {repeats} seeds; ↑ higher is better, ↓ lower is better",
        "better or worse: beyond the 95 % noise of scenes and of random initialisations",
    ]
    if any(score.verdict is Verdict.UNKNOWN for score in scores):
        lines.append("unknown: one scene or one repeat does not tell how large the noise is")
    return lines
