"""Rooms made from a seed: a shell, things on the walls, furniture and light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from streaming.sources.synthetic import furniture
from streaming.sources.synthetic.fittings import door, window
from streaming.sources.synthetic.lighting import Light, lit
from streaming.sources.synthetic.meshes import Item, ObjectClass, to_mesh
from streaming.sources.synthetic.pictures import random_picture, rug
from streaming.sources.synthetic.scene import Scene
from streaming.sources.synthetic.solids import quad
from streaming.sources.synthetic.textures import (
    earthen,
    flagstones,
    marble,
    masonry,
    planks,
    plaster,
    random_colour,
    wallpaper,
)

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from streaming.sources.synthetic.textures import Material

    Footprint = tuple[float, float, float, float]
    """West, south, east and north edge in metres."""

_UP: Final = np.array([0.0, 0.0, 1.0])
_ATTEMPTS: Final = 12
_WALKWAY_M: Final = 0.75
"""Kept between free-standing pieces, so that a camera finds its way."""


def make_room(seed: int, number: int) -> Scene:
    """The room of a seed with this number: the same arguments give the same room."""
    rng = np.random.default_rng([seed, number])
    width, depth, height = rng.uniform((4.0, 3.6, 2.4), (7.5, 6.5, 3.3))
    items = _shell(rng, width, depth, height)
    items += _furnish(rng, width, depth)
    for side in range(4):
        items += _hang(rng, side, width, depth, height)
    items = lit(items, _lights(rng, width, depth, height), _ambient(rng), rng)
    meshes = tuple(to_mesh(item, instance) for instance, item in enumerate(items, start=1))
    return Scene(meshes, background=(0, 0, 0), enterable=True)


def _shell(rng: Generator, width: float, depth: float, height: float) -> list[Item]:
    floor_corner, east, north = (
        np.array(v) for v in ((0, depth, 0.0), (width, 0, 0.0), (0, depth, 0.0))
    )
    ceiling_corner = np.array([0.0, 0.0, height])
    common = _wall_material(rng)
    walls = []
    for side in range(4):
        corner, right, length = _wall(side, width, depth)
        material = _wall_material(rng) if rng.random() < 0.35 else common
        sheet = quad(corner + height * _UP, length * right, -height * _UP, material)
        walls.append(Item(ObjectClass.WALL, (sheet,)))
    floor = quad(floor_corner, east, -north, _floor_material(rng))
    ceiling = quad(ceiling_corner, east, north, _ceiling_material(rng))
    return [
        *walls,
        Item(ObjectClass.FLOOR, (floor,)),
        Item(ObjectClass.CEILING, (ceiling,)),
    ]


def _wall(
    side: int, width: float, depth: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Lower left corner, direction to the right and length of a wall, seen from inside."""
    corners = np.array([[0, depth, 0], [width, depth, 0], [width, 0, 0], [0, 0, 0]], float)
    step = corners[(side + 1) % 4] - corners[side]
    length = float(np.linalg.norm(step))
    return corners[side], step / length, length


def _wall_material(rng: Generator) -> Material:
    first = random_colour(rng, vivid=0.3, bright=0.8)
    second = random_colour(rng, vivid=0.5, bright=0.55)
    match rng.integers(6):
        case 0 | 1:
            return wallpaper(rng, first, second)
        case 2:
            return masonry(rng, earthen(rng, vivid=0.5, bright=0.65), (190, 185, 175), (15, 44))
        case 3:
            return planks(rng, earthen(rng, vivid=0.35, bright=0.7), 30)
        case 4:
            return flagstones(rng, earthen(rng, vivid=0.25, bright=0.7), (90, 88, 85), 60)
        case _:
            return plaster(rng, first, second)


def _floor_material(rng: Generator) -> Material:
    first = random_colour(rng, vivid=0.35, bright=0.65)
    second = random_colour(rng, vivid=0.4, bright=0.35)
    tile = int(rng.integers(50, 110))
    match rng.integers(5):
        case 0 | 1:
            return planks(rng, earthen(rng, vivid=0.5, bright=0.65), 26)
        case 2:
            return masonry(rng, first, (70, 70, 70), (tile, tile))
        case 3:
            return flagstones(rng, first, (60, 58, 55), tile)
        case _:
            return marble(rng, first, second)


def _ceiling_material(rng: Generator) -> Material:
    first = random_colour(rng, vivid=0.1, bright=0.85)
    second = random_colour(rng, vivid=0.25, bright=0.6)
    match rng.integers(3):
        case 0:
            return planks(rng, first, 40)
        case 1:
            return masonry(rng, first, (150, 150, 150), (100, 100))
        case _:
            return plaster(rng, first, second)


