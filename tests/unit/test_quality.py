from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.frames.quality import (
    FrameFlaw,
    QualityConfig,
    active_area,
    changed_share,
    is_static,
    luminance,
    may_be_cut,
    sharpness,
    signature,
    view_flaw,
)
from streaming.frames.sampling import SamplingConfig
from streaming.frames.stream import open_frames
from streaming.records import CropBox
from streaming.sources.spec import parse_source

CONFIG = QualityConfig()


def scene(seed: int, size: int = 224) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (56, 56, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


def grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def video_frames(path: Path, frames_per_s: float = 4.0) -> list[tuple[float, NDArray[np.uint8]]]:
    with open_frames(
        parse_source(str(path)), SamplingConfig(frames_per_s=frames_per_s, max_side_px=320)
    ) as frames:
        return [(frame.timestamp_ns / 1e9, frame.image) for frame in frames]


def test_sharpness_falls_with_blur_and_luminance_is_the_mean() -> None:
    view = grey(scene(0))
    blurred = np.asarray(cv2.GaussianBlur(view, (0, 0), 6), np.uint8)
    assert sharpness(blurred) < 0.1 * sharpness(view)
    assert luminance(np.full((4, 4), 77, np.uint8)) == 77


def test_flaws_of_a_view() -> None:
    assert view_flaw(sharpness=500, luminance=90, config=CONFIG) is None
    assert view_flaw(sharpness=5, luminance=90, config=CONFIG) is FrameFlaw.BLURRED
    assert view_flaw(sharpness=500, luminance=5, config=CONFIG) is FrameFlaw.DARK


def test_noise_and_exposure_are_no_change_but_movement_is() -> None:
    image = scene(1)
    noise = np.random.default_rng(2).normal(0, 4, image.shape)
    noisy = np.clip(image * 0.8 + 30 + noise, 0, 255).astype(np.uint8)
    softer = np.clip(image * 0.8 + 24, 0, 255).astype(np.uint8)
    assert is_static(signature(softer), signature(noisy), CONFIG)
    moved = np.roll(image, 12, axis=1)
    assert not is_static(signature(image), signature(moved), CONFIG)
    assert not may_be_cut(signature(image), signature(moved), CONFIG)


def test_a_small_moving_object_before_a_standing_camera_is_static() -> None:
    image = scene(3)
    with_object = image.copy()
    with_object[100:140, 60:100] = 0
    before, after = signature(image), signature(with_object)
    assert 0 < changed_share(before, after, CONFIG.static_level_max) <= CONFIG.static_share_max
    assert is_static(before, after, CONFIG)


def test_another_scene_is_a_cut() -> None:
    warm, cold = scene(4).copy(), scene(5).copy()
    warm[..., 2] //= 4
    cold[..., 0] //= 4
    assert may_be_cut(signature(warm), signature(cold), CONFIG)


def test_a_uniform_picture_is_compared_without_complaint() -> None:
    black, white = np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 255, np.uint8)
    assert is_static(signature(black), signature(black), CONFIG)
    # Only the exposure changed, as far as a picture without content can tell.
    assert is_static(signature(black), signature(white), CONFIG)


@pytest.mark.parametrize(
    "box",
    [
        CropBox(0, 0, 224, 224),
        CropBox(0, 28, 224, 196),
        CropBox(40, 0, 184, 224),
        CropBox(10, 20, 200, 210),
        CropBox(0, 0, 224, 180),
    ],
)
def test_bars_are_found_under_noise(box: CropBox) -> None:
    images = []
    for seed in range(4):
        image = np.full((224, 224, 3), 4, np.uint8)
        image[box.top : box.bottom, box.left : box.right] = np.maximum(
            scene(seed)[box.top : box.bottom, box.left : box.right], 40
        )
        noise = np.random.default_rng(seed).integers(0, 3, image.shape, np.uint8)
        images.append(np.minimum(image, 250) + noise)
    assert active_area(images, CONFIG) == box


def test_a_dark_scene_has_no_bars() -> None:
    night = np.random.default_rng(0).integers(0, 20, (90, 160, 3), np.uint8)
    lamp = night.copy()
    lamp[40:50, 70:90] = 255
    assert active_area([night, lamp], CONFIG) == CropBox(0, 0, 160, 90)
    assert active_area([np.zeros_like(night)], CONFIG) == CropBox(0, 0, 160, 90)


@pytest.mark.shared_data
def test_cuts_of_a_real_film_are_found(shared_data: Path) -> None:
    frames = video_frames(shared_data / "videos" / "street_cuts.mp4")
    cuts_s = [
        time_s
        for (_, before), (time_s, after) in pairwise(frames)
        if may_be_cut(signature(before), signature(after), CONFIG)
    ]
    assert [round(cut_s, 1) for cut_s in cuts_s] == [1.3, 3.3, 4.3, 5.5, 9.8]


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["gopro_max_hand", "gopro_karma_drone", "car_highway_lanes"])
def test_a_moving_camera_is_neither_static_nor_cut(name: str, shared_data: Path) -> None:
    frames = video_frames(shared_data / "videos" / f"{name}.mp4")
    signatures = [signature(image) for _, image in frames]
    for before, after in pairwise(signatures):
        assert not is_static(before, after, CONFIG)
        assert not may_be_cut(before, after, CONFIG)
