"""Scene files, and videos written of synthetic scenes."""

import av
import numpy as np
import pytest
import trimesh

from streaming.errors import SourceError
from streaming.sources.synthetic.covisibility import covisibility
from streaming.sources.synthetic.meshes import ObjectClass
from streaming.sources.synthetic.render import render, render_images, sample_pairs
from streaming.sources.synthetic.scene_file import load_scene
from streaming.sources.synthetic.spec import SyntheticSpec, parse_synthetic
from streaming.sources.synthetic.write import write_video


def scene_spec(path, query=""):
    return parse_synthetic(f"synthetic://scene?file={path}&frames=4&fps=2&size=160x120{query}")


@pytest.fixture
def painted_box(tmp_path):
    """A box 2 m wide, 1 m high (y is up) and 1 m deep with a red front (+z)."""
    mesh = trimesh.creation.box((2, 1, 1))
    colours = np.full((len(mesh.faces), 4), 255, np.uint8)
    colours[:, :3] = np.where(mesh.face_normals[:, 2:] > 0.5, (220, 20, 20), (20, 220, 20))
    mesh.visual = trimesh.visual.ColorVisuals(mesh, face_colors=colours)
    path = tmp_path / "box.ply"
    mesh.export(path)
    return path


def test_an_object_is_seen_whole_from_outside(painted_box):
    frames = list(render(scene_spec(painted_box)))
    for frame in frames:
        seen = frame.segmentation == ObjectClass.MESH
        assert 0.05 < seen.mean() < 0.9
        assert not seen[[0, -1]].any()
        assert not seen[:, [0, -1]].any()
        assert (frame.depth[~seen] == 0).all()
        assert (frame.normals[~seen] == 0).all()
    assert covisibility(frames[0], frames[1]).share > 0.05


def test_files_stand_upright_with_their_colours(painted_box):
    scene = load_scene(painted_box)
    np.testing.assert_allclose(scene.bounds, [[-1, -0.5, -0.5], [1, 0.5, 0.5]], atol=1e-6)
    mesh = scene.meshes[0]
    corners = mesh.vertices[mesh.triangles]
    front = (corners[..., 1] < -0.49).all(1)
    height, width = mesh.texture.shape[:2]
    place = (mesh.uv[mesh.triangles[:, 0]] * (width, height)).astype(int)
    colours = mesh.texture[place[:, 1], place[:, 0]].astype(int)
    assert (colours[front][:, 0] > 3 * colours[front][:, 1]).all()
    assert (colours[~front][:, 1] > 3 * colours[~front][:, 0]).all()


@pytest.mark.parametrize("inverted", [False, True])
def test_a_shell_is_entered_when_its_fronts_look_inwards(tmp_path, inverted):
    mesh = trimesh.creation.box((5, 3, 5))
    if inverted:
        mesh.invert()
    mesh.export(tmp_path / "shell.ply")
    assert load_scene(tmp_path / "shell.ply").enterable is inverted


def test_walking_around_an_object_is_refused(painted_box):
    with pytest.raises(SourceError, match="path=orbit"):
        next(render(scene_spec(painted_box, "&path=walk")))


def test_a_missing_wrong_or_broken_file_is_one_line(tmp_path):
    (tmp_path / "broken.glb").write_bytes(b"glTF nothing of the kind")
    (tmp_path / "notes.txt").write_text("no mesh")
    cases = {"absent.glb": "no such file", "notes.txt": ".glb", "broken.glb": "cannot be read"}
    for name, words in cases.items():
        with pytest.raises(SourceError) as caught:
            next(render(scene_spec(tmp_path / name)))
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "enterable"), [("gallery_room", True), ("cat", False)])
def test_real_scenes_are_entered_or_circled(shared_data, name, enterable):
    path = shared_data / "scenes" / f"{name}.glb"
    assert load_scene(path).enterable is enterable
    frames = list(render(scene_spec(path)))
    for frame in frames:
        assert ((frame.depth > 0).mean() > 0.9) == enterable
        assert frame.image.std() > 10
    found = covisibility(frames[0], frames[1])
    assert found.share > (0.3 if enterable else 0.02)


@pytest.mark.shared_data
def test_pairs_of_a_real_scene_overlap(shared_data):
    spec = scene_spec(shared_data / "scenes" / "gallery_room.glb")
    first, second = sample_pairs(spec, 1, seed=0)[0]
    assert 0.45 <= covisibility(first, second).share <= 0.8


def test_a_written_video_has_the_frames_of_the_spec(tmp_path):
    spec = SyntheticSpec(seed=2, frames=12, frames_per_s=10, width=320, height=240)
    counted = []
    write_video(spec, tmp_path / "video.mp4", on_frame=counted.append)
    with av.open(tmp_path / "video.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 320, 240)
        assert stream.average_rate == 10
        decoded = list(container.decode(stream))
    times = [round(frame.time * 1e9) for frame in decoded]
    originals = list(render_images(spec))
    assert counted == list(range(1, 13))
    assert times == [time for time, _ in originals]
    for frame, (_, image) in zip(decoded, originals, strict=True):
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - image).mean() < 8
    assert [path.name for path in tmp_path.iterdir()] == ["video.mp4"]


def test_an_abandoned_video_leaves_no_file(tmp_path):
    class StopError(Exception):
        pass

    def stop(number):
        if number == 2:
            raise StopError

    spec = SyntheticSpec(frames=5, width=64, height=48)
    with pytest.raises(StopError):
        write_video(spec, tmp_path / "video.mp4", on_frame=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(SourceError, match="cannot be written"):
        write_video(SyntheticSpec(frames=1, width=64, height=48), tmp_path / "taken" / "video.mp4")
