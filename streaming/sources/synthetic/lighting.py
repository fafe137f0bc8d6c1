"""Light that is baked into the textures of a room: lamps, shadows and a coloured ambient.

The light that a surface sends is the same in all directions (Lambert), so two views of a place
agree on its colour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from streaming.sources.synthetic.meshes import rotation_z
from streaming.sources.synthetic.textures import to_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from streaming.sources.synthetic.meshes import Block, Item, Patch

_SPACING_M: Final = 0.12
_SHADOW_SAMPLES: Final = 4
_MIDDLE_LIGHT: Final = 0.92


@dataclass(frozen=True, slots=True)
class Light:
    """A ball of light.

    Attributes:
        place: its centre, float64 (3,).
        radius: in metres; large ones cast soft shadows.
        colour: relative strength of red, green and blue, float64 (3,).
    """

    place: NDArray[np.float64]
    radius: float
    colour: NDArray[np.float64]


def lit(
    items: Sequence[Item], lights: Sequence[Light], ambient: NDArray[np.float64], rng: Generator
) -> list[Item]:
    """The items with textures as they look under the lights; the median light becomes 0.92."""
    rasters = [_raster(patch) for item in items for patch in item.patches]
    place, normal = (
        np.concatenate([raster[part].reshape(-1, 3) for raster in rasters]).astype(np.float32).T
        for part in (0, 1)
    )
    blocks = [block for item in items for block in item.blocks]
    light = _light(place, normal, lights, ambient, blocks, rng)
    light *= _MIDDLE_LIGHT / np.median(light.mean(0))
    edges = np.cumsum([raster[0].size // 3 for raster in rasters])
    maps = iter(np.split(light.T, edges[:-1]))
    shapes = iter([raster[0].shape for raster in rasters])
    return [
        replace(
            item,
            patches=tuple(
                replace(patch, texture=_shaded(patch.texture, next(maps).reshape(next(shapes))))
                for patch in item.patches
            ),
        )
        for item in items
    ]


def _shaded(texture: NDArray[np.uint8], light: NDArray[np.float32]) -> NDArray[np.uint8]:
    height, width = texture.shape[:2]
    # A display shows about the square root of the light; the cap keeps texture in bright spots.
    factor = np.minimum(np.sqrt(np.maximum(light, 0)), 1.35)
    full = cv2.resize(factor, (width, height), interpolation=cv2.INTER_LINEAR)
    return to_picture(texture * full)


def _light(
    place: NDArray[np.float32],
    normal: NDArray[np.float32],
    lights: Sequence[Light],
    ambient: NDArray[np.float64],
    blocks: Sequence[Block],
    rng: Generator,
) -> NDArray[np.float32]:
    """Red, green and blue light at points (3, n) with normals (3, n): (3, n)."""
    light = np.outer(ambient, 0.8 + 0.2 * normal[2]).astype(np.float32)
    start = place + np.float32(0.02) * normal
    for lamp in lights:
        seen = np.zeros(place.shape[1], np.float32)
        for _ in range(_SHADOW_SAMPLES):
            direction = rng.normal(size=3)
            bulb = lamp.place + lamp.radius * direction / np.linalg.norm(direction)
            ray = bulb.astype(np.float32)[:, None] - place
            distance_2 = (ray**2).sum(0)
            cosine = np.maximum((ray * normal).sum(0) / np.sqrt(distance_2), 0)
            seen += cosine / (distance_2 + 1) * ~_blocked(start, bulb, blocks)
        light += np.outer(lamp.colour, seen / _SHADOW_SAMPLES).astype(np.float32)
    return light


def _raster(patch: Patch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points at most about `_SPACING_M` apart on a patch, and the normals there."""
    grid = patch.points
    rows, columns = grid.shape[:2]
    tall = float(np.linalg.norm(np.diff(grid, axis=0), axis=-1).sum(0).max())
    wide = float(np.linalg.norm(np.diff(grid, axis=1), axis=-1).sum(1).max())
    height, width = (int(np.clip(length / _SPACING_M, 2, 96)) for length in (tall, wide))
    down = (np.arange(height) + 0.5) / height * (rows - 1)
    right = (np.arange(width) + 0.5) / width * (columns - 1)
    row, column = down.astype(int), right.astype(int)
    a = (down - row)[:, None, None]
    b = (right - column)[None, :, None]
    corners = [grid[row[:, None] + i, column[None, :] + j] for i in (0, 1) for j in (0, 1)]
    top, bottom = (corners[k] * (1 - b) + corners[k + 1] * b for k in (0, 2))
    along_down = bottom - top
    along_right = (corners[1] - corners[0]) * (1 - a) + (corners[3] - corners[2]) * a
    normal = np.cross(along_down, along_right)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    return top * (1 - a) + bottom * a, normal


def _blocked(
    start: NDArray[np.float32], end: NDArray[np.float64], blocks: Sequence[Block]
) -> NDArray[np.bool_]:
    """Whether the segment from each start (3, n) to the end passes through a block (slab test)."""
    hit = np.zeros(start.shape[1], bool)
    for block in blocks:
        turn = rotation_z(-block.yaw).astype(np.float32)
        centre = block.centre.astype(np.float32)
        origin = turn @ (start - centre[:, None])
        ray = (turn @ (end.astype(np.float32) - centre))[:, None] - origin
        inverse = 1 / np.where(np.abs(ray) < 1e-6, np.float32(1e-6), ray)
        reach = block.half_size.astype(np.float32)[:, None]
        middle, half = -origin * inverse, np.abs(inverse) * reach
        enter, leave = (middle - half).max(0), (middle + half).min(0)
        # A start inside a block is on the block's own rounded surface.
        hit |= (enter < leave) & (enter > 0) & (enter < 1)
    return hit
