"""Tasks on stand-in networks whose scores are known beforehand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from models.masking import random_mask
from models.registry import ModelConfig, build_model
from trainer.evaluation.config import EvalConfig
from trainer.evaluation.datasets.arrays import LabelledViews, MatchedPairs, ViewPairs
from trainer.evaluation.features import Standardiser, as_input, layer_indices, patch_features
from trainer.evaluation.runner import repeat_seeds, score_task
from trainer.evaluation.scores import Verdict
from trainer.evaluation.tasks.correspondence import CorrespondenceTask
from trainer.evaluation.tasks.depth import (
    DepthTask,
    log_depth_cells,
    row_medians,
)
from trainer.evaluation.tasks.reconstruction import ReconstructionTask

SIZE, PATCH = 64, 8
GRID = SIZE // PATCH
CONFIG = EvalConfig(repeats=2)
TINY = ModelConfig(
    size="tiny", image_size=SIZE, patch_size=PATCH, embed_dim=48, depth=2, heads=2,
    decoder_dim=32, decoder_depth=1, decoder_heads=2,
)  # fmt: skip


class StandInEncoder(nn.Module):
    """An encoder whose features are a plain function of the pixels of each patch."""

    def __init__(self, features):
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))
        self.depth = 4
        self.grid = (GRID, GRID)
        self.calls = 0
        self._features = features

    def features(self, images, layers=None):
        self.calls += len(images)
        tokens = nn.functional.unfold(images, PATCH, stride=PATCH).transpose(1, 2)
        return [self._features(tokens) for _ in layers]


class StandIn(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.encoder = StandInEncoder(features)


def seeing_network():
    return StandIn(lambda tokens: tokens)


def blind_network(seed=0):
    """Features that depend on nothing that can be seen."""
    generator = torch.Generator().manual_seed(seed)
    return StandIn(lambda tokens: torch.randn(*tokens.shape[:2], 16, generator=generator))


def position_network():
    """Features that depend on the position alone."""
    table = torch.randn(GRID * GRID, 16, generator=torch.Generator().manual_seed(0))
    return StandIn(lambda tokens: table.expand(len(tokens), -1, -1))


@pytest.fixture(scope="module")
def shifted_pairs():
    """Noise pictures; view 2 shows view 1 moved by whole patches, differently in each pair."""
    rng = np.random.default_rng(0)
    view_1 = rng.integers(0, 256, (24, SIZE, SIZE, 3), np.uint8)
    view_2 = rng.integers(0, 256, view_1.shape, np.uint8)
    true = np.full((24, GRID, GRID), -1, np.int16)
    for n, (down, right) in enumerate(rng.integers(1, 4, (24, 2))):
        y, x = down * PATCH, right * PATCH
        view_2[n, : SIZE - y, : SIZE - x] = view_1[n, y:, x:]
        target = np.arange(GRID * GRID).reshape(GRID, GRID)
        true[n, down:, right:] = target[: GRID - down, : GRID - right]
    return MatchedPairs(
        ViewPairs(view_1, view_2, np.arange(24)),
        true.reshape(24, -1),
        np.zeros((24, SIZE, SIZE), np.float32),
    )


def depth_views(seed, count, *, shuffled=False):
    """Pictures whose brightness tells the depth of each patch, 1-8 m."""
    rng = np.random.default_rng(seed)
    level = rng.random((count, 1, GRID // 2, GRID // 2)).repeat(2 * PATCH, 2).repeat(2 * PATCH, 3)
    images = np.broadcast_to((level * 255).transpose(0, 2, 3, 1), (count, SIZE, SIZE, 3))
    depths = np.exp(level[:, 0] * np.log(8)).astype(np.float32)
    if shuffled:
        depths = depths[rng.permutation(count)]
    return LabelledViews(images.astype(np.uint8), depths, np.arange(count))


def depth_task(*, shuffled=False, config=CONFIG):
    labelled = depth_views(1, 24, shuffled=shuffled)
    validation = depth_views(2, 8, shuffled=shuffled)
    return DepthTask(labelled, validation, depth_views(3, 16), config)


def by_metric(measurements):
    return {measurement.metric: measurement for measurement in measurements}


def test_correspondence_of_perfect_features_is_perfect(shifted_pairs):
    scores = by_metric(CorrespondenceTask(shifted_pairs, CONFIG).measure(seeing_network(), 0))
    assert scores["accuracy"].per_sample.min() == 1
    assert scores["accuracy_within_1"].per_sample.min() == 1
    assert len(scores["accuracy"].per_sample) == 18  # a quarter chose the layer


@pytest.mark.parametrize("network", [blind_network, position_network])
def test_correspondence_without_seeing_is_chance(shifted_pairs, network):
    scores = by_metric(CorrespondenceTask(shifted_pairs, CONFIG).measure(network(), 0))
    for metric in ("accuracy", "accuracy_within_1"):
        assert scores[metric].per_sample.mean() < scores[metric].chance + 0.03
    assert scores["accuracy"].chance == pytest.approx(1 / GRID**2)  # nothing stays in place


def test_correspondence_says_which_network_is_better(shifted_pairs):
    task = CorrespondenceTask(shifted_pairs, CONFIG)
    seeds = repeat_seeds(0, 4)
    better = score_task(task, seeing_network(), blind_network, seeds)
    worse = score_task(task, blind_network(), lambda _seed: seeing_network(), seeds)
    same = score_task(task, seeing_network(), lambda _seed: seeing_network(), seeds)
    assert {score.verdict for score in better} == {Verdict.BETTER}
    assert {score.verdict for score in worse} == {Verdict.WORSE}
    assert {score.verdict for score in same} == {Verdict.SAME}


def test_the_trained_network_is_measured_once_where_seeds_do_nothing(shifted_pairs):
    task, seeds = CorrespondenceTask(shifted_pairs, CONFIG), repeat_seeds(0, 4)
    once, trained = seeing_network(), seeing_network()
    task.measure(once, seeds[0])
    (score, *_) = score_task(task, trained, blind_network, seeds)
    assert trained.encoder.calls == once.encoder.calls
    assert score.repeats == 4
    assert score.deviation == 0


def test_pairs_without_covisible_patches_are_passed_over(shifted_pairs):
    true = shifted_pairs.correspondence.copy()
    true[::2] = -1
    task = CorrespondenceTask(replace(shifted_pairs, correspondence=true), CONFIG)
    assert len(task.measure(seeing_network(), 0)[0].per_sample) == 9


def test_depth_is_read_from_features_that_hold_it():
    scores = by_metric(depth_task().measure(seeing_network(), 0))
    assert scores["delta_1"].per_sample.mean() > 0.85
    assert scores["delta_1"].chance < 0.4
    assert scores["rmse_m"].per_sample.mean() < 0.5 * scores["rmse_m"].chance
    assert not scores["rmse_m"].higher_is_better
    assert scores["rmse_m"].unit == "m"


@pytest.mark.parametrize(("network", "shuffled"), [(blind_network, False), (seeing_network, True)])
def test_depth_without_seeing_or_without_true_labels_is_no_better_than_chance(network, shuffled):
    scores = by_metric(depth_task(shuffled=shuffled).measure(network(), 0))
    assert scores["delta_1"].per_sample.mean() < scores["delta_1"].chance + 0.1
    assert scores["rmse_m"].per_sample.mean() > 0.8 * scores["rmse_m"].chance


def test_depth_spends_the_same_on_every_network():
    trained, random = seeing_network(), blind_network()
    task = depth_task()
    trained_scores, random_scores = task.measure(trained, 0), task.measure(random, 0)
    # Each view once, whatever the number of penalties.
    assert trained.encoder.calls == random.encoder.calls == 24 + 8 + 16
    assert [s.metric for s in trained_scores] == [s.metric for s in random_scores]


def test_depth_is_deterministic():
    first, second = (depth_task().measure(seeing_network(), 5) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.per_sample, other.per_sample)


def test_cells_average_known_depths_only():
    depths = np.array([[[np.e, 0.0], [np.e**3, 0.0]]], np.float32)
    logs, valid = log_depth_cells(depths, 1)
    assert logs.item() == pytest.approx(2.0, rel=1e-5)
    assert valid.item()
    assert log_depth_cells(depths, 2)[1].tolist() == [[[[True, False], [True, False]]]]


def test_row_medians_fall_back_to_the_median_of_all():
    values = torch.tensor([[[[1.0, 2.0], [9.0, 9.0]]], [[[3.0, 9.0], [9.0, 9.0]]]])
    valid = torch.tensor([[[[True, True], [False, False]]], [[[True, False], [False, False]]]])
    assert row_medians(values, valid).tolist() == [[[[2.0], [2.0]]]]


@pytest.mark.parametrize("objective", ["croco", "mae"])
def test_reconstruction_of_a_random_network(shifted_pairs, objective):
    config = TINY.model_copy(update={"objective": objective})
    model = build_model(config, 3).train()
    task = ReconstructionTask(shifted_pairs.pairs, CONFIG)
    first, again = task.measure(model, 0), task.measure(model, 0)
    other = task.measure(model, 1)
    assert model.training
    scores = by_metric(first)
    assert scores["masked_loss"].chance == pytest.approx(1.0, abs=0.02)
    assert ("second_view_gain" in scores) == (objective == "croco")
    np.testing.assert_array_equal(first[0].per_sample, again[0].per_sample)
    assert not np.array_equal(first[0].per_sample, other[0].per_sample)


def test_reconstruction_is_the_loss_of_the_model(shifted_pairs):
    model = build_model(TINY, 3)
    pairs = shifted_pairs.pairs
    score = ReconstructionTask(pairs, CONFIG).measure(model, 7)[0]
    mask = random_mask(len(pairs), GRID**2, 0.9, torch.Generator().manual_seed(7))
    with torch.no_grad():
        output = model(as_input(pairs.view_1, model), as_input(pairs.view_2, model), mask)
    assert score.per_sample.mean() == pytest.approx(output.loss.item(), rel=1e-5)


def test_pictures_show_the_truth_where_nothing_is_masked(shifted_pairs):
    model = build_model(TINY, 3)
    pictures = ReconstructionTask(shifted_pairs.pairs, CONFIG).pictures(model, 0)
    assert len(pictures) == 6
    for picture in pictures:
        masked = (picture.masked != picture.target).any(axis=2)
        assert masked.mean() == pytest.approx(58 / 64, abs=0.02)  # 90 % of 64 patches
        assert picture.reconstructed.dtype == np.uint8
        np.testing.assert_array_equal(picture.reconstructed[~masked], picture.target[~masked])
        assert (picture.reconstructed != picture.masked)[masked].mean() > 0.5


def test_encoding_in_batches_changes_nothing(shifted_pairs):
    encoder = build_model(TINY, 0).encoder
    images = shifted_pairs.pairs.view_1[:5]
    whole = patch_features(encoder, images, [0, 1], 5)
    parts = patch_features(encoder, images, [0, 1], 2)
    for one, other in zip(whole, parts, strict=True):
        assert one.shape == (5, GRID**2, 48)
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_layers_by_fraction():
    assert layer_indices((0.5, 0.75, 1.0), 12) == [5, 8, 11]
    assert layer_indices((0.1, 0.5, 1.0), 2) == [0, 1]


def test_standardiser_takes_scale_and_offset_away():
    features = torch.randn(4, 9, 3, generator=torch.Generator().manual_seed(0))
    scaled = features * torch.tensor([1.0, 50.0, 1e-2]) + 7
    torch.testing.assert_close(
        Standardiser(features)(features), Standardiser(scaled)(scaled), rtol=1e-2, atol=1e-2
    )


def test_chance_knows_that_patches_may_stay_where_they_are(shifted_pairs):
    stay = np.tile(np.arange(GRID**2, dtype=np.int16), (24, 1))
    task = CorrespondenceTask(replace(shifted_pairs, correspondence=stay), CONFIG)
    for score in task.measure(position_network(), 0):
        assert score.per_sample.mean() == score.chance == 1
