"""Metrics against values worked out by hand."""

import numpy as np
import pytest

from trainer.evaluation.metrics import chance_patch_accuracy, depth_metrics, patch_accuracy


def test_depth_metrics_by_hand():
    true = np.array([[1.0, 2.0], [4.0, 10.0]], np.float32)
    # Factors 1.2, 1.5, 1.9 and 2.5: below 1.25, 1.5625, 1.953125 and beyond all.
    predicted = np.array([[1.2, 3.0], [4.0 / 1.9, 4.0]], np.float32)

    metrics = depth_metrics(predicted, true, np.ones((2, 2), bool))

    assert (metrics.delta_1, metrics.delta_2, metrics.delta_3) == (0.25, 0.5, 0.75)
    errors = np.array([0.2, 1.0, 4 - 4 / 1.9, 6.0])
    assert metrics.rmse_m == pytest.approx(np.sqrt((errors**2).sum() / 4), rel=1e-6)
    assert metrics.abs_rel == pytest.approx((0.2 + 0.5 + (1 - 1 / 1.9) + 0.6) / 4, rel=1e-6)


def test_depth_metrics_of_the_truth_are_perfect():
    true = np.random.default_rng(0).uniform(0.5, 9, (6, 5)).astype(np.float32)
    metrics = depth_metrics(true, true, np.ones((6, 5), bool))
    assert (metrics.delta_1, metrics.delta_3, metrics.rmse_m, metrics.abs_rel) == (1, 1, 0, 0)


def test_pixels_without_truth_do_not_count():
    true = np.array([[2.0, 0.0]], np.float32)
    metrics = depth_metrics(np.array([[2.0, 50.0]], np.float32), true, true > 0)
    assert metrics.delta_1 == 1
    assert metrics.rmse_m == 0


def test_no_valid_pixel_has_no_score():
    nothing = np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match="valid pixel"):
        depth_metrics(nothing + 1, nothing, nothing > 0)


def test_patch_accuracy_by_hand():
    # On a grid of 3 columns: exact, one diagonal step away, two columns away, not co-visible.
    true = np.array([4, 4, 3, -1])
    predicted = np.array([4, 8, 5, 0])
    assert patch_accuracy(predicted, true, columns=3) == pytest.approx(1 / 3)
    assert patch_accuracy(predicted, true, columns=3, radius=1) == pytest.approx(2 / 3)
    assert patch_accuracy(predicted, true, columns=3, radius=2) == 1


def test_the_end_of_a_row_is_not_next_to_the_start_of_the_next():
    assert patch_accuracy(np.array([3]), np.array([2]), columns=3, radius=1) == 0


def test_no_covisible_patch_has_no_score():
    for score in (
        lambda: patch_accuracy(np.array([0]), np.array([-1]), 1),
        lambda: chance_patch_accuracy(np.array([-1]), 1),
    ):
        with pytest.raises(ValueError, match="co-visible"):
            score()


def test_chance_is_what_random_guesses_get():
    rng = np.random.default_rng(1)
    true = rng.integers(-1, 20, 20)
    guesses = rng.integers(0, 20, (20_000, 20))
    for radius in (0, 1):
        scored = np.mean([patch_accuracy(guess, true, 5, radius) for guess in guesses])
        assert chance_patch_accuracy(true, 5, radius) == pytest.approx(scored, abs=0.005)
