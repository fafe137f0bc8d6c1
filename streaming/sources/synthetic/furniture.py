"""Furniture built of boxes and solids of revolution.

Every piece stands on the origin of its own coordinates with its back towards +y; its footprint
(width, depth) is returned beside it. Sizes are metres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streaming.sources.synthetic.fittings import books, drawers
from streaming.sources.synthetic.meshes import Item, ObjectClass, combine
from streaming.sources.synthetic.pictures import random_picture
from streaming.sources.synthetic.solids import box, cylinder, revolved, sphere
from streaming.sources.synthetic.textures import (
    earthen,
    fabric,
    marble,
    planks,
    plaster,
    random_colour,
    wallpaper,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator

    from streaming.sources.synthetic.textures import Material

    Piece = tuple[Item, tuple[float, float]]
    Builder = Callable[[Generator], Piece]


def _wood(rng: Generator) -> Material:
    painted = rng.random() < 0.2
    colour = (random_colour if painted else earthen)(rng, vivid=0.45, bright=0.65)
    return planks(rng, colour, int(rng.integers(16, 40)))


def _cloth(rng: Generator) -> Material:
    kind = fabric if rng.random() < 0.7 else wallpaper
    first = random_colour(rng, vivid=0.55, bright=0.6)
    return kind(rng, first, random_colour(rng, vivid=0.45, bright=0.8))


def _solid(rng: Generator) -> Material:
    first = random_colour(rng, vivid=0.7, bright=0.7)
    second = random_colour(rng, vivid=0.5, bright=0.4)
    return (marble, plaster)[int(rng.integers(2))](rng, first, second)


def table(rng: Generator) -> Piece:
    """Four legs, a top, and a few things on it."""
    width, depth, height = rng.uniform((0.9, 0.7, 0.5), (1.7, 1.0, 0.8))
    wood = _wood(rng)
    parts = [box((0, 0, height - 0.03), (width, depth, 0.06), wood)]
    for x in (-1, 1):
        for y in (-1, 1):
            foot = x * (width / 2 - 0.06), y * (depth / 2 - 0.06), (height - 0.06) / 2
            parts.append(box(foot, (0.07, 0.07, height - 0.06), wood))
    for _ in range(int(rng.integers(1, 5))):
        x, y = rng.uniform(-0.38, 0.38, 2) * (width, depth)
        side = rng.uniform(0.1, 0.22, 3)
        match rng.integers(3):
            case 0:
                parts.append(box((x, y, height + side[2] / 2), side.tolist(), _solid(rng)))
            case 1:
                parts.append(cylinder((x, y, height), side[0] / 2, 1.4 * side[1], _solid(rng)))
            case _:
                parts.append(sphere((x, y, height + side[0] / 2), side[0] / 2, _solid(rng)))
    return combine(ObjectClass.TABLE, parts), (width, depth)


def chair(rng: Generator) -> Piece:
    """Four legs, a seat and a back."""
    side, wood, cloth = rng.uniform(0.42, 0.5), _wood(rng), _cloth(rng)
    parts = [
        box((0, 0, 0.46), (side, side, 0.07), cloth),
        box((0, side / 2 - 0.03, 0.74), (side, 0.06, 0.5), cloth),
    ]
    for x in (-1, 1):
        for y in (-1, 1):
            foot = x * (side / 2 - 0.03), y * (side / 2 - 0.03), 0.21
            parts.append(box(foot, (0.05, 0.05, 0.42), wood))
    return combine(ObjectClass.CHAIR, parts), (side, side)


def sofa(rng: Generator) -> Piece:
    """A seat, a back, arms and cushions."""
    width, depth, cloth = rng.uniform(1.4, 2.2), rng.uniform(0.8, 0.95), _cloth(rng)
    parts = [
        box((0, 0, 0.2), (width, depth, 0.4), cloth),
        box((0, depth / 2 - 0.11, 0.6), (width, 0.22, 0.45), cloth),
        *(
            box((x * (width / 2 - 0.1), -0.08, 0.5), (0.2, depth - 0.2, 0.24), cloth)
            for x in (-1, 1)
        ),
    ]
    for x in rng.uniform(-0.35, 0.35, int(rng.integers(1, 4))) * width:
        cushion = box((0, 0, 0.58), (0.36, 0.13, 0.34), _cloth(rng))
        parts.append(cushion.moved(rng.uniform(-0.4, 0.4), np.array([x, depth / 2 - 0.34, 0.0])))
    return combine(ObjectClass.SOFA, parts), (width, depth)


def bed(rng: Generator) -> Piece:
    """A mattress with a blanket, a headboard and pillows."""
    width, length = rng.uniform(1.0, 1.8), 2.05
    sheet = _cloth(rng)
    parts = [
        box((0, 0, 0.25), (width, length, 0.5), sheet),
        box((0, length / 2 + 0.03, 0.55), (width, 0.06, 1.1), _wood(rng)),
        box((0, -0.3, 0.52), (width + 0.06, 1.3, 0.06), _cloth(rng)),
        box((-width / 4, length / 2 - 0.3, 0.57), (width / 2.6, 0.4, 0.14), _cloth(rng)),
        box((width / 4, length / 2 - 0.3, 0.57), (width / 2.6, 0.4, 0.14), _cloth(rng)),
    ]
    return combine(ObjectClass.BED, parts), (width + 0.06, length + 0.06)


def shelf(rng: Generator) -> Piece:
    """A bookcase full of books."""
    width, depth, height = rng.uniform((0.8, 0.28, 1.3), (1.8, 0.36, 2.2))
    case = box((0, 0, height / 2), (width, depth, height), _wood(rng), front=books(rng))
    return combine(ObjectClass.SHELF, [case]), (width, depth)


def cabinet(rng: Generator) -> Piece:
    """A cupboard or sideboard, with a vase or a standing picture on a low one."""
    width, depth, height = rng.uniform((0.7, 0.4, 0.7), (1.7, 0.55, 1.3))
    front = drawers(
        rng,
        earthen(rng, vivid=0.4, bright=0.65),
        earthen(rng, vivid=0.3, bright=0.3),
    )
    parts = [box((0, 0, height / 2), (width, depth, height), _wood(rng), front=front)]
    if rng.random() < 0.5:
        parts.append(_vase(rng, (rng.uniform(-0.3, 0.3) * width, 0.0, height)))
    else:
        size = (rng.uniform(0.3, 0.6), 0.04, rng.uniform(0.3, 0.5))
        centre = (0.0, depth / 4, height + size[2] / 2)
        parts.append(box(centre, size, _wood(rng), front=random_picture(rng)))
    return combine(ObjectClass.CABINET, parts), (width, depth)


def _vase(rng: Generator, base: tuple[float, float, float]) -> Item:
    radius, height = rng.uniform(0.06, 0.12), rng.uniform(0.25, 0.45)
    profile = [
        (0.5 * radius, height),
        (0.6 * radius, 0.85 * height),
        (radius, 0.45 * height),
        (0.6 * radius, 0.0),
    ]
    return revolved(base, profile, _solid(rng))


def lamp(rng: Generator) -> Piece:
    """A standing lamp."""
    height, radius = rng.uniform(1.3, 1.7), rng.uniform(0.17, 0.26)
    shade = [(0.6 * radius, height), (radius, height - 0.32), (0.02, height - 0.3)]
    parts = [
        cylinder((0, 0, 0), 0.15, 0.03, _solid(rng)),
        cylinder((0, 0, 0.03), 0.018, height - 0.3, _solid(rng)),
        revolved((0, 0, 0), shade, _cloth(rng)),
    ]
    return combine(ObjectClass.LAMP, parts), (2 * radius, 2 * radius)


def plant(rng: Generator) -> Piece:
    """A pot with a round bush."""
    pot_radius, bush_radius = rng.uniform(0.14, 0.22), rng.uniform(0.22, 0.38)
    pot_height = rng.uniform(0.25, 0.45)
    leaves = plaster(rng, (45.0, 95.0, 40.0), (130.0, 175.0, 70.0))
    pot = [(pot_radius, pot_height), (0.7 * pot_radius, 0.0), (0.0, 0.0)]
    parts = [revolved((0, 0, 0), pot, _solid(rng))]
    for _ in range(4):
        x, y = rng.uniform(-0.3, 0.3, 2) * bush_radius
        z = pot_height + bush_radius * rng.uniform(0.5, 1.6)
        parts.append(sphere((x, y, z), bush_radius * rng.uniform(0.5, 0.75), leaves))
    return combine(ObjectClass.PLANT, parts), (2 * bush_radius, 2 * bush_radius)


def ball(rng: Generator) -> Piece:
    """A ball on the floor."""
    radius = rng.uniform(0.12, 0.3)
    skin = _cloth(rng) if rng.random() < 0.5 else _solid(rng)
    return combine(ObjectClass.BALL, [sphere((0, 0, radius), radius, skin)]), (
        2 * radius,
        2 * radius,
    )


def crate(rng: Generator) -> Piece:
    """One box, or two on top of each other, with printed sides."""
    side = rng.uniform(0.3, 0.6, 3)
    parts = [box((0, 0, side[2] / 2), side.tolist(), _wood(rng), front=random_picture(rng))]
    if rng.random() < 0.5:
        small = 0.7 * side
        centre = (0, 0, side[2] + small[2] / 2)
        parts.append(box(centre, small.tolist(), _cloth(rng), front=random_picture(rng)))
    return combine(ObjectClass.CRATE, parts), (side[0], side[1])


AGAINST_WALL: tuple[Builder, ...] = (sofa, shelf, shelf, cabinet, cabinet, bed, lamp, plant, crate)
"""Pieces that stand with their back to a wall."""
ANYWHERE: tuple[Builder, ...] = (table, table, chair, chair, ball, crate, plant)
"""Pieces that stand free."""