def _hang(rng: Generator, side: int, width: float, depth: float, height: float) -> list[Item]:
    """Pictures, windows and at most one door, side by side on a wall."""
    corner, right, length = _wall(side, width, depth)
    inward = np.cross(right, _UP)
    items: list[Item] = []
    at = float(rng.uniform(0.15, 0.5))
    has_door = rng.random() < 0.4
    while at < length - 0.7:
        if has_door and not items:
            kind, material, size, low = ObjectClass.DOOR, door(rng), (0.9, 2.05), 0.0
        elif rng.random() < 0.15:
            wide, tall = rng.uniform((0.8, 0.9), (1.8, 1.3))
            kind, material, size, low = ObjectClass.WINDOW, window(rng), (wide, tall), 0.9
        else:
            wide, tall = rng.uniform((0.4, 0.4), (1.3, 1.0))
            low = float(rng.uniform(1.0, 2.2 - tall))
            kind, material, size = ObjectClass.PICTURE, random_picture(rng), (wide, tall)
        if at + size[0] > length - 0.1:
            break
        top_left = corner + at * right + (low + size[1]) * _UP + 0.015 * inward
        items.append(Item(kind, (quad(top_left, size[0] * right, -size[1] * _UP, material),)))
        at += size[0] + float(rng.uniform(0.15, 0.8))
    return items


def _furnish(rng: Generator, width: float, depth: float) -> list[Item]:
    placed: list[Footprint] = []
    items = [_lay_rug(rng, width, depth)]
    for _ in range(int(rng.integers(5, 10))):
        builder = furniture.AGAINST_WALL[int(rng.integers(len(furniture.AGAINST_WALL)))]
        items += _place(rng, builder(rng), (width, depth), placed, against_wall=True)
    for _ in range(int(rng.integers(2, 6))):
        builder = furniture.ANYWHERE[int(rng.integers(len(furniture.ANYWHERE)))]
        items += _place(rng, builder(rng), (width, depth), placed, against_wall=False)
    return items


def _lay_rug(rng: Generator, width: float, depth: float) -> Item:
    wide, deep = rng.uniform((1.2, 1.0), (2.4, 2.0))
    corner = np.array(
        [rng.uniform(0.3, width - wide - 0.3), rng.uniform(deep + 0.3, depth - 0.3), 0.008]
    )
    east, south = np.array([wide, 0.0, 0.0]), np.array([0.0, -deep, 0.0])
    return Item(ObjectClass.RUG, (quad(corner, east, south, rug(rng)),))


def _place(
    rng: Generator,
    piece: furniture.Piece,
    room: tuple[float, float],
    placed: list[Footprint],
    *,
    against_wall: bool,
) -> list[Item]:
    """The piece where it stands free of all others, or nothing when no place was found."""
    item, size = piece
    for _ in range(_ATTEMPTS):
        if against_wall:
            side = int(rng.integers(4))
            corner, right, length = _wall(side, *room)
            if length < size[0] + 0.1:
                continue
            along = rng.uniform(size[0] / 2 + 0.05, length - size[0] / 2 - 0.05)
            inward = np.cross(right, _UP)
            middle = corner + along * right + (size[1] / 2 + 0.04) * inward
            yaw, gap = -side * np.pi / 2, 0.05
        else:
            reach = max(size) / 2 + _WALKWAY_M
            middle = np.append(rng.uniform(reach, np.array(room) - reach), 0.0)
            yaw, gap = rng.integers(4) * np.pi / 2 + rng.normal(0, 0.12), _WALKWAY_M
        quarter_turned = round(yaw / (np.pi / 2)) % 2
        half_x, half_y = (s / 2 for s in (size[::-1] if quarter_turned else size))
        west, south = middle[0] - half_x - gap, middle[1] - half_y - gap
        east, north = middle[0] + half_x + gap, middle[1] + half_y + gap
        if all(w >= east or e <= west or s >= north or n <= south for w, s, e, n in placed):
            placed.append((west + gap, south + gap, east - gap, north - gap))
            return [item.moved(yaw, middle)]
    return []


def _lights(rng: Generator, width: float, depth: float, height: float) -> list[Light]:
    lights = []
    for _ in range(int(rng.integers(1, 4))):
        place = np.array(
            [rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * depth, height - 0.25]
        )
        warmth = rng.uniform(-0.25, 0.25)
        colour = rng.uniform(3, 8) * np.array([1 + warmth, 1.0, 1 - warmth])
        lights.append(Light(place, float(rng.uniform(0.05, 0.25)), colour))
    return lights


def _ambient(rng: Generator) -> NDArray[np.float64]:
    return rng.uniform(0.35, 0.9) * rng.uniform(0.85, 1.15, 3)
