"""Procedural materials: what walls, floors and furniture are made of.

Each function takes a generator and colours and returns a material: a painter of uint8 RGB pictures
at `solids.TEXELS_PER_M`. All carry marks of 3-30 cm, which a feature detector still sees from
across a room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    Colour = tuple[float, float, float]
    """Red, green, blue, 0-255."""
    Picture = NDArray[np.uint8]
    Material = Callable[[int, int], Picture]
    """Paints a picture of the given height and width in texels."""


def noise(
    rng: Generator,
    height: int,
    width: int,
    *,
    cell: tuple[float, float] = (64, 64),
    octaves: int = 5,
) -> NDArray[np.float32]:
    """Sum of smoothed random grids, each half as coarse and 0.65 as strong as the one before.

    Args:
        rng: where the randomness comes from.
        height: rows.
        width: columns.
        cell: height and width of the coarsest cells in texels.
        octaves: number of grids.

    Returns:
        float32 (height, width), mean about 0, standard deviation about 0.3.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        rows = max(2, round(height * 2**octave / cell[0]) + 1)
        columns = max(2, round(width * 2**octave / cell[1]) + 1)
        grid = rng.uniform(-1, 1, (min(rows, height), min(columns, width))).astype(np.float32)
        total += 0.65**octave * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return total * np.float32(0.5)


def random_colour(
    rng: Generator, *, vivid: float, bright: float, hues_deg: tuple[float, float] = (0, 360)
) -> Colour:
    """A random hue of a range with about the given saturation and value, 0-1."""
    hue = rng.uniform(*hues_deg) / 2
    saturation = np.clip(vivid + rng.normal(0, 0.12), 0, 1) * 255
    value = np.clip(bright + rng.normal(0, 0.1), 0.15, 1) * 255
    pixel = np.array([[[hue, saturation, value]]]).astype(np.uint8)
    red, green, blue = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0]
    return float(red), float(green), float(blue)


def earthen(rng: Generator, *, vivid: float, bright: float) -> Colour:
    """A colour of wood, clay or stone: red to yellow."""
    return random_colour(rng, vivid=vivid, bright=bright, hues_deg=(12, 45))


