"""The demo's report: one self-contained HTML page with pictures."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import cv2
import jinja2
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from monitoring.funnel import SourceFunnel
    from trainer.evaluation.pictures import ReconstructionPicture
    from trainer.evaluation.scores import Score

    Picture = NDArray[np.uint8]

_REPORT_JPEG_QUALITY = 88
_GREY = "#7d8590"
_BLUE = "#2f81f7"


@dataclass(frozen=True, slots=True)
class PairPicture:
    """A mined pair with its correspondences drawn; the image is uint8 RGB."""

    image: Picture
    caption: str


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that the page shows; of several funnels the first is shown at once."""

    title: str
    facts: Sequence[tuple[str, str]]
    funnels: Sequence[tuple[str, SourceFunnel]]
    pairs: Sequence[PairPicture]
    losses: Sequence[tuple[int, float]]
    pairs_in_log: Sequence[tuple[float, int]]
    reconstructions: Sequence[ReconstructionPicture]
    scores: Sequence[Score]
    score_notes: Sequence[str]


def write_report(path: Path, data: ReportData) -> None:
    """Writes the page; everything it needs is inside the file."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["data_uri"] = _data_uri
    template = environment.from_string(
        resources.files("pairstream.demo").joinpath("report.html").read_text(encoding="utf-8")
    )
    page = template.render(
        data=data,
        loss_plot=_loss_plot(data.losses),
        stream_plot=_stream_plot(data.pairs_in_log),
        reasons=[(name, funnel, _reasons(funnel)) for name, funnel in data.funnels],
    )
    path.write_text(page, encoding="utf-8")


def smooth(values: Sequence[float], factor: float = 0.9) -> list[float]:
    """Exponential moving average, corrected for its start."""
    smoothed: list[float] = []
    average = weight = 0.0
    for value in values:
        average = factor * average + (1 - factor) * value
        weight = factor * weight + (1 - factor)
        smoothed.append(average / weight)
    return smoothed


def _reasons(funnel: SourceFunnel) -> list[tuple[str, int, float]]:
    """Name, count and share of the candidates of each verdict, accepted first."""
    counts = [("accepted", funnel.accepted), *funnel.rejected.most_common()]
    return [(name, count, count / max(funnel.candidates, 1)) for name, count in counts]


def _data_uri(picture: Picture) -> str:
    done, jpeg = cv2.imencode(
        ".jpg",
        cv2.cvtColor(picture, cv2.COLOR_RGB2BGR),
        [cv2.IMWRITE_JPEG_QUALITY, _REPORT_JPEG_QUALITY],
    )
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be encoded")
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def _loss_plot(losses: Sequence[tuple[int, float]]) -> str:
    figure, axes = _axes("optimisation step", "loss (normalised pixels, masked patches)")
    steps, values = [step for step, _ in losses], [loss for _, loss in losses]
    axes.plot(steps, values, color=_GREY, linewidth=0.8, alpha=0.6, label="each step")
    axes.plot(steps, smooth(values), color=_BLUE, linewidth=2, label="smoothed")
    axes.legend(frameon=False, labelcolor=_GREY)
    return _svg(figure)


def _stream_plot(pairs_in_log: Sequence[tuple[float, int]]) -> str:
    figure, axes = _axes("seconds since the start of the demo", "pairs in the log")
    axes.plot(*zip(*pairs_in_log, strict=True), color=_BLUE, linewidth=2)
    axes.set_ylim(bottom=0)
    return _svg(figure)


def _axes(x_label: str, y_label: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x_label, color=_GREY)
    axes.set_ylabel(y_label, color=_GREY)
    axes.tick_params(colors=_GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.grid(visible=True, color=_GREY, alpha=0.2)
    return figure, axes


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True)
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]
