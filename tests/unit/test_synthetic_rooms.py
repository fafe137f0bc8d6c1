"""Made rooms: their variety, their light, the free space in them."""

import cv2
import numpy as np
import pytest

from streaming.errors import SourceError
from streaming.sources.synthetic.camera import make_camera
from streaming.sources.synthetic.free_space import FreeSpace
from streaming.sources.synthetic.lighting import Light, lit
from streaming.sources.synthetic.meshes import CLASS_NAMES, Item, ObjectClass, to_mesh
from streaming.sources.synthetic.paths import camera_path
from streaming.sources.synthetic.pictures import random_picture
from streaming.sources.synthetic.rooms import make_room
from streaming.sources.synthetic.scene import Scene
from streaming.sources.synthetic.solids import box, quad
from streaming.sources.synthetic.spec import PathKind, SyntheticSpec


def white(height, width):
    return np.full((height, width, 3), 200, np.uint8)


@pytest.fixture(scope="module")
def rooms():
    return [make_room(seed, 0) for seed in range(4)]


def floor_plan(east, north, blocks=()):
    """A bare room, with square pillars of 0.4 m at the given places."""
    floor = Item(
        ObjectClass.FLOOR,
        (
            quad(
                np.array([0, north, 0.0]),
                np.array([east, 0, 0.0]),
                np.array([0, -north, 0.0]),
                white,
            ),
        ),
    )
    walls = [
        box((east / 2, 0, 1.25), (east, 0.02, 2.5), white),
        box((east / 2, north, 1.25), (east, 0.02, 2.5), white),
        box((0, north / 2, 1.25), (0.02, north, 2.5), white),
        box((east, north / 2, 1.25), (0.02, north, 2.5), white),
    ]
    pillars = [box((x, y, 1.0), (0.4, 0.4, 2.0), white) for x, y in blocks]
    items = [floor, *walls, *pillars]
    return Scene(
        tuple(to_mesh(item, n) for n, item in enumerate(items, 1)), (0, 0, 0), enterable=True
    )


def test_the_same_seed_makes_the_same_room(rooms):
    again = make_room(0, 0)
    for one, two in zip(rooms[0].meshes, again.meshes, strict=True):
        np.testing.assert_array_equal(one.vertices, two.vertices)
        np.testing.assert_array_equal(one.texture, two.texture)


def test_rooms_of_other_seeds_and_numbers_differ_in_layout_and_colour(rooms):
    scenes = [*rooms, make_room(0, 1)]
    assert len({scene.bounds[1].tobytes() for scene in scenes}) == len(scenes)
    walls = [scene.meshes[0].texture.reshape(-1, 3).mean(0) for scene in scenes]
    gaps = [np.abs(a - b).max() for n, a in enumerate(walls) for b in walls[:n]]
    assert np.median(gaps) > 25


def test_every_room_has_a_shell_pictures_and_furniture(rooms):
    for room in rooms:
        kinds = [mesh.kind for mesh in room.meshes]
        assert kinds.count(ObjectClass.WALL) == 4
        assert {ObjectClass.FLOOR, ObjectClass.CEILING, ObjectClass.PICTURE} <= set(kinds)
        assert len({kind for kind in kinds if kind >= ObjectClass.TABLE}) >= 2


def test_instances_are_numbered_from_one_and_classes_have_names(rooms):
    assert [mesh.instance for mesh in rooms[0].meshes] == list(range(1, len(rooms[0].meshes) + 1))
    assert CLASS_NAMES[0] == "nothing"
    assert CLASS_NAMES[ObjectClass.PICTURE] == "picture"


def test_surfaces_are_textured_at_a_scale_seen_across_a_room(rooms):
    for room in rooms:
        for mesh in room.meshes[:6]:
            grey = cv2.cvtColor(mesh.texture, cv2.COLOR_RGB2GRAY)
            seen = cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
            assert seen.std() > 8


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("side", [(40, 40), (60, 260), (200, 90)])
def test_pictures_are_painted_at_every_size(seed, side):
    picture = random_picture(np.random.default_rng(seed))(*side)
    assert (picture.dtype, picture.shape) == (np.uint8, (*side, 3))
    assert picture.std() > 8


