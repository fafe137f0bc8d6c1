"""How the camera moves: smooth, collision-free, by the seed.

A path is laid out in path time, in seconds at speed 1; `speed` stretches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from streaming.errors import SourceError
from streaming.sources.synthetic.camera import pose
from streaming.sources.synthetic.free_space import FreeSpace
from streaming.sources.synthetic.spec import PathKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from streaming.sources.synthetic.camera import Camera
    from streaming.sources.synthetic.scene import Scene

    Numbers = NDArray[np.float64]

_WALK_M_PER_S: Final = 0.8
_TURN_RAD_PER_S: Final = np.radians(22.0)
_START_ATTEMPTS: Final = 40
_WAYPOINT_ATTEMPTS: Final = 60
_SHORTEST_LEG_M: Final = 0.7
_GRID_S: Final = 0.05
_SMOOTHING_S: Final = 1.8
_BEND: Final = np.linspace(0, 1, 64)[:, None]


def camera_path(
    scene: Scene, camera: Camera, kind: PathKind, times_s: Numbers, rng: Generator
) -> Numbers:
    """Poses of a camera.

    Args:
        scene: what it moves in, or around.
        camera: decides how far off it keeps from an object.
        kind: how it moves.
        times_s: path times, growing, (n,).
        rng: decides the way.

    Returns:
        Camera-to-world matrices, float64 (n, 4, 4).

    Raises:
        SourceError: the scene has no inside for this kind of path.
    """
    if not scene.enterable:
        if kind not in (PathKind.AUTO, PathKind.ORBIT):
            raise SourceError(f"path: {kind.value} needs a scene to stand in; use path=orbit")
        return _orbit_outside(scene, camera, times_s, rng)
    space = FreeSpace(scene)
    match kind:
        case PathKind.AUTO | PathKind.WALK:
            return _walk(space, times_s, rng)
        case PathKind.ORBIT:
            return _orbit_inside(space, times_s, rng)
        case PathKind.LOOK:
            return _look(space, times_s, rng)


def eye_height(space: FreeSpace, rng: Generator) -> float:
    """Height of the camera in world coordinates: 1.3-1.7 m above the floor, under the ceiling."""
    return space.floor_z + min(float(rng.uniform(1.3, 1.7)), 0.7 * space.headroom_m)


def outside_pose(scene: Scene, camera: Camera, angle: float, lift: float) -> Numbers:
    """A pose (4, 4) from which a scene fills the picture, at an angle and a lift in radians."""
    low, high = scene.bounds
    distance = 0.55 * float(np.linalg.norm(high - low)) / np.sin(camera.narrow_half_angle_rad)
    outward = [np.cos(angle) * np.cos(lift), np.sin(angle) * np.cos(lift), np.sin(lift)]
    return pose((low + high) / 2 + distance * np.array(outward), angle + np.pi, -lift)


def _walk(space: FreeSpace, times_s: Numbers, rng: Generator) -> Numbers:
    # A track of its own generator: a longer video begins with the frames of a shorter one.
    track = _track(space, _WALK_M_PER_S * float(times_s[-1]) + 7.0, rng.spawn(1)[0])
    travelled = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(track, axis=0), axis=1)))

    def place_at(along_m: Numbers) -> Numbers:
        return np.stack([np.interp(along_m, travelled, track[:, axis]) for axis in (0, 1)], axis=1)

    grid = np.arange(0.0, float(times_s[-1]) + 3 * _SMOOTHING_S, _GRID_S)
    ahead = place_at(_WALK_M_PER_S * grid + 1.0) - place_at(_WALK_M_PER_S * grid)
    heading = _smooth(np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0])))
    yaw = np.interp(times_s, grid, heading) + _wander(times_s, rng, np.radians(11), (0.05, 0.12))
    pitch = np.radians(-6) + _wander(times_s, rng, np.radians(5), (0.06, 0.12))
    height = eye_height(space, rng) + _wander(times_s, rng, 0.012, (1.6, 2.0))
    place = np.column_stack([place_at(_WALK_M_PER_S * times_s), height])
    return _hand_held(place, yaw, pitch, times_s, rng)


def _track(space: FreeSpace, length_m: float, rng: Generator) -> Numbers:
    """A clear chain of quadratic Bezier arcs between the middles of random legs, (n, 2)."""
    for start in space.random_places(rng, _START_ATTEMPTS):
        second = _next_waypoint(space, [start, start], rng)
        if not np.array_equal(second, start):
            break
    else:
        raise SourceError("scene: too little free floor to walk on; use path=look")
    legs = [start, second]
    arcs, length = [np.stack([start, (start + second) / 2])], 0.0
    while length < length_m:
        legs.append(_next_waypoint(space, legs[-2:], rng))
        arcs.append(_arc(*legs[-3:]))
        length += float(np.linalg.norm(np.diff(arcs[-1], axis=0), axis=1).sum())
    return np.concatenate(arcs)


def _next_waypoint(space: FreeSpace, last: Sequence[Numbers], rng: Generator) -> Numbers:
    """The tried place that turns the track least; back to where it came from if none is clear."""
    best, best_turn = last[0], np.inf
    before = last[1] - last[0]
    for place in space.random_places(rng, _WAYPOINT_ATTEMPTS):
        leg = place - last[1]
        reach = float(np.linalg.norm(leg))
        turn = -float(leg @ before) / max(reach * float(np.linalg.norm(before)), 1e-9)
        turn += float(rng.uniform(0, 0.8))
        if reach > _SHORTEST_LEG_M and turn < best_turn:
            # The leg itself too: a track that turns back walks on it.
            way = np.concatenate([_arc(last[0], last[1], place), last[1] + _BEND * leg])
            if space.is_clear(way):
                best, best_turn = place, turn
    return best


def _arc(before: Numbers, corner: Numbers, after: Numbers) -> Numbers:
    start, end = (before + corner) / 2, (corner + after) / 2
    return np.asarray((1 - _BEND) ** 2 * start + 2 * _BEND * (1 - _BEND) * corner + _BEND**2 * end)


def _orbit_inside(space: FreeSpace, times_s: Numbers, rng: Generator) -> Numbers:
    angle = _turning(times_s, rng)
    radius = 0.75 * max(space.widest_m - 0.3, 0.3 * space.widest_m)
    place = space.middle() + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    height = eye_height(space, rng) + _wander(times_s, rng, 0.1, (0.05, 0.1))
    pitch = np.radians(-8) + _wander(times_s, rng, np.radians(5), (0.06, 0.16))
    return _hand_held(np.column_stack([place, height]), angle + np.pi, pitch, times_s, rng)


def _look(space: FreeSpace, times_s: Numbers, rng: Generator) -> Numbers:
    places = space.random_places(rng, 8)
    widest = places[space.clearance(places).argmax()]
    place = np.append(widest, eye_height(space, rng))
    pitch = np.radians(-4) + _wander(times_s, rng, np.radians(12), (0.06, 0.16))
    yaw = _turning(times_s, rng)
    return np.stack([pose(place, y, p) for y, p in zip(yaw, pitch, strict=True)])


def _orbit_outside(scene: Scene, camera: Camera, times_s: Numbers, rng: Generator) -> Numbers:
    angle = _turning(times_s, rng)
    lift = np.radians(12) + _wander(times_s, rng, np.radians(12), (0.04, 0.1))
    pairs = zip(angle, lift, strict=True)
    return np.stack([outside_pose(scene, camera, turn, rise) for turn, rise in pairs])


def _turning(times_s: Numbers, rng: Generator) -> Numbers:
    """An angle that grows at about `_TURN_RAD_PER_S`, one way round or the other, in radians."""
    way = rng.choice([-1.0, 1.0])
    steady = rng.uniform(0, 2 * np.pi) + way * _TURN_RAD_PER_S * times_s
    return np.asarray(steady + _wander(times_s, rng, np.radians(8), (0.05, 0.15)))


def _hand_held(
    place: Numbers, yaw: Numbers, pitch: Numbers, times_s: Numbers, rng: Generator
) -> Numbers:
    """Poses with the small unsteadiness of a hand."""
    shake = [_wander(times_s, rng, np.radians(0.35), (0.6, 2.5)) for _ in range(3)]
    return np.stack(
        [
            pose(p, *angles)
            for p, *angles in zip(place, yaw + shake[0], pitch + shake[1], shake[2], strict=True)
        ]
    )


def _wander(
    times_s: Numbers, rng: Generator, amplitude: float, band_hz: tuple[float, float]
) -> Numbers:
    """A smooth random course: three sines of random phase in a band of frequencies."""
    frequency = rng.uniform(*band_hz, 3)
    phase = rng.uniform(0, 2 * np.pi, 3)
    waves = np.sin(2 * np.pi * frequency * times_s[:, None] + phase)
    return np.asarray(amplitude * waves.sum(1) / np.sqrt(3))


def _smooth(values: Numbers) -> Numbers:
    """Gaussian mean of values `_GRID_S` apart."""
    reach = int(3 * _SMOOTHING_S / _GRID_S)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * _GRID_S / _SMOOTHING_S) ** 2)
    padded = np.pad(values, reach, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
