"""Pictures that hang or lie in a room: paintings, landscapes, mosaics, posters, rugs.

Each function takes a generator and returns a material (see `textures`).
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streaming.sources.synthetic.textures import (
    blended,
    noise,
    random_colour,
    stained,
    to_picture,
)

if TYPE_CHECKING:
    from numpy.random import Generator

    from streaming.sources.synthetic.textures import Material, Picture

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)


def random_picture(rng: Generator) -> Material:
    """A framed painting, landscape, mosaic or poster."""
    kinds = (_abstract, landscape, _mosaic, _poster)
    return _framed(rng, kinds[int(rng.integers(len(kinds)))](rng))


def _framed(rng: Generator, inner: Material) -> Material:
    frame_colour = random_colour(rng, vivid=0.4, bright=0.4)
    frame, mount = int(rng.integers(4, 12)), int(rng.integers(0, 18))

    def paint(height: int, width: int) -> Picture:
        picture = np.empty((height, width, 3), np.uint8)
        picture[:] = frame_colour
        rim = min(frame + mount, height // 4, width // 4)
        edge = min(frame, rim)
        picture[edge:-edge, edge:-edge] = 225
        picture[rim:-rim, rim:-rim] = inner(height - 2 * rim, width - 2 * rim)
        return picture

    return paint


def scribble(rng: Generator, picture: Picture, count: int) -> None:
    """Draws random discs, polygons, lines and rings of random colours into a picture."""
    height, width = picture.shape[:2]
    scale = min(height, width)
    for _ in range(count):
        colour = random_colour(rng, vivid=0.65, bright=0.7)
        centre = np.array([rng.uniform(0, width), rng.uniform(0, height)])
        reach = scale * rng.uniform(0.04, 0.25)
        spot = centre.astype(int).tolist()
        match rng.integers(4):
            case 0:
                cv2.circle(picture, spot, max(2, int(reach * 0.7)), colour, -1, cv2.LINE_AA)
            case 1:
                corners = centre + rng.normal(0, reach, (int(rng.integers(3, 6)), 2))
                hull = cv2.convexHull(corners.astype(np.int32))
                cv2.fillConvexPoly(picture, hull, colour, cv2.LINE_AA)
            case 2:
                end = (centre + rng.normal(0, 2 * reach, 2)).astype(int).tolist()
                cv2.line(picture, spot, end, colour, int(rng.integers(2, 7)), cv2.LINE_AA)
            case _:
                ring = max(2, int(reach * 0.6))
                cv2.circle(picture, spot, ring, colour, int(rng.integers(2, 6)), cv2.LINE_AA)


def _abstract(rng: Generator) -> Material:
    first, second = (random_colour(rng, vivid=0.5, bright=b) for b in (0.8, 0.5))

    def paint(height: int, width: int) -> Picture:
        ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
        picture = stained(rng, blended(first, second, ramp), 0.3)
        scribble(rng, picture, int(rng.integers(15, 40)))
        return picture

    return paint


def landscape(rng: Generator) -> Material:
    """Ridges under a clouded sky."""
    sky = random_colour(rng, vivid=0.4, bright=0.85)
    ground = random_colour(rng, vivid=0.5, bright=0.5)

    def paint(height: int, width: int) -> Picture:
        clouds = 0.5 + noise(rng, height, width, cell=(50, 120), octaves=5)
        picture = blended(sky, (240.0, 240.0, 240.0), clouds)
        for layer in range(1, 5):
            share = layer / 4
            ridge = noise(rng, 2, width, cell=(2, 120), octaves=5)[0] * 0.25 * height
            edge = height * (0.25 + 0.5 * share) - ridge
            land = np.arange(height)[:, None] > edge[None, :]
            tone = 1 + 0.9 * noise(rng, height, width, cell=(24, 40), octaves=4)
            colour = np.asarray(sky, np.float32) * (1 - share)
            colour += np.asarray(ground, np.float32) * share
            picture[land] = (colour * tone[..., None])[land]
        return to_picture(picture)

    return paint


def _mosaic(rng: Generator) -> Material:
    colours = [random_colour(rng, vivid=0.6, bright=0.65) for _ in range(6)]
    palette = np.array(colours, np.float32)

    def paint(height: int, width: int) -> Picture:
        field = noise(rng, height, width, cell=(90, 90), octaves=3)
        step = int(rng.integers(14, 30))
        cells = cv2.resize(field, (width // step + 1, height // step + 1))
        picked = palette[np.digitize(cells, np.linspace(-0.5, 0.5, 5))]
        picked *= rng.uniform(0.7, 1.25, (*cells.shape, 1)).astype(np.float32)
        picture = cv2.resize(picked, (width, height), interpolation=cv2.INTER_NEAREST)
        return to_picture(picture)

    return paint


def _poster(rng: Generator) -> Material:
    paper, ink = (
        random_colour(rng, vivid=0.3, bright=0.85),
        random_colour(rng, vivid=0.6, bright=0.25),
    )

    def paint(height: int, width: int) -> Picture:
        picture = np.empty((height, width, 3), np.uint8)
        picture[:] = paper
        scribble(rng, picture[: height // 2], int(rng.integers(6, 18)))
        baseline = height // 2
        while baseline < height - 6:
            size = float(rng.uniform(0.4, 1.6))
            baseline += int(24 * size) + 6
            line = "".join(rng.choice(list(string.ascii_letters + string.digits + "  "), 24))
            font = _FONTS[int(rng.integers(len(_FONTS)))]
            weight = max(1, round(2 * size))
            cv2.putText(picture, line, (6, baseline), font, size, ink, weight, cv2.LINE_AA)
        return picture

    return paint


def rug(rng: Generator) -> Material:
    """A woven rug: one quarter of random shapes, mirrored, worn, with a border."""
    ground = random_colour(rng, vivid=0.6, bright=0.5)
    edge = random_colour(rng, vivid=0.5, bright=0.35)

    def paint(height: int, width: int) -> Picture:
        quarter = np.empty((height // 2 + 1, width // 2 + 1, 3), np.uint8)
        quarter[:] = ground
        scribble(rng, quarter, 40)
        half = np.concatenate([quarter, quarter[::-1]])[:height]
        picture = np.concatenate([half, half[:, ::-1]], axis=1)[:, :width].copy()
        cv2.rectangle(picture, (0, 0), (width - 1, height - 1), edge, 24)
        cv2.rectangle(picture, (16, 16), (width - 17, height - 17), (225, 215, 190), 3)
        return stained(rng, picture.astype(np.float32), 0.7)

    return paint
