"""The geometry of a scene: textured patches, the items made of them, and triangle meshes.

World coordinates are metres, z up. A patch is a grid of points with a picture stretched over it;
every surface of a made room is a patch, so that lighting and texture packing know one form only.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_GUTTER_TEXELS: Final = 8


class ObjectClass(enum.IntEnum):
    """What a surface belongs to; the value is the id in a segmentation."""

    NOTHING = 0
    WALL = 1
    FLOOR = 2
    CEILING = 3
    PICTURE = 4
    WINDOW = 5
    DOOR = 6
    RUG = 7
    TABLE = 8
    CHAIR = 9
    SOFA = 10
    SHELF = 11
    CABINET = 12
    BED = 13
    LAMP = 14
    PLANT = 15
    BALL = 16
    CRATE = 17
    MESH = 18


CLASS_NAMES: Final = tuple(kind.name.lower() for kind in ObjectClass)
"""Name of each class, by its id in a segmentation; `mesh` is all that a scene file holds."""


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles with one texture.

    Attributes:
        vertices: float64, shape (v, 3), metres, z up.
        triangles: int64, shape (t, 3), indices of vertices.
        uv: float64, shape (v, 2), place in the texture: right and down from its top left, 0-1.
        texture: uint8 RGB, shape (h, w, 3).
        kind: what the mesh is.
        instance: number of the object in its scene, from 1.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    uv: NDArray[np.float64]
    texture: NDArray[np.uint8]
    kind: ObjectClass
    instance: int


@dataclass(frozen=True, slots=True)
class Patch:
    """A sheet: its front shows the picture upright, with grid row 0 at the top.

    Attributes:
        points: float64, shape (rows, columns, 3), at least 2 x 2.
        texture: uint8 RGB, shape (h, w, 3).
    """

    points: NDArray[np.float64]
    texture: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Block:
    """A box that casts a shadow, turned about the vertical by `yaw` radians."""

    centre: NDArray[np.float64]
    half_size: NDArray[np.float64]
    yaw: float = 0.0


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a room: its surfaces, and the boxes that stand for it in the light."""

    kind: ObjectClass
    patches: tuple[Patch, ...]
    blocks: tuple[Block, ...] = ()

    def moved(self, yaw: float, offset: NDArray[np.float64]) -> Item:
        """The item turned about the vertical through its origin, then shifted."""
        turn = rotation_z(yaw)
        return Item(
            self.kind,
            tuple(replace(patch, points=patch.points @ turn.T + offset) for patch in self.patches),
            tuple(
                Block(turn @ block.centre + offset, block.half_size, block.yaw + yaw)
                for block in self.blocks
            ),
        )


def combine(kind: ObjectClass, parts: Sequence[Item]) -> Item:
    """One object made of parts."""
    return Item(
        kind,
        tuple(patch for part in parts for patch in part.patches),
        tuple(block for part in parts for block in part.blocks),
    )


def rotation_z(yaw: float) -> NDArray[np.float64]:
    """Rotation about the vertical, float64 (3, 3)."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def to_mesh(item: Item, instance: int) -> Mesh:
    """Triangulates an item and packs the pictures of its patches into one texture."""
    texture, corners = _pack([patch.texture for patch in item.patches])
    vertices, triangles, places, first = [], [], [], 0
    for patch, (left, top) in zip(item.patches, corners, strict=True):
        rows, columns = patch.points.shape[:2]
        height, width = patch.texture.shape[:2]
        down, right = np.mgrid[0.0 : height : rows * 1j, 0.0 : width : columns * 1j]
        place = np.stack([left + right, top + down], axis=-1) / (texture.shape[1], texture.shape[0])
        index = first + np.arange(rows * columns).reshape(rows, columns)
        a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
        faces = np.stack([np.stack([a, d, c], -1), np.stack([a, c, b], -1)], axis=2).reshape(-1, 3)
        vertices.append(patch.points.reshape(-1, 3))
        places.append(place.reshape(-1, 2))
        triangles.append(faces)
        first += rows * columns
    points, faces = np.concatenate(vertices), np.concatenate(triangles)
    edge_1, edge_2 = (
        points[faces[:, 1]] - points[faces[:, 0]],
        points[faces[:, 2]] - points[faces[:, 0]],
    )
    has_area = np.linalg.norm(np.cross(edge_1, edge_2), axis=1) > 1e-12
    return Mesh(points, faces[has_area], np.concatenate(places), texture, item.kind, instance)


def _pack(
    pictures: Sequence[NDArray[np.uint8]],
) -> tuple[NDArray[np.uint8], list[tuple[int, int]]]:
    """Lays pictures out in rows, each with a rim of its own colours against filter bleeding."""
    if len(pictures) == 1:
        return pictures[0], [(0, 0)]
    rim = _GUTTER_TEXELS
    area = sum((p.shape[0] + 2 * rim) * (p.shape[1] + 2 * rim) for p in pictures)
    width = max([int(area**0.5), *(p.shape[1] + 2 * rim for p in pictures)])
    corners = [(0, 0)] * len(pictures)
    left = top = row_height = 0
    for number in sorted(range(len(pictures)), key=lambda n: -pictures[n].shape[0]):
        height, wide = (side + 2 * rim for side in pictures[number].shape[:2])
        if left + wide > width:
            left, top, row_height = 0, top + row_height, 0
        corners[number] = (left + rim, top + rim)
        left, row_height = left + wide, max(row_height, height)
    sheet = np.zeros((top + row_height, width, 3), np.uint8)
    for picture, (x, y) in zip(pictures, corners, strict=True):
        height, wide = picture.shape[:2]
        rimmed = cv2.copyMakeBorder(picture, rim, rim, rim, rim, cv2.BORDER_REPLICATE)
        sheet[y - rim : y + height + rim, x - rim : x + wide + rim] = rimmed
    return sheet, corners
