import pytest
import torch

from models.losses import denormalise, masked_pixel_loss, normalised_targets
from models.masking import random_mask
from models.patches import patchify
from models.pixels import normalise, to_uint8

PATCH = 8


@pytest.fixture
def images():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def mask():
    return random_mask(2, 16, 0.75, torch.Generator().manual_seed(1))


def test_targets_have_zero_mean_and_unit_variance_in_each_patch(images):
    targets = normalised_targets(images * 5 + 3, PATCH)
    torch.testing.assert_close(targets.mean(-1), torch.zeros(2, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(targets.var(-1), torch.ones(2, 16), atol=1e-4, rtol=0)


def test_a_perfect_prediction_loses_nothing_and_becomes_the_image_again(images, mask):
    targets = normalised_targets(images, PATCH)
    assert masked_pixel_loss(targets, images, mask, PATCH).item() == 0.0
    torch.testing.assert_close(denormalise(targets, images, PATCH), images)


def test_only_masked_patches_count(images, mask):
    prediction = torch.randn(2, 16, PATCH**2 * 3, generator=torch.Generator().manual_seed(2))
    loss = masked_pixel_loss(prediction, images, mask, PATCH)
    error = (prediction - normalised_targets(images, PATCH)).square()
    torch.testing.assert_close(loss, error[mask].mean())

    at_visible = prediction.clone()
    at_visible[~mask] += 10.0
    assert torch.equal(masked_pixel_loss(at_visible, images, mask, PATCH), loss)
    at_masked = prediction.clone()
    at_masked[mask] += 10.0
    assert masked_pixel_loss(at_masked, images, mask, PATCH) > loss + 50


def test_visible_pixels_are_no_target(images, mask):
    prediction = torch.zeros(2, 16, PATCH**2 * 3)
    repainted = images.clone()
    visible_pixels = (~mask).reshape(2, 1, 4, 4).repeat_interleave(PATCH, 2)
    visible_pixels = visible_pixels.repeat_interleave(PATCH, 3).expand_as(images)
    repainted[visible_pixels] = torch.randn(int(visible_pixels.sum())) * 9
    assert not torch.equal(patchify(repainted, PATCH), patchify(images, PATCH))
    assert torch.equal(
        masked_pixel_loss(prediction, repainted, mask, PATCH),
        masked_pixel_loss(prediction, images, mask, PATCH),
    )


def test_patches_of_one_colour_stay_finite(mask):
    flat = torch.full((2, 3, 32, 32), 0.3)
    prediction = torch.ones(2, 16, PATCH**2 * 3, requires_grad=True)
    loss = masked_pixel_loss(prediction, flat, mask, PATCH)
    loss.backward()
    assert loss.isfinite()
    assert prediction.grad.isfinite().all()
    # One colour has one value in each channel, and all three are the same here.
    torch.testing.assert_close(normalised_targets(flat, PATCH), torch.zeros(2, 16, 192))


def test_the_loss_is_float32_for_a_reduced_precision_prediction(images, mask):
    prediction = torch.zeros(2, 16, PATCH**2 * 3, dtype=torch.bfloat16)
    assert masked_pixel_loss(prediction, images, mask, PATCH).dtype == torch.float32


def test_pixels_survive_normalisation():
    every_value = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(1, 3, 1, 1)
    floats = normalise(every_value)
    assert floats.dtype == torch.float32
    assert torch.equal(to_uint8(floats), every_value)


def test_normalisation_is_that_of_imagenet():
    white = normalise(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)).flatten()
    expected = torch.tensor([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    torch.testing.assert_close(white, expected)


def test_values_beyond_the_range_of_pixels_are_clipped():
    extremes = torch.tensor([-100.0, 100.0]).reshape(1, 1, 1, 2).repeat(1, 3, 1, 1)
    assert to_uint8(extremes)[0, 0, 0].tolist() == [0, 255]
