"""A run's whole configuration, and the recipes that come with Pairstream."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from models.masking import masked_count
from models.registry import ModelConfig
from streaming.errors import ConfigError
from streaming.pipeline.config import PipelineConfig
from streaming.settings import Settings
from trainer.augment import AugmentConfig
from trainer.optim import OptimConfig
from trainer.parallel import DeviceName

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

_RECIPE_SUFFIX = ".yaml"
# What may differ when a run is resumed: nothing that changes what a step computes, but for
# `steps`, so that a run can be made longer or brought to its end.
_FREE_KEYS = (
    "steps",
    "log_every",
    "max_skipped_in_row",
    "device",
    "checkpoint.",
    "data.decode_threads",
    "data.prefetch_batches",
    "data.poll_s",
    "data.fetch_bytes",
    "data.on_lost",
)


class CheckpointConfig(Settings):
    """When checkpoints are written and how many are kept."""

    every_steps: int = Field(default=1000, ge=1)
    """Steps between checkpoints; the last step of a run is always followed by one."""
    keep: int = Field(default=3, ge=1)
    """How many of the newest are kept."""


class TrainConfig(Settings):
    """Everything that decides what a run does, but for the log and the folder it works in."""

    environment_prefix = "PAIRSTREAM_TRAIN__"

    model: ModelConfig = ModelConfig()
    """The network."""
    data: PipelineConfig = PipelineConfig()
    """How pairs come from the log; its `batch_size` is that of one process."""
    augment: AugmentConfig = AugmentConfig()
    """Random changes of the views."""
    optim: OptimConfig = OptimConfig()
    """Optimiser and schedule."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """`bf16` computes the network by bfloat16 autocast; weights and loss stay float32."""
    mask_ratio: float = Field(default=0.9, gt=0.0, lt=1.0)
    """Share of the patches of view 1 that are hidden: 0.9 in CroCo, 0.75 in MAE."""
    steps: int | None = Field(default=None, ge=1)
    """Length of the run in optimisation steps; without it the run goes on until stopped."""
    micro_batch_size: int | None = Field(default=None, ge=1)
    """Pairs computed at once; gradients are accumulated over the batch. Saves memory."""
    max_skipped_in_row: int = Field(default=5, ge=1)
    """A step with a loss or gradient that is not finite is skipped; so many in a row end it."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """When checkpoints are written and how many are kept."""
    log_every: int = Field(default=10, ge=1)
    """Steps between two lines of progress."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Seed of the first weights and of the masks; the order of records has its own in `data`."""
    device: DeviceName = "auto"
    """Where to compute; `auto` takes the GPU where there is one."""

    @model_validator(mode="after")
    def _check_masking(self) -> Self:
        check_mask_ratio("mask_ratio", self.mask_ratio, self.model)
        return self

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        schedule, steps = self.optim.schedule, self.steps
        if steps is None:
            if schedule.kind == "cosine":
                raise ConfigError(
                    "configuration: steps is required by optim.schedule.kind=cosine; "
                    "give steps, or use wsd for a run without end"
                )
            return self
        decay_steps = schedule.decay_steps if schedule.kind == "wsd" else 0
        if schedule.warmup_steps + decay_steps > steps:
            raise ConfigError(
                f"configuration: warm-up ({schedule.warmup_steps} steps) and decay ({decay_steps}) "
                f"do not fit into steps={steps}; shorten optim.schedule or raise steps"
            )
        return self


def check_mask_ratio(key: str, ratio: float, model: ModelConfig) -> None:
    """Refuses a ratio that hides no patch of an image, or leaves none to see.

    Args:
        key: the name of the setting, for the message.
        ratio: share of hidden patches.
        model: the network whose images are masked.

    Raises:
        ConfigError: names the settings that do not go together.
    """
    try:
        masked_count(model.patch_count, ratio)
    except ValueError as error:
        raise ConfigError(
            f"configuration: {key}: {error} (model.image_size={model.image_size}, "
            f"model.patch_size={model.patch_size}); change one of the three"
        ) from error


def recipe(name_or_path: str) -> Traversable | Path:
    """Finds a recipe: one of ours by its name, or a YAML file by its path.

    Raises:
        ConfigError: when there is neither; names the ones there are.
    """
    folder = resources.files("trainer") / "recipes"
    names = sorted(
        entry.name.removesuffix(_RECIPE_SUFFIX)
        for entry in folder.iterdir()
        if entry.name.endswith(_RECIPE_SUFFIX)
    )
    if name_or_path in names:
        return folder / f"{name_or_path}{_RECIPE_SUFFIX}"
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise ConfigError(
        f"recipe {name_or_path}: no such file and no such recipe; there are {', '.join(names)}"
    )


def check_resumable(config: TrainConfig, earlier: Mapping[str, Any], where: Path) -> None:
    """Refuses to go on with a run under settings that change what its steps compute.

    Args:
        config: the settings asked for.
        earlier: the settings of the run, as its checkpoint holds them.
        where: the checkpoint, for the message.

    Raises:
        ConfigError: names the keys that differ.
    """
    before, now = _flatten(earlier), _flatten(config.model_dump(mode="json"))
    differing = [
        f"{key}={before.get(key)} there, {now.get(key)} here"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and not key.startswith(_FREE_KEYS)
    ]
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise ConfigError(
            f"checkpoint {where}: other settings ({'; '.join(differing[:3])}{more}); "
            "use the run's own settings or a new --run"
        )


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
