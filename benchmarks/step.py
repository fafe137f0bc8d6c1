"""Pairs a second of one optimisation step, augmentation included, on random pictures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import torch
import typer
from rich.table import Table

from benchmarks.report import publish
from streaming.pipeline.batch import PairBatch
from streaming.pipeline.window import Address
from streaming.settings import load_settings
from trainer.config import TrainConfig, recipe
from trainer.parallel import single_process
from trainer.state import TrainState
from trainer.step import train_step

if TYPE_CHECKING:
    from collections.abc import Callable

_TINY: Final = (
    "model.size=tiny",
    "model.image_size=112",
    "data.view_size=112",
    "data.batch_size=32",
    "micro_batch_size=32",
    "steps=1000",
    "optim.schedule.warmup_steps=10",
)
_RUNS: Final = {
    "demo": ("demo", ()),
    "tiny fp32": ("croco_base", (*_TINY, "precision=fp32")),
    "tiny bf16": ("croco_base", (*_TINY, "precision=bf16")),
}


def main(
    steps: Annotated[int, typer.Option(help="Steps of each run in a turn.", min=1)] = 2,
    rounds: Annotated[int, typer.Option(help="Turns; the best step counts.", min=1)] = 3,
    threads: Annotated[int, typer.Option(help="Threads of PyTorch.", min=1)] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Trains the recipe `demo`, and CroCo tiny (112 px, patches of 16) in fp32 and in bf16."""
    torch.set_num_threads(threads)
    configs = {
        run: load_settings(TrainConfig, recipe=recipe(name), overrides=[*own, f"device={device}"])
        for run, (name, own) in _RUNS.items()
    }
    stepped = {run: _stepper(config) for run, config in configs.items()}
    seconds: dict[str, list[float]] = {run: [] for run in configs}
    for step in stepped.values():
        step()  # Allocates the optimiser's state; kernels are chosen.
    for _ in range(rounds):
        for run, step in stepped.items():
            seconds[run] += [step() for _ in range(steps)]
    rates = {run: configs[run].data.batch_size / min(taken) for run, taken in seconds.items()}
    table = Table("", "pairs/s", "to tiny fp32")
    for run, rate in rates.items():
        ratio = "" if run == "demo" else f"{rate / rates['tiny fp32']:.2f}"
        table.add_row(run, f"{rate:.1f}", ratio)
    publish(
        "step",
        [table],
        {
            "demo_pairs_per_s": rates["demo"],
            "tiny_bf16_speedup": rates["tiny bf16"] / rates["tiny fp32"],
        },
        {"threads": threads, "pairs_per_s": rates, "step_s": seconds},
    )


def _stepper(config: TrainConfig) -> Callable[[], float]:
    """Gives a function that takes a step and tells its seconds."""
    world = single_process(config.device)
    state = TrainState.create(config, world.device)
    batch = _random_batch(config)

    def step() -> float:
        began_s = time.perf_counter()
        train_step(state, batch, config, world).loss.item()  # Reading it waits for the device.
        return time.perf_counter() - began_s

    return step


def _random_batch(config: TrainConfig) -> PairBatch:
    size, side = config.data.batch_size, config.data.view_size
    generator = torch.Generator().manual_seed(0)
    view_1, view_2 = torch.randint(
        0, 256, (2, size, 3, side, side), dtype=torch.uint8, generator=generator
    )
    return PairBatch(
        view_1=view_1,
        view_2=view_2,
        correspondence=torch.full((size, config.data.patch_count), -1, dtype=torch.int16),
        overlap=torch.full((size,), 0.6),
        mined_at_ns=torch.zeros(size, dtype=torch.int64),
        augmentation_seed=torch.arange(size),
        addresses=tuple(Address(0, offset, 0) for offset in range(size)),
        pair_ids=("",) * size,
        source_ids=("",) * size,
    )


if __name__ == "__main__":
    typer.run(main)
