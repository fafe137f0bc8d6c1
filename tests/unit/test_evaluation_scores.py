"""Comparisons say "better" only beyond the noise."""

import json

import numpy as np
import pytest

from trainer.evaluation.scores import Measurement, Verdict, compare
from trainer.evaluation.table import footnotes


def measurement(values, *, higher_is_better=True, chance=None, scenes=None):
    values = np.array(values, np.float64)
    scenes = np.arange(len(values)) if scenes is None else np.array(scenes)
    return Measurement("metric", "", higher_is_better, values, scenes, chance)


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
    assert (score.samples, score.scenes, score.repeats) == (2, 2, 2)


def test_noise_by_hand():
    # Differences by scene 1, 2 and 3; by repeat 1.5, 2 and 2.5.
    trained = [measurement([1.0, 2.0, 3.0])] * 3
    baseline = [measurement(np.full(3, offset)) for offset in (0.5, 0.0, -0.5)]
    over_scenes, over_repeats = 4.303 / np.sqrt(3), 4.303 * 0.5 * np.sqrt(4 / 3)
    score = compare("task", trained, baseline)
    assert score.noise == pytest.approx(np.hypot(over_scenes, over_repeats))


def test_samples_of_one_scene_count_once():
    trained = [measurement([1.0, 1.0, 1.0, 2.0], scenes=[0, 0, 0, 1])] * 2
    few = [measurement([1.0, 2.0])] * 2
    noise = compare("task", trained, [measurement([0.0] * 4)] * 2).noise
    assert noise > 0
    assert noise == pytest.approx(compare("task", few, [measurement([0.0] * 2)] * 2).noise)


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
    assert compare("task", [trained] * 3, [baseline] * 3).verdict is verdict


def test_baselines_that_disagree_are_noise():
    samples = np.full(50, 0.6)
    trained = [measurement(samples)] * 2
    baselines = [measurement(samples - 0.3), measurement(samples + 0.2)]
    assert compare("task", trained, baselines).verdict is Verdict.SAME


def test_another_random_initialisation_is_rarely_called_different():
    rng = np.random.default_rng(0)
    called = 0
    for _ in range(400):
        scenes = np.repeat(np.arange(6), 8)
        of_scenes = rng.normal(0, 1, (5, 6))  # each network finds other scenes hard
        networks = rng.normal(0, 1, (5, 1)) + of_scenes[:, scenes] + rng.normal(0, 1, (5, 48))
        trained, *baselines = (measurement(values, scenes=scenes) for values in networks)
        called += compare("task", [trained] * 4, baselines).verdict is not Verdict.SAME
    assert called / 400 < 0.08


@pytest.mark.parametrize(("samples", "repeats"), [(1, 4), (4, 1)])
def test_one_scene_or_one_repeat_tells_nothing(samples, repeats):
    trained, baseline = measurement([0.9] * samples), measurement([0.1] * samples)
    score = compare("task", [trained] * repeats, [baseline] * repeats)
    assert score.noise is None
    assert score.verdict is Verdict.UNKNOWN
    assert footnotes([score])[-1].startswith("unknown: one scene or one repeat")


def test_unknown_is_explained_only_where_it_stands():
    score = compare("task", [measurement([1.0, 1.1])] * 3, [measurement([0.0, 0.1])] * 3)
    assert not any("unknown" in line for line in footnotes([score]))


def test_not_finite_is_refused():
    with pytest.raises(ValueError, match="metric is not finite"):
        compare("task", [measurement([np.nan, 1.0])], [measurement([1.0, 1.0])])


def test_json():
    trained, baseline = [measurement([1.0, 1.1])] * 3, [measurement([0.0, 0.1])] * 3
    values = json.loads(json.dumps(compare("task", trained, baseline).as_json()))
    assert values["verdict"] == "better"
    assert values["chance"] is None
    assert values["value"] == pytest.approx(1.05)
