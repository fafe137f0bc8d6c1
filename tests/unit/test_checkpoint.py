"""Checkpoints: whole or passed over, the newest kept, nothing silently wrong."""

import json
import shutil

import pytest
import torch

from trainer.checkpoint import CheckpointError, DamagedCheckpointError, Manifest, latest, read, save


def manifest(step):
    return Manifest(
        software_version="test",
        step=step,
        pairs_seen=8 * step,
        skipped_steps=1,
        skipped_in_row=0,
        topic_id="topic",
        config={"steps": 9},
        data_positions=[{"cursor": step}],
    )


def write(folder, *steps, keep=9):
    for step in steps:
        path = save(folder, manifest(step), {"model.weight": torch.full((3,), float(step))}, keep)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def newest(folder):
    passed_over = []
    checkpoint = latest(folder, passed_over.append)
    return checkpoint, passed_over


def test_what_was_saved_is_read_back(tmp_path):
    checkpoint = read(write(tmp_path, 3))
    assert checkpoint.manifest.model_copy(update={"tensors_sha256": ""}) == manifest(3)
    assert torch.equal(checkpoint.tensors()["model.weight"], torch.full((3,), 3.0))


def test_no_checkpoint_is_none(tmp_path):
    assert newest(tmp_path / "missing") == (None, [])


def test_the_newest_few_are_kept(tmp_path):
    write(tmp_path, 1, 2, 3, 10, keep=2)
    assert names(tmp_path) == ["step-00000003", "step-00000010"]


def flip_byte(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / "complete").unlink(),
        lambda path: (path / "manifest.json").unlink(),
        lambda path: (path / "tensors.pt").unlink(),
        lambda path: flip_byte(path / "tensors.pt", 400),
        lambda path: flip_byte(path / "manifest.json", 40),
        lambda path: flip_byte(path / "complete", 7),
        lambda path: (path / "tensors.pt").write_bytes(b""),
        lambda path: (path / "complete").write_bytes(b"\xff\xfe"),
    ],
)
def test_a_damaged_one_is_passed_over_with_a_message(tmp_path, damage):
    write(tmp_path, 1)
    damage(write(tmp_path, 2))
    checkpoint, passed_over = newest(tmp_path)
    assert checkpoint.manifest.step == 1
    assert len(passed_over) == 1
    assert "step-00000002" in passed_over[0]


def test_all_damaged_is_an_error_and_not_a_new_run(tmp_path):
    (write(tmp_path, 1) / "complete").unlink()
    with pytest.raises(CheckpointError, match="all 1 checkpoints are damaged"):
        newest(tmp_path)


def test_a_half_written_one_is_passed_over_and_cleared_by_the_next(tmp_path):
    write(tmp_path, 1)
    shutil.copytree(tmp_path / "step-00000001", tmp_path / ".partial-step-00000002")
    checkpoint, passed_over = newest(tmp_path)
    assert checkpoint.manifest.step == 1
    assert "half-written" in passed_over[0]
    write(tmp_path, 2)
    assert names(tmp_path) == ["step-00000001", "step-00000002"]


def test_saving_does_not_count_later_damaged_ones_as_newer(tmp_path):
    write(tmp_path, 5)
    (write(tmp_path, 9) / "complete").unlink()
    write(tmp_path, 6, keep=1)
    assert newest(tmp_path)[0].manifest.step == 6
    write(tmp_path, 9, keep=1)
    assert names(tmp_path) == ["step-00000009"]
    assert newest(tmp_path)[1] == []


def test_another_format_is_refused_not_passed_over(tmp_path):
    path = save(tmp_path, manifest(1).model_copy(update={"format": 2}), {}, 1)
    with pytest.raises(CheckpointError, match="format 2") as caught:
        newest(tmp_path)
    assert not isinstance(caught.value, DamagedCheckpointError)
    assert json.loads((path / "manifest.json").read_text())["format"] == 2
