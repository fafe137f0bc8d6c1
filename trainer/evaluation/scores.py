"""What an evaluation says: a score a metric, trained beside random, and whether it is better."""

from __future__ import annotations

import enum
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Student's t for 95 % of both sides by degrees of freedom; from 11 on, the value at 11 is kept to.
_STUDENT_T: Final = (
    *(12.71, 4.303, 3.182, 2.776, 2.571, 2.447),
    *(2.365, 2.306, 2.262, 2.228, 2.201),
)


class Verdict(enum.StrEnum):
    """How the trained model compares with random initialisation."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    """The difference is within the noise of scenes and random initialisations."""
    UNKNOWN = "unknown"
    """One scene or one repeat does not tell how large the noise is."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one model in one repeat, before it is summed up.

    Attributes:
        metric: its name.
        unit: its unit; empty for shares and ratios.
        higher_is_better: the direction.
        per_sample: float64, shape (samples,): the metric of each pair or view, in a fixed order.
        scenes: int64, shape (samples,): the scene of each; samples of one scene are alike.
        chance: what is reached without looking at the picture; None where nothing is to guess.
    """

    metric: str
    unit: str
    higher_is_better: bool
    per_sample: NDArray[np.float64]
    scenes: NDArray[np.int64]
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of the trained model beside the same network from random initialisation.

    Attributes:
        task: the task.
        metric: the metric.
        unit: its unit; empty for shares and ratios.
        higher_is_better: the direction.
        value: mean of the trained model over samples and repeats.
        deviation: standard deviation of `value` between repeats.
        baseline: mean of the random initialisations over samples and repeats.
        baseline_deviation: standard deviation of `baseline` between repeats.
        chance: what is reached without looking at the picture, or None.
        noise: how far `value - baseline` of another random initialisation on other scenes would
            be from 0, in 95 % of cases; None with one scene or one repeat, which cannot tell.
        samples: number of pairs or views.
        scenes: number of scenes that they are from.
        repeats: number of seeds.
    """

    task: str
    metric: str
    unit: str
    higher_is_better: bool
    value: float
    deviation: float
    baseline: float
    baseline_deviation: float
    chance: float | None
    noise: float | None
    samples: int
    scenes: int
    repeats: int

    @property
    def verdict(self) -> Verdict:
        """Better or worse only when the difference stands out of the noise."""
        if self.noise is None:
            return Verdict.UNKNOWN
        gain = self.value - self.baseline
        if not self.higher_is_better:
            gain = -gain
        if abs(gain) <= self.noise:
            return Verdict.SAME
        return Verdict.BETTER if gain > 0 else Verdict.WORSE

    def as_json(self) -> dict[str, Any]:
        """All fields and the verdict, ready for `json.dumps`."""
        return {**asdict(self), "verdict": str(self.verdict)}


def compare(task: str, trained: Sequence[Measurement], baseline: Sequence[Measurement]) -> Score:
    """Sums up the repeats of one metric.

    Args:
        task: the task's name.
        trained: the trained model's measurements, one a repeat, over the same samples.
        baseline: the same of random initialisations.

    Raises:
        ValueError: when a measurement is not finite.
    """
    first = trained[0]
    # Shape (repeats, samples).
    values = np.stack([measurement.per_sample for measurement in trained])
    baselines = np.stack([measurement.per_sample for measurement in baseline])
    if not (np.isfinite(values).all() and np.isfinite(baselines).all()):
        raise ValueError(f"{task}: {first.metric} is not finite")
    return Score(
        task=task,
        metric=first.metric,
        unit=first.unit,
        higher_is_better=first.higher_is_better,
        value=float(values.mean()),
        deviation=_deviation(values.mean(axis=1)),
        baseline=float(baselines.mean()),
        baseline_deviation=_deviation(baselines.mean(axis=1)),
        chance=first.chance,
        noise=_noise(values - baselines, first.scenes),
        samples=values.shape[1],
        scenes=len(np.unique(first.scenes)),
        repeats=len(trained),
    )


def _deviation(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _noise(differences: NDArray[np.float64], scenes: NDArray[np.int64]) -> float | None:
    """95 % half-width of differences (repeats, samples), scenes and repeats taken as independent.

    One trained model stands against the spread of random ones, not against their mean: a further
    random one would deviate from that mean by their whole deviation.
    """
    of_samples = differences.mean(axis=0)
    of_scenes = np.array([of_samples[scenes == scene].mean() for scene in np.unique(scenes)])
    of_repeats = differences.mean(axis=1)
    if len(of_scenes) < 2 or len(of_repeats) < 2:
        return None
    over_scenes = _deviation(of_scenes) / math.sqrt(len(of_scenes))
    over_repeats = _deviation(of_repeats) * math.sqrt(1 + 1 / len(of_repeats))
    return math.hypot(
        _student_t(len(of_scenes) - 1) * over_scenes, _student_t(len(of_repeats) - 1) * over_repeats
    )


def _student_t(degrees: int) -> float:
    return _STUDENT_T[min(degrees, len(_STUDENT_T)) - 1]