def test_a_block_casts_a_shadow_where_it_stands_before_the_lamp():
    floor = quad(np.array([-2, 2, 0.0]), np.array([4, 0, 0.0]), np.array([0, -4, 0.0]), white)
    block = box((0.5, 0, 1.0), (0.4, 0.4, 0.1), white)
    lamp = Light(np.array([0.5, 0.0, 2.0]), 0.05, np.ones(3) * 4)
    room = [Item(ObjectClass.FLOOR, (floor,)), block]
    lit_floor = lit(room, [lamp], np.full(3, 0.2), np.random.default_rng(0))[0].patches[0].texture
    below, mirrored = lit_floor[400, 500].astype(int), lit_floor[400, 300].astype(int)
    assert (mirrored - below > 20).all()


@pytest.mark.parametrize("kind", [PathKind.WALK, PathKind.ORBIT, PathKind.LOOK])
@pytest.mark.parametrize("number", range(3))
def test_the_camera_keeps_off_everything_and_moves_smoothly(rooms, kind, number):
    times = np.arange(0, 20, 0.05)
    poses = camera_path(
        rooms[number], make_camera(SyntheticSpec()), kind, times, np.random.default_rng(number)
    )
    place = poses[:, :3, 3]
    space = FreeSpace(rooms[number])
    assert space.clearance(place[:, :2]).min() >= 0.2
    assert 1.2 < place[:, 2].min() <= place[:, 2].max() < 1.9
    assert np.linalg.norm(np.diff(place, axis=0), axis=1).max() < 0.12
    turn = np.einsum("nij,nij->n", poses[:-1, :3, :3], poses[1:, :3, :3])
    assert np.degrees(np.arccos(((turn - 1) / 2).clip(-1, 1))).max() < 6
    np.testing.assert_allclose(
        poses[:, :3, :3] @ poses[:, :3, :3].transpose(0, 2, 1),
        np.broadcast_to(np.eye(3), (400, 3, 3)),
        atol=1e-9,
    )
    assert np.linalg.det(poses[:, :3, :3]).min() > 0.99


def test_a_walk_goes_places_at_walking_speed(rooms):
    times = np.arange(0, 20, 0.1)
    poses = camera_path(
        rooms[1], make_camera(SyntheticSpec()), PathKind.WALK, times, np.random.default_rng(0)
    )
    way = np.linalg.norm(np.diff(poses[:, :2, 3], axis=0), axis=1).sum()
    assert 0.6 < way / 20 < 1.2
    assert np.ptp(poses[:, :2, 3], axis=0).max() > 1.0


def test_a_longer_walk_begins_with_the_shorter_one(rooms):
    camera = make_camera(SyntheticSpec())
    short, long = (
        camera_path(
            rooms[0], camera, PathKind.WALK, np.arange(0, end, 0.1), np.random.default_rng(3)
        )
        for end in (4, 12)
    )
    np.testing.assert_allclose(short[:20], long[:20], atol=1e-6)


def test_clearance_is_the_distance_to_the_nearest_pillar_or_wall():
    space = FreeSpace(floor_plan(4.0, 4.0, [(2.0, 2.0)]))
    np.testing.assert_allclose(
        space.clearance(np.array([[1.0, 2.0], [2.0, 3.0], [2.0, 2.0], [-1.0, 2.0]])),
        [0.8, 0.8, 0.0, 0.0],
        atol=0.11,
    )


def test_a_place_too_tight_to_walk_says_so():
    tight = floor_plan(0.9, 0.9)
    with pytest.raises(SourceError, match="path=look"):
        camera_path(
            tight,
            make_camera(SyntheticSpec()),
            PathKind.WALK,
            np.arange(9.0),
            np.random.default_rng(0),
        )
