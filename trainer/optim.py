"""AdamW, its parameter groups, and the learning rate as a pure function of the step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from torch.optim import AdamW

from streaming.settings import Settings

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

_BASE_BATCH = 256
DecayRate = Annotated[float, Field(ge=0.0, lt=1.0)]
_UNDECAYED_NAMES = ("token", "pos_embed")


class ScheduleConfig(Settings):
    """How the learning rate goes over the steps of a run."""

    kind: Literal["cosine", "wsd"] = "wsd"
    """`wsd`: warm-up, stable, and a decay over the last `decay_steps`; the schedule of a stream,
    which has no epochs. `cosine`: warm-up, then half a cosine down to the last step."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps over which the rate rises linearly to its peak."""
    decay_steps: int = Field(default=0, ge=0)
    """Steps of the decay of `wsd`, at the end of the run; without an end there is no decay."""
    final_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Where the decay ends, as a share of the peak."""


class OptimConfig(Settings):
    """AdamW and its schedule."""

    lr: float | None = Field(default=None, gt=0.0)
    """Peak learning rate; without it `base_lr` times batch size / 256."""
    base_lr: float = Field(default=1.5e-4, gt=0.0)
    """Peak learning rate of a batch of 256 (the linear scaling rule of Goyal et al., 2017)."""
    betas: tuple[DecayRate, DecayRate] = (0.9, 0.95)
    """Decay rates of the running means of the gradient and its square."""
    weight_decay: float = Field(default=0.05, ge=0.0)
    """Decoupled weight decay of the matrices; biases, norms, tokens and positions have none."""
    clip_norm: float | None = Field(default=None, gt=0.0)
    """Longest gradient (L2 norm over all parameters); longer ones are scaled down to it."""
    schedule: ScheduleConfig = ScheduleConfig()
    """How the learning rate goes over the steps."""


def peak_lr(config: OptimConfig, batch_size: int) -> float:
    """The learning rate at the top of the schedule for a batch of all processes together."""
    if config.lr is not None:
        return config.lr
    return config.base_lr * batch_size / _BASE_BATCH


def schedule_share(config: ScheduleConfig, step: int, total_steps: int | None) -> float:
    """The learning rate of a step as a share of the peak.

    `wsd` decays by 1 - sqrt(progress) (Hägele et al., "Scaling Laws and Compute-Optimal Training
    Beyond Fixed Training Durations", 2024).

    Args:
        config: the schedule.
        step: steps done before this one, so 0 for the first.
        total_steps: length of the run; None for one without end, which only `wsd` can have.
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if total_steps is None:
        return 1.0
    decay_steps = (
        total_steps - config.warmup_steps if config.kind == "cosine" else config.decay_steps
    )
    decay_start = total_steps - decay_steps
    if step < decay_start or decay_steps == 0:
        return 1.0
    progress = min(1.0, (step - decay_start) / decay_steps)
    shape = (1 + math.cos(math.pi * progress)) / 2 if config.kind == "cosine" else 1 - progress**0.5
    return config.final_share + (1 - config.final_share) * shape


def build_optimizer(model: nn.Module, config: OptimConfig) -> AdamW:
    """AdamW over the trainable parameters, those that decay and those that do not.

    It is the fused one on every device, because that can skip a step by a flag on the device,
    without the CPU waiting to know (see `trainer.step`).
    """
    decayed: list[nn.Parameter] = []
    undecayed: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (decayed if _decays(name, parameter) else undecayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": undecayed, "weight_decay": 0.0},
    ]
    return AdamW([group for group in groups if group["params"]], betas=config.betas, fused=True)


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Sets the learning rate of all groups."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def _decays(name: str, parameter: nn.Parameter) -> bool:
    last_name = name.rpartition(".")[2]
    return parameter.ndim > 1 and not any(part in last_name for part in _UNDECAYED_NAMES)
