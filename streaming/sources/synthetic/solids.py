"""Rectangles, boxes and solids of revolution, painted with a material. Sizes are metres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from streaming.sources.synthetic.meshes import Block, Item, ObjectClass, Patch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streaming.sources.synthetic.textures import Material

TEXELS_PER_M: Final = 200


def quad(
    corner: NDArray[np.float64],
    right: NDArray[np.float64],
    down: NDArray[np.float64],
    material: Material,
) -> Patch:
    """A rectangle from its top left corner as seen from the front."""
    texture = _paint(material, float(np.linalg.norm(down)), float(np.linalg.norm(right)))
    points = np.array([[corner, corner + right], [corner + down, corner + down + right]])
    return Patch(points, texture)


def box(
    centre: Sequence[float],
    size: Sequence[float],
    material: Material,
    front: Material | None = None,
) -> Item:
    """An upright box; `front` paints the side that faces -y."""
    x, y, z = size
    middle = np.asarray(centre, dtype=np.float64)
    east, north, up = np.diag([x, y, z]).astype(np.float64)
    top_corner = middle + (up - east - north) / 2
    sides = (
        quad(top_corner, east, -up, front or material),
        quad(top_corner + east, north, -up, material),
        quad(top_corner + east + north, -east, -up, material),
        quad(top_corner + north, -north, -up, material),
        quad(top_corner + north, east, -north, material),
        quad(top_corner - up, east, north, material),
    )
    return Item(ObjectClass.NOTHING, sides, (Block(middle, np.asarray(size) / 2),))


def revolved(
    base: Sequence[float],
    profile: Sequence[tuple[float, float]],
    material: Material,
    sides: int = 24,
) -> Item:
    """A solid of revolution about the vertical through `base`.

    Args:
        base: the point of the axis that heights count from.
        profile: (radius, height) from the top down.
        material: paints the whole surface, unrolled.
        sides: number of flat sides.
    """
    radius, height = np.array(profile, dtype=np.float64).T
    angle = np.linspace(0.0, 2 * np.pi, sides + 1)
    points = np.stack(
        [
            radius[:, None] * np.cos(angle),
            radius[:, None] * np.sin(angle),
            np.broadcast_to(height[:, None], (len(radius), sides + 1)),
        ],
        axis=-1,
    ) + np.asarray(base, dtype=np.float64)
    outline_m = float(np.hypot(np.diff(radius), np.diff(height)).sum())
    widest = float(radius.max())
    middle = (float(height.max()) + float(height.min())) / 2
    centre = np.asarray(base, np.float64) + np.array([0.0, 0.0, middle])
    half_size = np.array([0.8 * widest, 0.8 * widest, np.ptp(height) / 2])
    patch = Patch(points, _paint(material, outline_m, 2 * np.pi * widest))
    return Item(ObjectClass.NOTHING, (patch,), (Block(centre, half_size),))


def cylinder(base: Sequence[float], radius: float, height: float, material: Material) -> Item:
    """An upright cylinder with lids, standing on `base`."""
    rim = [(0.0, height), (radius, height), (radius, 0.0), (0.0, 0.0)]
    return revolved(base, rim, material)


def sphere(centre: Sequence[float], radius: float, material: Material) -> Item:
    """A sphere of flat faces."""
    angle = np.linspace(0.0, np.pi, 15)
    profile = list(zip(radius * np.sin(angle), radius * np.cos(angle), strict=True))
    return revolved(centre, profile, material)


def _paint(material: Material, height_m: float, width_m: float) -> NDArray[np.uint8]:
    return material(max(4, round(height_m * TEXELS_PER_M)), max(4, round(width_m * TEXELS_PER_M)))
