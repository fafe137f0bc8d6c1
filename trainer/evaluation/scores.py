"""What an evaluation says: a score a metric, trained beside random, and whether it is better."""

from __future__ import annotations

import enum
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NOISE_FACTOR = 2.0
"""A difference counts when it is beyond this many standard errors."""


class Verdict(enum.StrEnum):
    """How the trained model compares with random initialisation."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    """The difference is within the noise of scenes and repeats."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one model in one repeat, before it is summed up.

    Attributes:
        metric: its name.
        unit: its unit; empty for shares and ratios.
        higher_is_better: the direction.
        per_sample: float64, shape (samples,): the metric of each pair or view, in a fixed order.
        chance: what is reached without looking at the picture; None where nothing is to guess.
    """

    metric: str
    unit: str
    higher_is_better: bool
    per_sample: NDArray[np.float64]
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
        noise: standard error of `value - baseline`, from the spread over samples and repeats.
        samples: number of pairs or views.
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
    noise: float
    samples: int
    repeats: int

    @property
    def verdict(self) -> Verdict:
        """Better or worse only when the difference stands out of the noise."""
        gain = self.value - self.baseline
        if not self.higher_is_better:
            gain = -gain
        if self.samples < 2 or abs(gain) <= NOISE_FACTOR * self.noise:
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
    differences = values - baselines
    over_samples = _standard_error(differences.mean(axis=0))
    over_repeats = _standard_error(differences.mean(axis=1))
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
        noise=math.hypot(over_samples, over_repeats),
        samples=values.shape[1],
        repeats=len(trained),
    )


def _deviation(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _standard_error(values: NDArray[np.float64]) -> float:
    return _deviation(values) / math.sqrt(len(values))
