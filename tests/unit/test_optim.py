"""Schedules against values computed by hand, and which parameters decay."""

import math

import pytest
import torch
from torch import nn

from trainer.optim import OptimConfig, ScheduleConfig, build_optimizer, peak_lr, schedule_share


@pytest.mark.parametrize(
    ("step", "share"),
    [
        (0, 0.25),
        (3, 1.0),
        (4, 1.0),
        (8, 0.5),  # half of the 8 steps after warm-up
        (6, (1 + math.sqrt(0.5)) / 2),
        (11, (1 + math.cos(math.pi * 7 / 8)) / 2),
        (12, 0.0),
    ],
)
def test_cosine(step, share):
    config = ScheduleConfig(kind="cosine", warmup_steps=4)
    assert schedule_share(config, step, 12) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize(
    ("step", "share"), [(0, 0.5), (1, 1.0), (5, 1.0), (6, 1.0), (7, 0.55), (9, 0.325), (10, 0.1)]
)
def test_wsd_decays_by_one_minus_square_root_to_its_final_share(step, share):
    config = ScheduleConfig(kind="wsd", warmup_steps=2, decay_steps=4, final_share=0.1)
    # 1 - sqrt(1/4) = 0.5 and 1 - sqrt(3/4) = 0.134 of the way between 0.1 and 1.
    share = 0.1 + 0.9 * (1 - math.sqrt(0.75)) if step == 9 else share
    assert schedule_share(config, step, 10) == pytest.approx(share)


def test_wsd_without_end_stays_at_its_peak():
    config = ScheduleConfig(kind="wsd", warmup_steps=2, decay_steps=4)
    assert schedule_share(config, 10**9, None) == 1.0


def test_peak_rate_scales_with_the_batch_unless_given():
    assert peak_lr(OptimConfig(base_lr=1.5e-4), 4096) == pytest.approx(2.4e-3)
    assert peak_lr(OptimConfig(lr=1e-3), 4096) == 1e-3


class _Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.pos_embed = nn.Parameter(torch.zeros(1, 3, 4))
        self.linear = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.frozen = nn.Parameter(torch.zeros(4, 4), requires_grad=False)


def test_only_matrices_decay():
    net = _Net()
    optimizer = build_optimizer(net, OptimConfig(weight_decay=0.3))
    names = {id(p): name for name, p in net.named_parameters()}
    decays = {
        names[id(p)]: group["weight_decay"]
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert decays == {
        "linear.weight": 0.3,
        "linear.bias": 0.0,
        "norm.weight": 0.0,
        "norm.bias": 0.0,
        "mask_token": 0.0,
        "pos_embed": 0.0,
    }
