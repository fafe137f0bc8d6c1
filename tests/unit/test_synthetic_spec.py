"""Addresses of synthetic videos."""

from pathlib import Path

import pytest

from streaming.errors import SourceError
from streaming.sources.synthetic.spec import (
    HELD_OUT_SEED,
    PathKind,
    SceneKind,
    SyntheticSpec,
    parse_synthetic,
)


def test_reads_every_key_of_a_room_address():
    spec = parse_synthetic(
        "synthetic://rooms?seed=1&rooms=2&frames=300&fps=29.97&size=640x480&speed=1.5&path=orbit"
    )
    assert spec == SyntheticSpec(
        seed=1,
        rooms=2,
        frames=300,
        frames_per_s=29.97,
        width=640,
        height=480,
        speed=1.5,
        path=PathKind.ORBIT,
    )


def test_keys_may_be_left_out():
    assert parse_synthetic("synthetic://rooms") == SyntheticSpec()


def test_the_last_seed_below_those_for_evaluation_is_allowed():
    assert parse_synthetic("synthetic://rooms?seed=999999999").seed == HELD_OUT_SEED - 1


def test_reads_a_scene_file_with_escaped_characters():
    spec = parse_synthetic("synthetic://scene?file=/a%20b/room.glb&path=walk")
    assert (spec.kind, spec.file) == (SceneKind.SCENE, Path("/a b/room.glb"))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("colour=red", ["colour", "unknown", "frames", "size"]),
        ("seed=-1", ["seed", "greater than or equal to 0", "-1"]),
        ("seed=1000000000", ["seed", "kept for evaluation", "smaller"]),
        ("frames=many", ["frames", "integer", "many"]),
        ("fps=0", ["fps", "greater than 0"]),
        ("speed=nan", ["speed", "or equal to", "nan"]),
        ("size=640", ["size", "WIDTHxHEIGHT", "640"]),
        ("size=641x480", ["size", "width", "multiple of 2", "641"]),
        ("size=640x9998", ["size", "height", "4096"]),
        ("path=fly", ["path", "walk", "orbit", "look", "fly"]),
        ("frames=2&rooms=3", ["frames", "each room"]),
        ("seed=1&seed=2", ["seed", "twice"]),
        ("file=a.glb", ["file", "synthetic://scene"]),
    ],
)
def test_a_wrong_value_is_one_line_with_the_key_and_what_is_allowed(query, words):
    with pytest.raises(SourceError) as caught:
        parse_synthetic(f"synthetic://rooms?{query}")
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    "uri", ["synthetic://cars?seed=1", "synthetic://rooms/1?seed=1", "synthetic:rooms", "rooms"]
)
def test_another_address_names_the_form(uri):
    with pytest.raises(SourceError, match=r"synthetic://\{rooms\|scene\}"):
        parse_synthetic(uri)


@pytest.mark.parametrize(("query", "key"), [("seed=1", "file"), ("file=a.glb&rooms=2", "rooms")])
def test_a_scene_is_one_file(query, key):
    with pytest.raises(SourceError, match=f"{key}:"):
        parse_synthetic(f"synthetic://scene?{query}")
