"""Comparisons say "better" only beyond the noise."""

import json

import numpy as np
import pytest

from trainer.evaluation.scores import Measurement, Verdict, compare


def measurement(values, *, higher_is_better=True, chance=None):
    return Measurement("metric", "", higher_is_better, np.array(values, np.float64), chance)


def test_values_by_hand():
    score = compare(
        "task",
        [measurement([1.0, 3.0], chance=0.5), measurement([2.0, 4.0])],
        [measurement([0.0, 1.0]), measurement([0.0, 3.0])],
    )
    assert (score.value, score.baseline, score.chance) == (2.5, 1.0, 0.5)
    assert score.deviation == pytest.approx(np.sqrt(0.5))
    assert score.baseline_deviation == pytest.approx(np.sqrt(0.5))
    # Differences: by sample 1.5 and 1.5, by repeat 1.5 and 1.5.
    assert score.noise == 0
    assert (score.samples, score.repeats) == (2, 2)


@pytest.mark.parametrize(
    ("trained", "higher_is_better", "verdict"),
    [
        ([0.8, 0.9, 0.85, 0.8], True, Verdict.BETTER),
        ([0.8, 0.9, 0.85, 0.8], False, Verdict.WORSE),
        ([0.1, 0.2, 0.15, 0.1], True, Verdict.WORSE),
        ([0.1, 0.2, 0.15, 0.1], False, Verdict.BETTER),
        ([0.5, 0.5, 0.5, 0.5], True, Verdict.SAME),
        ([0.2, 0.9, 0.3, 0.9], True, Verdict.SAME),
    ],
)
def test_verdict(trained, higher_is_better, verdict):
    baseline = measurement([0.5, 0.5, 0.5, 0.5], higher_is_better=higher_is_better)
    trained = measurement(trained, higher_is_better=higher_is_better)
    assert compare("task", [trained], [baseline]).verdict is verdict


def test_baselines_that_disagree_are_noise():
    samples = np.full(50, 0.6)
    trained = [measurement(samples)] * 2
    baselines = [measurement(samples - 0.3), measurement(samples + 0.2)]
    assert compare("task", trained, baselines).verdict is Verdict.SAME


def test_one_sample_tells_nothing():
    assert compare("task", [measurement([0.9])], [measurement([0.1])]).verdict is Verdict.SAME


def test_not_finite_is_refused():
    with pytest.raises(ValueError, match="metric is not finite"):
        compare("task", [measurement([np.nan, 1.0])], [measurement([1.0, 1.0])])


def test_json():
    score = compare("task", [measurement([1.0, 1.1])], [measurement([0.0, 0.1])])
    values = json.loads(json.dumps(score.as_json()))
    assert values["verdict"] == "better"
    assert values["chance"] is None
    assert values["value"] == pytest.approx(1.05)
