"""Reads a scene from a mesh file with trimesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from streaming.errors import SourceError
from streaming.sources.synthetic.meshes import Mesh, ObjectClass
from streaming.sources.synthetic.scene import Scene

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_SUFFIXES: Final = (".glb", ".gltf", ".obj", ".ply", ".stl")
_UPRIGHT: Final = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""From y up, as in glTF and most OBJ files, to z up."""
_LIGHT_FROM: Final = np.array([0.36, 0.48, 0.8])
_BACKGROUND: Final = (96, 110, 128)
_PROBES: Final = 8
_RAYS: Final = 32
_INSIDE_SHARE: Final = 0.6


def load_scene(path: Path) -> Scene:
    """Reads all meshes of a file, with textures and colours; coordinates are taken as metres.

    Raises:
        SourceError: trimesh is not installed, or the file is missing, of another kind or empty.
    """
    try:
        import trimesh  # noqa: PLC0415  an extra
    except ImportError as error:
        raise SourceError(
            f"synthetic source: cannot load trimesh ({error}); install pairstream[synthetic]"
        ) from error
    if path.suffix.lower() not in _SUFFIXES:
        raise SourceError(f"{path}: not a mesh file; allowed are {', '.join(_SUFFIXES)}")
    if not path.is_file():
        raise SourceError(f"{path}: no such file; give file= a mesh that exists")
    try:
        loaded = trimesh.load_scene(path)
        placed = [loaded.graph[node] for node in loaded.graph.nodes_geometry]
    except Exception as error:
        # Its readers raise whatever the damage causes.
        raise SourceError(f"{path}: cannot be read as a mesh ({error!r})") from error
    parts = [(loaded.geometry[name], np.asarray(place)) for place, name in placed]
    parts = [part for part in parts if len(getattr(part[0], "faces", ()))]
    if not parts:
        raise SourceError(f"{path}: holds no triangles; export it with its meshes")
    meshes = tuple(_mesh(part, place, number) for number, (part, place) in enumerate(parts, 1))
    triangles = np.concatenate([mesh.vertices[mesh.triangles] for mesh in meshes])
    return Scene(meshes, _BACKGROUND, enterable=is_enterable(triangles))


def is_enterable(triangles: NDArray[np.float64]) -> bool:
    """Whether a scene is an inside: most looks from its middle meet the front of a surface.

    From within a solid object they meet backs, and beside it they meet nothing.

    Args:
        triangles: corners, counter-clockwise seen from the front, float64 (t, 3, 3).
    """
    rng = np.random.default_rng(0)
    low, high = triangles.min((0, 1)), triangles.max((0, 1))
    probes = rng.uniform(0.75 * low + 0.25 * high, 0.25 * low + 0.75 * high, (_PROBES, 3))
    looks = rng.normal(size=(_PROBES, _RAYS, 3))
    hits = [_meets_front(triangles, probes[n], look) for n in range(_PROBES) for look in looks[n]]
    return bool(np.mean(hits) >= _INSIDE_SHARE)


def _meets_front(
    triangles: NDArray[np.float64], start: NDArray[np.float64], ray: NDArray[np.float64]
) -> bool:
    """Whether a ray's first hit is on a front side (Moeller and Trumbore 1997)."""
    corner = triangles[:, 0]
    edge_1, edge_2 = triangles[:, 1] - corner, triangles[:, 2] - corner
    across = np.cross(ray, edge_2)
    determinant = (edge_1 * across).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = start - corner
        u = (offset * across).sum(1) / determinant
        turned = np.cross(offset, edge_1)
        v = turned @ ray / determinant
        distance = (edge_2 * turned).sum(1) / determinant
    hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)
    if not hit.any():
        return False
    first = np.flatnonzero(hit)[distance[hit].argmin()]
    return bool(determinant[first] > 0)


def _mesh(part: Any, place: NDArray[np.float64], instance: int) -> Mesh:  # noqa: ANN401  untyped
    world = np.asarray(part.vertices, np.float64) @ place[:3, :3].T + place[:3, 3]
    vertices = world @ _UPRIGHT.T
    triangles = np.asarray(part.faces, np.int64)
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normals, axis=1)
    triangles, normals = triangles[area > 0], normals[area > 0] / area[area > 0, None]
    uv, picture = getattr(part.visual, "uv", None), _picture(part.visual)
    if uv is not None and picture is not None:
        spot = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)
        return Mesh(vertices, triangles, spot, picture, ObjectClass.MESH, instance)
    colours = _face_colours(part)[area > 0] * (0.7 + 0.3 * normals @ _LIGHT_FROM)[:, None]
    side = int(np.ceil(np.sqrt(len(triangles))))
    swatches = np.zeros((side * side, 3), np.uint8)
    swatches[: len(triangles)] = colours.clip(0, 255)
    row, column = np.divmod(np.arange(len(triangles)), side)
    spot = np.repeat((np.stack([column, row], axis=1) + 0.5) / side, 3, axis=0)
    corner_numbers = np.arange(3 * len(triangles)).reshape(-1, 3)
    sheet = swatches.reshape(side, side, 3)
    points = vertices[triangles].reshape(-1, 3)
    return Mesh(points, corner_numbers, spot, sheet, ObjectClass.MESH, instance)


def _picture(visual: Any) -> NDArray[np.uint8] | None:  # noqa: ANN401  untyped
    """The base colour texture of a material times its colour factor."""
    material = getattr(visual, "material", None)
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if picture is None:
        return None
    texels = np.asarray(picture.convert("RGB"), np.uint8)
    factor = getattr(material, "baseColorFactor", None)
    if factor is None:
        return texels
    return (texels * (np.asarray(factor[:3], np.float32) / 255)).astype(np.uint8)


def _face_colours(part: Any) -> NDArray[np.float64]:  # noqa: ANN401  untyped
    """Red, green and blue of each face, (faces, 3)."""
    match part.visual.kind:
        case "texture":
            colours = np.broadcast_to(part.visual.material.main_color, (len(part.faces), 4))
        case "vertex":
            colours = np.asarray(part.visual.vertex_colors, np.float64)[part.faces].mean(1)
        case _:
            colours = part.visual.face_colors
    return np.asarray(colours, np.float64)[:, :3]
