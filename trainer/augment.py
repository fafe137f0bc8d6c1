"""Random crops, flips and colours on the device, the same for a record however often it is read.

All randomness of a record comes from its `augmentation_seed`, by a counter-based generator that
runs on the device for the whole batch at once and gives the same numbers on every device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch.nn import functional

from streaming.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_DRAWS = 10


class AugmentConfig(Settings):
    """Random changes of the views; the defaults of CroCo: colours, view by view."""

    crop_area_min: float = Field(default=1.0, gt=0.0, le=1.0)
    """Smallest share of the area that a random square crop keeps; 1 keeps whole views. Both views
    of a pair are cropped alike."""
    flip_probability: float = Field(default=0.0, ge=0.0, le=1.0)
    """How often a pair is mirrored, both views together."""
    brightness: float = Field(default=0.4, ge=0.0, le=1.0)
    """Brightness is multiplied by 1 ± this, drawn for each view."""
    contrast: float = Field(default=0.4, ge=0.0, le=1.0)
    """Contrast is multiplied by 1 ± this, drawn for each view."""
    saturation: float = Field(default=0.4, ge=0.0, le=1.0)
    """Saturation is multiplied by 1 ± this, drawn for each view."""

    @property
    def moves(self) -> bool:
        """Whether views are cropped or flipped."""
        return self.crop_area_min < 1.0 or self.flip_probability > 0.0

    @property
    def recolours(self) -> bool:
        """Whether colours change."""
        return max(self.brightness, self.contrast, self.saturation) > 0.0


def augment(
    view_1: Tensor, view_2: Tensor, seeds: Tensor, image_size: int, config: AugmentConfig
) -> tuple[Tensor, Tensor]:
    """Brings the views of a batch to the model's size and changes them at random.

    Args:
        view_1: uint8, (B, 3, H, W).
        view_2: uint8, (B, 3, H, W).
        seeds: int64, (B,), one a record, on the same device as the views.
        image_size: height and width of the result in pixels.
        config: what is changed and how much.

    Returns:
        Both views: uint8, (B, 3, image_size, image_size).
    """
    draws = uniforms(seeds, _DRAWS)
    return (
        _change(view_1, draws[:, :4], draws[:, 4:7], image_size, config),
        _change(view_2, draws[:, :4], draws[:, 7:10], image_size, config),
    )


def uniforms(seeds: Tensor, count: int) -> Tensor:
    """Random numbers of each record: SplitMix64 (Steele et al., 2014), started at its seed.

    Args:
        seeds: int64, (B,).
        count: numbers a record.

    Returns:
        float32, (B, count), in [0, 1).
    """
    steps = torch.arange(1, count + 1, device=seeds.device) * _signed(_GOLDEN)
    bits = _mix(_mix(seeds)[:, None] + steps)
    return _shift_right(bits, 40).float() / 2**24


def _change(
    view: Tensor, place: Tensor, colours: Tensor, image_size: int, config: AugmentConfig
) -> Tensor:
    if view.shape[-1] == image_size and not config.moves and not config.recolours:
        return view
    image = view.float()
    if config.moves:
        # No smaller than this, so that the smallest crop is not enlarged; no larger, so that the
        # largest one, which is sampled without smoothing, does not alias.
        work_size = min(view.shape[-1], round(image_size / config.crop_area_min**0.5))
        image = _crop(_resize(image, work_size), place, image_size, config)
    else:
        image = _resize(image, image_size)
    if config.recolours:
        image = _recolour(image, colours, config)
    return image.round_().clamp_(0, 255).to(torch.uint8)


def _resize(image: Tensor, size: int) -> Tensor:
    if image.shape[-2:] == (size, size):
        return image
    return functional.interpolate(image, (size, size), mode="bilinear", antialias=True)


def _crop(image: Tensor, place: Tensor, size: int, config: AugmentConfig) -> Tensor:
    """Samples square crops; `place` is (B, 4): area, horizontal and vertical place, flip."""
    side = (config.crop_area_min + place[:, 0] * (1 - config.crop_area_min)).sqrt()
    centre = (place[:, 1:3] * 2 - 1) * (1 - side)[:, None]
    mirror = torch.where(place[:, 3] < config.flip_probability, -1.0, 1.0)
    transform = torch.zeros(len(image), 2, 3, device=image.device)
    transform[:, 0, 0] = side * mirror
    transform[:, 1, 1] = side
    transform[:, :, 2] = centre
    grid = functional.affine_grid(transform, [len(image), 3, size, size], align_corners=False)
    return functional.grid_sample(image, grid, padding_mode="border", align_corners=False)


def _recolour(image: Tensor, colours: Tensor, config: AugmentConfig) -> Tensor:
    """Changes brightness, then contrast, then saturation; `colours` is (B, 3), each in [0, 1)."""
    brightness, contrast, saturation = (colours * 2 - 1)[:, :, None, None, None].unbind(1)
    image = (image * (1 + config.brightness * brightness)).clamp(0, 255)
    mean_grey = _grey(image).mean((2, 3), keepdim=True)
    image = torch.lerp(mean_grey, image, 1 + config.contrast * contrast).clamp(0, 255)
    return torch.lerp(_grey(image), image, 1 + config.saturation * saturation)


def _grey(image: Tensor) -> Tensor:
    """Luma of ITU-R BT.601, (B, 1, H, W)."""
    return 0.299 * image[:, :1] + 0.587 * image[:, 1:2] + 0.114 * image[:, 2:]


def _mix(bits: Tensor) -> Tensor:
    bits = (bits ^ _shift_right(bits, 30)) * _signed(0xBF58476D1CE4E5B9)
    bits = (bits ^ _shift_right(bits, 27)) * _signed(0x94D049BB133111EB)
    return bits ^ _shift_right(bits, 31)


def _shift_right(bits: Tensor, count: int) -> Tensor:
    """Logical shift of int64, which torch has only as an arithmetic one."""
    return (bits >> count) & ((1 << (64 - count)) - 1)


def _signed(bits: int) -> int:
    """The int64 of the same 64 bits."""
    return bits - (1 << 64) if bits >= 1 << 63 else bits
