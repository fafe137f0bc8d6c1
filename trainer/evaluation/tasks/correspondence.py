"""Patch correspondence without any head: nearest neighbours of features between two views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from torch.nn import functional

from trainer.evaluation.config import TaskName
from trainer.evaluation.features import layer_indices, patch_features
from trainer.evaluation.metrics import chance_patch_accuracy, patch_accuracy
from trainer.evaluation.scores import Measurement

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from models.pretraining import PretrainingModel
    from trainer.evaluation.config import EvalConfig
    from trainer.evaluation.datasets.arrays import MatchedPairs

_RADII: Final = {"accuracy": 0, "accuracy_within_1": 1}
_CHOOSING_SHARE: Final = 4
"""One pair in so many chooses the layer and is not scored."""


class CorrespondenceTask:
    """For each patch of view 1 the patch of view 2 with the most similar features.

    Chance is the better of two ways not to look: a uniform guess, and the same place in view 2,
    which is what a network gets that knows positions alone.
    """

    name = TaskName.CORRESPONDENCE
    deterministic = True

    def __init__(self, data: MatchedPairs, config: EvalConfig) -> None:
        covisible = (data.correspondence >= 0).any(axis=1)
        self._pairs = data.pairs
        self._true = data.correspondence
        numbers = np.flatnonzero(covisible)
        self._choosing, self._scored = (
            numbers[: len(numbers) // _CHOOSING_SHARE],
            numbers[len(numbers) // _CHOOSING_SHARE :],
        )
        self._config = config

    def measure(self, model: PretrainingModel, seed: int) -> list[Measurement]:
        """Scores one model; nothing in this task is drawn at random, so the seed has no effect."""
        columns = model.encoder.grid[1]
        layers = layer_indices(self._config.correspondence.layers, model.encoder.depth)
        batch_size = self._config.batch_size
        predictions = [
            nearest_patches(features_1, features_2)
            for features_1, features_2 in zip(
                patch_features(model.encoder, self._pairs.view_1, layers, batch_size),
                patch_features(model.encoder, self._pairs.view_2, layers, batch_size),
                strict=True,
            )
        ]
        predicted = max(
            predictions,
            key=lambda prediction: self._accuracies(prediction, self._choosing, columns, 0).mean(),
        )
        return [
            Measurement(
                metric=metric,
                unit="",
                higher_is_better=True,
                per_sample=self._accuracies(predicted, self._scored, columns, radius),
                scenes=self._pairs.scenes[self._scored],
                chance=self._chance(columns, radius),
            )
            for metric, radius in _RADII.items()
        ]

    def _accuracies(
        self, predicted: NDArray[np.int64], numbers: NDArray[np.intp], columns: int, radius: int
    ) -> NDArray[np.float64]:
        return np.array(
            [patch_accuracy(predicted[n], self._true[n], columns, radius) for n in numbers]
        )

    def _chance(self, columns: int, radius: int) -> float:
        uniform = [chance_patch_accuracy(self._true[n], columns, radius) for n in self._scored]
        patches = np.arange(self._true.shape[1])
        unmoved = [patch_accuracy(patches, self._true[n], columns, radius) for n in self._scored]
        return float(max(np.mean(uniform), np.mean(unmoved)))


def nearest_patches(features_1: Tensor, features_2: Tensor) -> NDArray[np.int64]:
    """The most similar patch of view 2 for each patch of view 1, by cosine.

    Args:
        features_1: shape (n, patches, channels), of the first views of n pairs.
        features_2: the same of the second views.

    Returns:
        Shape (n, patches), row-major indices of patches.
    """
    unit_1 = functional.normalize(features_1, dim=-1)
    unit_2 = functional.normalize(features_2, dim=-1)
    return (unit_1 @ unit_2.transpose(1, 2)).argmax(dim=2).numpy()
