"""Which process this is, of how many, and on which device: found out once and handed on.

The only module that knows how processes find each other. One process trains so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from streaming.errors import ConfigError

DeviceName = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class World:
    """The processes that train together, seen from one of them.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
        device: where this process computes.
    """

    rank: int
    size: int
    device: torch.device


def single_process(device: DeviceName) -> World:
    """A world of one; `auto` takes the GPU where there is one.

    Raises:
        ConfigError: when CUDA is asked for and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise ConfigError("device: cuda is asked for but torch finds no GPU; use cpu or auto")
    return World(0, 1, torch.device("cuda" if has_cuda and device != "cpu" else "cpu"))
