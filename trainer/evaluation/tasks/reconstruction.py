"""How well masked patches of held-out pairs are reconstructed, and whether view 2 helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from models.croco import CroCo
from models.losses import denormalise, normalised_targets
from models.masking import random_mask
from models.patches import patchify, unpatchify
from models.pixels import to_uint8
from trainer.evaluation.config import TaskName
from trainer.evaluation.features import as_input, frozen
from trainer.evaluation.pictures import ReconstructionPicture
from trainer.evaluation.scores import Measurement

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from models.pretraining import PretrainingModel
    from trainer.evaluation.config import EvalConfig
    from trainer.evaluation.datasets.arrays import ViewPairs


class _Losses(NamedTuple):
    """float64 losses of each pair, shape (pairs,): of the model, and of guessing patch means."""

    model: NDArray[np.float64]
    flat_guess: NDArray[np.float64]


class ReconstructionTask:
    """The pretraining loss on pairs and masks that training never saw.

    A network of pairs is also given the second view of another pair: what it loses by that is
    what the second view was worth to it.
    """

    name = TaskName.RECONSTRUCTION
    deterministic = False

    def __init__(self, data: ViewPairs, config: EvalConfig) -> None:
        self._view_1 = data.view_1
        self._view_2 = data.view_2
        # Half way round, as neighbours may show the same room.
        self._other_view_2 = np.roll(data.view_2, len(data) // 2, axis=0)
        self._scenes = data.scenes
        self._config = config

    def measure(self, model: PretrainingModel, seed: int) -> list[Measurement]:
        """Scores one model with the masks of this seed."""
        masks = self._masks(model, seed)
        own = self._losses(model, self._view_2, masks)
        chance = float(own.flat_guess.mean())
        measurements = [self._loss("masked_loss", own.model, chance)]
        if isinstance(model, CroCo):
            other = self._losses(model, self._other_view_2, masks)
            measurements += [
                self._loss("masked_loss_shuffled_view_2", other.model, chance),
                Measurement(
                    metric="second_view_gain",
                    unit="",
                    higher_is_better=True,
                    per_sample=other.model - own.model,
                    scenes=self._scenes,
                    chance=0.0,
                ),
            ]
        return measurements

    def pictures(self, model: PretrainingModel, seed: int) -> list[ReconstructionPicture]:
        """Reconstructions of pairs spread over the data, with the masks that `measure` uses."""
        count = min(self._config.reconstruction.pictures, len(self._view_1))
        if count == 0:
            return []
        chosen = np.linspace(0, len(self._view_1) - 1, count).astype(int)
        masks = self._masks(model, seed)[chosen]
        with frozen(model):
            view_1 = as_input(self._view_1[chosen], model)
            view_2 = as_input(self._view_2[chosen], model)
            patches = model(view_1, view_2, masks).patches
            pixels = denormalise(patches, view_1, model.patch_size)
            masked = _where_masked(masks, torch.zeros_like(view_1), view_1, model.patch_size)
            filled = _where_masked(masks, pixels, view_1, model.patch_size)
        return [
            ReconstructionPicture(*pictures)
            for pictures in zip(
                _to_pictures(masked),
                self._view_2[chosen],
                _to_pictures(filled),
                self._view_1[chosen],
                strict=True,
            )
        ]

    def _loss(self, metric: str, per_sample: NDArray[np.float64], chance: float) -> Measurement:
        return Measurement(
            metric=metric,
            unit="",
            higher_is_better=False,
            per_sample=per_sample,
            scenes=self._scenes,
            chance=chance,
        )

    def _masks(self, model: PretrainingModel, seed: int) -> Tensor:
        rows, columns = model.encoder.grid
        generator = torch.Generator().manual_seed(seed)
        ratio = self._config.reconstruction.mask_ratio
        return random_mask(len(self._view_1), rows * columns, ratio, generator)

    def _losses(self, model: PretrainingModel, view_2: NDArray[np.uint8], masks: Tensor) -> _Losses:
        of_model, of_flat_guess = [], []
        with frozen(model):
            for start in range(0, len(view_2), self._config.batch_size):
                part = slice(start, start + self._config.batch_size)
                pixels_1 = as_input(self._view_1[part], model)
                mask = masks[part]
                patches = model(pixels_1, as_input(view_2[part], model), mask).patches
                targets = normalised_targets(pixels_1, model.patch_size)
                of_model.append(_masked_mean((patches.float() - targets).square(), mask))
                of_flat_guess.append(_masked_mean(targets.square(), mask))
        return _Losses(np.concatenate(of_model), np.concatenate(of_flat_guess))


def _masked_mean(errors: Tensor, mask: Tensor) -> NDArray[np.float64]:
    """Mean over masked patches of errors (B, N, values) with a mask (B, N): shape (B,)."""
    per_patch = errors.mean(dim=-1).double().cpu()
    return ((per_patch * mask).sum(dim=1) / mask.sum(dim=1)).numpy()


def _where_masked(mask: Tensor, inside: Tensor, outside: Tensor, patch_size: int) -> Tensor:
    chosen = torch.where(
        mask.to(inside.device)[:, :, None],
        patchify(inside, patch_size),
        patchify(outside, patch_size),
    )
    return unpatchify(chosen, patch_size)


def _to_pictures(images: Tensor) -> NDArray[np.uint8]:
    pictures: NDArray[np.uint8] = to_uint8(images).permute(0, 2, 3, 1).cpu().numpy()
    return pictures