def blended(first: Colour, second: Colour, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """From one colour (weight 0) to the other (weight 1), float32 (height, width, 3)."""
    share = np.clip(weight, 0, 1)[..., None]
    return np.asarray(
        np.asarray(first, np.float32) * (1 - share) + np.asarray(second, np.float32) * share
    )


def to_picture(values: NDArray[np.floating]) -> Picture:
    """Colours cut off at 0 and 255."""
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def stained(rng: Generator, picture: NDArray[np.float32], strength: float) -> Picture:
    """Wear over a picture: blotches, so that no two places of a pattern are alike."""
    height, width = picture.shape[:2]
    shade = 1 + strength * noise(rng, height, width, cell=(90, 90), octaves=6)
    return to_picture(picture * shade[..., None])


def plaster(rng: Generator, colour: Colour, second: Colour) -> Material:
    """Uneven paint with flecks of a second colour."""

    def paint(height: int, width: int) -> Picture:
        flecks = noise(rng, height, width, cell=(28, 28), octaves=3) * 3 - 0.8
        return stained(rng, blended(colour, second, flecks), 0.35)

    return paint


def marble(rng: Generator, colour: Colour, second: Colour) -> Material:
    """Veins along the contour lines of noise."""

    def paint(height: int, width: int) -> Picture:
        field = noise(rng, height, width, cell=(160, 160), octaves=6)
        veins = np.exp(-14 * np.abs(np.sin(7 * field)))
        return stained(rng, blended(colour, second, veins), 0.35)

    return paint


def masonry(rng: Generator, colour: Colour, mortar: Colour, size: tuple[int, int]) -> Material:
    """Bricks or tiles of (height, width) texels, every other row shifted when they are oblong."""
    brick_height, brick_width = size
    shift = brick_width // 2 if brick_width > brick_height else 0

    def paint(height: int, width: int) -> Picture:
        row = np.arange(height) // brick_height
        across = np.arange(width)[None, :] + shift * (row[:, None] % 2)
        column = across // brick_width
        tone = rng.normal(1, 0.2, (row.max() + 1, column.max() + 1, 1))
        tint = rng.normal(0, 14, (row.max() + 1, column.max() + 1, 3))
        bricks = np.asarray(colour, np.float32) * tone + tint
        picture = bricks[row[:, None], column].astype(np.float32)
        joint = (np.arange(height)[:, None] % brick_height < 3) | (across % brick_width < 3)
        picture[joint] = mortar
        return stained(rng, picture, 0.35)

    return paint


def planks(rng: Generator, colour: Colour, plank_width: int = 26) -> Material:
    """Boards of uneven tone that run along the width, with grain, knots and staggered ends."""

    def paint(height: int, width: int) -> Picture:
        row = np.arange(height) // plank_width
        count = int(row.max()) + 1
        start = rng.integers(0, 300, count)
        board = (np.arange(width)[None, :] + start[row][:, None]) // 300
        tone = rng.normal(1, 0.17, (count, int(board.max()) + 1)).astype(np.float32)
        grain = noise(rng, height, width, cell=(12, 150), octaves=3)
        rings = np.sin(22 * noise(rng, height, width, cell=(50, 240), octaves=2))
        shade = tone[row[:, None], board] * (1 + 0.3 * grain + 0.09 * rings)
        end = (np.arange(width)[None, :] + start[row][:, None]) % 300 < 2
        shade[(np.arange(height) % plank_width < 2)[:, None] | end] *= 0.45
        return stained(rng, np.asarray(colour, np.float32) * shade[..., None], 0.25)

    return paint


def flagstones(rng: Generator, colour: Colour, mortar: Colour, cell: int = 70) -> Material:
    """Irregular stones: the cells nearest to scattered points."""

    def paint(height: int, width: int) -> Picture:
        count = max(2, height * width // cell**2)
        background = np.full((height, width), 255, np.uint8)
        background[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
        _, label = cv2.distanceTransformWithLabels(
            background, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        stones = np.asarray(colour, np.float32) * rng.normal(1, 0.22, (label.max() + 1, 1)).astype(
            np.float32
        )
        stones += rng.normal(0, 12, (label.max() + 1, 3)).astype(np.float32)
        picture = stones[label]
        edge = cv2.morphologyEx(label.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((3, 3)))
        picture[edge > 0] = mortar
        return stained(rng, picture, 0.35)

    return paint


def wallpaper(rng: Generator, colour: Colour, second: Colour) -> Material:
    """A repeated motif of random shapes on faded paper."""
    side = int(rng.integers(60, 130))
    motif = np.zeros((side, side), np.float32)
    for _ in range(int(rng.integers(3, 7))):
        centre = rng.integers(side // 5, 4 * side // 5, 2).tolist()
        axes = rng.integers(side // 16, side // 4, 2).tolist()
        angle, weight = float(rng.uniform(0, 180)), float(rng.uniform(0.3, 1))
        cv2.ellipse(motif, centre, axes, angle, 0, 360, weight, -1, cv2.LINE_AA)
    motif = np.maximum(motif, motif[:, ::-1])

    def paint(height: int, width: int) -> Picture:
        tiles = np.tile(motif, (height // side + 1, width // side + 1))[:height, :width]
        faded = tiles * (0.65 + 0.9 * noise(rng, height, width, cell=(120, 120), octaves=3))
        return stained(rng, blended(colour, second, faded), 0.3)

    return paint


def fabric(rng: Generator, colour: Colour, second: Colour) -> Material:
    """Checked or striped cloth with folds."""
    period = rng.integers(24, 70, 2)
    checked = rng.random() < 0.6

    def paint(height: int, width: int) -> Picture:
        across = (np.arange(width) % period[0] < period[0] * 0.4).astype(np.float32)[None, :]
        along = (np.arange(height) % period[1] < period[1] * 0.3).astype(np.float32)[:, None]
        weave = 0.5 * across + (0.4 * along if checked else 0 * along)
        weave = weave + 0.5 * noise(rng, height, width, cell=(40, 40), octaves=4)
        return stained(rng, blended(colour, second, weave), 0.35)

    return paint
