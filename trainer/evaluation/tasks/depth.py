"""Monocular depth from a frozen encoder and few labels.

A linear head (of few values a patch, interpolated to all pixels) predicts the logarithm of the
depth in metres. It reads the features of the patch and their mean over the picture: how far away
things are is mostly common to a picture, and hardly to be told from one patch. The head is the
exact solution of a ridge regression, so no network is favoured by steps or learning rates.
"""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn import functional

from models.patches import patchify, unpatchify
from trainer.evaluation.config import TaskName
from trainer.evaluation.features import Standardiser, layer_indices, patch_features
from trainer.evaluation.metrics import DepthMetrics, depth_metrics
from trainer.evaluation.ridge import ridge_regressions
from trainer.evaluation.scores import Measurement

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from models.pretraining import PretrainingModel
    from trainer.evaluation.config import EvalConfig
    from trainer.evaluation.datasets.arrays import LabelledViews

_METRICS: Final = tuple(field.name for field in fields(DepthMetrics))
_UNITS: Final = {"rmse_m": "m"}
_LOWER_IS_BETTER: Final = ("rmse_m", "abs_rel")


class DepthTask:
    """Scores an encoder by what a linear head reads from it in rooms that the head never saw."""

    name = TaskName.DEPTH
    deterministic = True

    def __init__(
        self,
        labelled: LabelledViews,
        validation: LabelledViews,
        test: LabelledViews,
        config: EvalConfig,
    ) -> None:
        self._labelled = labelled
        self._validation = validation
        self._test = test
        self._config = config

    def measure(self, model: PretrainingModel, seed: int) -> list[Measurement]:
        """Fits a head for each penalty, keeps the best in validation, scores it.

        Nothing in this task is drawn at random, so the seed has no effect.
        """
        cells = self._config.depth.cells
        grid = model.encoder.grid[0] * cells
        labels, known = log_depth_cells(self._labelled.depths_m, grid)
        guess = row_medians(labels, known)
        features = self._features(model, self._labelled)
        standardise = Standardiser(features)
        known_patches = patchify(known, cells).all(dim=-1)
        heads = ridge_regressions(
            standardise(features)[known_patches],
            patchify(labels - guess, cells)[known_patches],
            self._config.depth.penalties,
        )
        validation = standardise(self._features(model, self._validation))
        truth, valid = log_depth_cells(self._validation.depths_m, grid)
        head = min(
            heads,
            key=lambda head: float(
                log_error(unpatchify(head(validation), cells) + guess, truth, valid)
            ),
        )
        test = standardise(self._features(model, self._test))
        scores = self._score(unpatchify(head(test), cells) + guess)
        chances = self._score(guess.expand(len(test), 1, grid, grid))
        return [
            Measurement(
                metric=metric,
                unit=_UNITS.get(metric, ""),
                higher_is_better=metric not in _LOWER_IS_BETTER,
                per_sample=scores[:, column],
                scenes=self._test.scenes,
                chance=float(chances[:, column].mean()),
            )
            for column, metric in enumerate(_METRICS)
        ]

    def _features(self, model: PretrainingModel, views: LabelledViews) -> Tensor:
        layers = layer_indices(self._config.depth.layers, model.encoder.depth)
        of_layers = patch_features(model.encoder, views.images, layers, self._config.batch_size)
        of_patches = torch.cat(of_layers, dim=-1)
        of_pictures = of_patches.mean(dim=1, keepdim=True).expand_as(of_patches)
        return torch.cat([of_patches, of_pictures], dim=-1)

    def _score(self, log_depths: Tensor) -> NDArray[np.float64]:
        """Metrics of each test view at full resolution, shape (views, metrics)."""
        true_m = self._test.depths_m
        full = functional.interpolate(log_depths, true_m.shape[1:], mode="bilinear")
        predicted_m = full[:, 0].exp().numpy()
        return np.array(
            [
                astuple(depth_metrics(predicted, true, true > 0))
                for predicted, true in zip(predicted_m, true_m, strict=True)
            ]
        )


def log_depth_cells(depths_m: NDArray[np.float32], cells: int) -> tuple[Tensor, Tensor]:
    """Mean logarithm of the known depths in each cell of a square grid.

    Args:
        depths_m: shape (n, height, width), metres, 0 where unknown.
        cells: cells along each side; both sides of a map are multiples of it.

    Returns:
        float32 logarithms and a bool mask of the cells with any known depth, both of shape
        (n, 1, cells, cells).
    """
    depths = torch.from_numpy(depths_m)[:, None]
    known = (depths > 0).float()
    logs = torch.where(depths > 0, depths, 1.0).log()
    share = functional.adaptive_avg_pool2d(known, cells)
    total = functional.adaptive_avg_pool2d(logs, cells)
    return total / share.clamp_min(1e-6), share > 0


def row_medians(values: Tensor, valid: Tensor) -> Tensor:
    """Median of each row of cells over all views: the best guess without looking.

    Left and right are alike in a room, above and below are not. Rows that are valid nowhere get
    the median of all. Shape (1, 1, cells, 1).
    """
    known = torch.where(valid, values, torch.nan)
    of_rows = known.transpose(0, 2).flatten(1).nanmedian(dim=1).values
    return torch.where(of_rows.isnan(), known.nanmedian(), of_rows)[None, None, :, None]


def log_error(predicted: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute difference of log depths over valid cells."""
    return (predicted - truth).abs()[valid].mean()
