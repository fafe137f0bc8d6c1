"""Ridge regression beside its definition."""

import pytest
import torch

from trainer.evaluation.ridge import ridge_regressions


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(200, 5, generator=generator) + 3
    weight = torch.randn(5, 2, generator=generator)
    return inputs, inputs @ weight + 7, weight


def test_without_noise_the_weights_are_found(data):
    inputs, targets, weight = data
    (regression,) = ridge_regressions(inputs, targets, [1e-9])
    torch.testing.assert_close(regression.weight, weight, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(regression(inputs), targets, rtol=1e-3, atol=1e-3)


def test_each_is_the_minimum_for_its_penalty(data):
    inputs, targets, _ = data
    penalties = [0.1, 10.0]
    regressions = ridge_regressions(inputs, targets, penalties)
    for regression, penalty in zip(regressions, penalties, strict=True):
        weight = regression.weight.clone().requires_grad_()
        bias = regression.bias.clone().requires_grad_()
        error = (inputs @ weight + bias - targets).square().sum(dim=1).mean()
        (error + penalty * weight.square().sum()).backward()
        assert weight.grad.abs().max() < 1e-3
        assert bias.grad.abs().max() < 1e-3


def test_an_infinite_penalty_leaves_the_mean(data):
    inputs, targets, _ = data
    (regression,) = ridge_regressions(inputs, targets, [1e9])
    torch.testing.assert_close(regression(inputs), targets.mean(dim=0).expand_as(targets))


def test_inputs_that_repeat_each_other_are_no_harm(data):
    inputs, targets, _ = data
    (regression,) = ridge_regressions(torch.cat([inputs, inputs], dim=1), targets, [1e-6])
    torch.testing.assert_close(
        regression(torch.cat([inputs, inputs], dim=1)), targets, rtol=1e-2, atol=1e-2
    )


def test_more_samples_than_a_chunk(data):
    inputs, targets, _ = data
    few, many = (
        ridge_regressions(inputs.repeat(times, 1), targets.repeat(times, 1), [0.5])[0].weight
        for times in (1, 50)
    )
    torch.testing.assert_close(few, many, rtol=1e-3, atol=1e-4)
