"""One optimisation step, and the reading of its results later.

A step never makes the CPU wait for the device: loss and gradient norm stay there as tensors, and
a step whose loss or gradient is not finite is skipped by a flag on the device. `settle` reads
the results of many steps in one transfer, when they are logged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.masking import random_mask
from models.pixels import normalise
from streaming.errors import PairstreamError
from trainer.augment import augment
from trainer.optim import peak_lr, schedule_share, set_lr

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from streaming.pipeline.batch import PairBatch
    from streaming.pipeline.window import Address
    from trainer.config import TrainConfig
    from trainer.parallel import World
    from trainer.state import TrainState

_ADDRESSES_SHOWN = 4


class NonFiniteLossError(PairstreamError):
    """Too many steps in a row had a loss or gradient that is not finite."""


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What a step gave, still on the device.

    Attributes:
        step: number of the step, from 1.
        lr: its learning rate.
        loss: float32, 0-dimensional.
        grad_norm: float32, 0-dimensional: L2 norm of the gradient before clipping.
        addresses: the records of its batch.
    """

    step: int
    lr: float
    loss: Tensor
    grad_norm: Tensor
    addresses: Sequence[Address]


@dataclass(frozen=True, slots=True)
class StepReading:
    """What a step gave, read from the device; see `StepOutcome`."""

    step: int
    lr: float
    loss: float
    grad_norm: float
    addresses: Sequence[Address]

    @property
    def skipped(self) -> bool:
        """Whether the step changed nothing, because of a loss or gradient that is not finite."""
        return not (math.isfinite(self.loss) and math.isfinite(self.grad_norm))


def train_step(
    state: TrainState, batch: PairBatch, config: TrainConfig, world: World
) -> StepOutcome:
    """Trains on one batch: augment, mask, forward, backward, clip, update.

    Everything random in it is a function of the configuration's seed, the rank, the step and the
    records, so there is no state of a random generator to keep.

    Args:
        state: changed in place.
        batch: on the CPU; its last one may be smaller than others.
        config: the run's configuration.
        world: this process.
    """
    share = schedule_share(config.optim.schedule, state.step, config.steps)
    lr = share * peak_lr(config.optim, config.data.batch_size * world.size)
    set_lr(state.optimizer, lr)
    state.optimizer.zero_grad(set_to_none=True)
    loss = _accumulate_gradients(state, batch, config, world)
    grad_norm = torch.nn.utils.clip_grad_norm_(
        state.model.parameters(), config.optim.clip_norm or math.inf
    )
    # The fused AdamW leaves parameters and moments alone where this flag is 1: the way that
    # torch.amp.GradScaler skips steps.
    finite = torch.isfinite(loss) & torch.isfinite(grad_norm)
    vars(state.optimizer)["found_inf"] = (~finite).float()
    state.optimizer.step()
    state.step += 1
    state.pairs_seen += len(batch.addresses) * world.size
    return StepOutcome(state.step, lr, loss, grad_norm, batch.addresses)


def settle(
    outcomes: Sequence[StepOutcome],
    state: TrainState,
    max_skipped_in_row: int,
    on_skipped: Callable[[StepReading], None],
) -> list[StepReading]:
    """Reads the outcomes of steps in one transfer and counts the skipped ones.

    Args:
        outcomes: of steps not read before, in order.
        state: its counters of skipped steps are brought up to date.
        max_skipped_in_row: so many skipped steps in a row end the run.
        on_skipped: told of each skipped step.

    Raises:
        NonFiniteLossError: one line with the steps and the records of the last batch.
    """
    if not outcomes:
        return []
    values = torch.stack([torch.stack((o.loss, o.grad_norm)) for o in outcomes]).tolist()
    readings = [
        StepReading(outcome.step, outcome.lr, loss, grad_norm, outcome.addresses)
        for outcome, (loss, grad_norm) in zip(outcomes, values, strict=True)
    ]
    for reading in readings:
        if not reading.skipped:
            state.skipped_in_row = 0
            continue
        state.skipped_steps += 1
        state.skipped_in_row += 1
        on_skipped(reading)
        if state.skipped_in_row >= max_skipped_in_row:
            raise NonFiniteLossError(_describe(reading, state.skipped_in_row))
    return readings


def _accumulate_gradients(
    state: TrainState, batch: PairBatch, config: TrainConfig, world: World
) -> Tensor:
    """Gives the mean loss of the batch; its gradients are those of the whole batch."""
    size, device = len(batch.addresses), world.device
    views_1, views_2, seeds = (
        tensor.to(device, non_blocking=True)
        for tensor in (batch.view_1, batch.view_2, batch.augmentation_seed)
    )
    # On the CPU also when training is not: so the network need not wait to learn the shapes.
    patches = (state.model.image_size // state.model.patch_size) ** 2
    masks = random_mask(
        size, patches, config.mask_ratio, _generator(config.seed, world.rank, state.step)
    )
    chunk = config.micro_batch_size or size
    total = torch.zeros((), device=device)
    for start in range(0, size, chunk):
        part = slice(start, start + chunk)
        view_1, view_2 = augment(
            views_1[part], views_2[part], seeds[part], state.model.image_size, config.augment
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            loss = state.model(normalise(view_1), normalise(view_2), masks[part]).loss
        loss = loss.float() * (len(view_1) / size)
        loss.backward()
        total += loss.detach()
    return total


def _generator(seed: int, rank: int, step: int) -> torch.Generator:
    mixed = np.random.SeedSequence([seed, rank, step]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(mixed[0] >> 1))


def _describe(reading: StepReading, in_row: int) -> str:
    shown = ", ".join(f"{a.partition}@{a.offset}" for a in reading.addresses[:_ADDRESSES_SHOWN])
    more = len(reading.addresses) - _ADDRESSES_SHOWN
    rest = f" and {more} more (see the journal)" if more > 0 else ""
    return (
        f"the loss or its gradient was not finite in {in_row} steps in a row, up to step "
        f"{reading.step}; records of the last batch (partition@offset): {shown}{rest}; "
        "lower the learning rate or look at these records"
    )
