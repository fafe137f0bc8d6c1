"""What an evaluation does and how much it may spend."""

from __future__ import annotations

import enum
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from streaming.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable


class TaskName(enum.StrEnum):
    """The tasks that a model can be scored on."""

    RECONSTRUCTION = "reconstruction"
    CORRESPONDENCE = "correspondence"
    DEPTH = "depth"


class ReconstructionConfig(Settings):
    """Masked reconstruction of held-out pairs."""

    mask_ratio: float = Field(default=0.9, gt=0, lt=1)
    """Share of masked patches; the command takes that of the training."""
    pictures: int = Field(default=6, ge=0, le=64)
    """Pairs whose masked, reconstructed and true view are kept for reports."""


class CorrespondenceConfig(Settings):
    """Nearest neighbours of patch features between the views of held-out pairs."""

    layers: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=(0.25, 0.5, 0.75, 1.0), min_length=1
    )
    """Encoder layers to try, as fractions of its depth; one part of the pairs chooses the best."""


class DepthConfig(Settings):
    """A linear head on frozen features, fitted to few labels."""

    layers: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=(0.5, 1.0), min_length=1
    )
    """Encoder layers whose features are joined, as fractions of its depth."""
    cells: PositiveInt = 4
    """Depths that the head predicts along each side of a patch; the map is interpolated."""
    penalties: tuple[PositiveFloat, ...] = Field(
        default=(1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0), min_length=1
    )
    """Penalties of the ridge regression, beside features of unit variance; the validation views
    choose."""


class DataConfig(Settings):
    """How much held-out data is rendered; its rooms are of reserved seeds."""

    labelled_views: int = Field(default=256, ge=2)
    """Views with depth that a head is fitted to: the few labels."""
    validation_views: int = Field(default=64, ge=2)
    """Views that choose the penalty."""
    pairs: int = Field(default=96, ge=4)
    """Pairs with exact geometry, in other rooms, that are scored; for depth their first views."""


class EvalConfig(Settings):
    """The whole of an evaluation."""

    tasks: tuple[TaskName, ...] = Field(default=tuple(TaskName), min_length=1)
    """Tasks to run, in this order."""
    seed: int = Field(default=0, ge=0)
    """Seed of masks and random initialisations."""
    repeats: int = Field(default=5, ge=1)
    """Random initialisations to compare with; masks are drawn anew in each. Fewer than four
    are seldom enough to tell a difference from noise, one never is."""
    batch_size: PositiveInt = 32
    """Views that go through the encoder at once."""
    data: DataConfig = DataConfig()
    reconstruction: ReconstructionConfig = ReconstructionConfig()
    correspondence: CorrespondenceConfig = CorrespondenceConfig()
    depth: DepthConfig = DepthConfig()

    @model_validator(mode="after")
    def _each_task_once(self) -> Self:
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError("tasks: name each task once")
        return self

    @classmethod
    def quick(cls, overrides: Iterable[str] = ()) -> Self:
        """Under a minute on two cores for a tiny network; see `quick.yaml`.

        Args:
            overrides: texts of the form `a.b=c`.
        """
        return load_settings(
            cls, recipe=resources.files(__package__) / "quick.yaml", overrides=overrides
        )
