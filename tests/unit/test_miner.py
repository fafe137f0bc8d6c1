"""The miner over whole sources: which frames become pairs, and what is counted."""

import dataclasses
from collections import Counter
from itertools import pairwise

import cv2
import numpy as np
import pytest

from monitoring.funnel import SourceFunnel
from streaming.frames.quality import may_be_cut, signature
from streaming.frames.sampling import SamplingConfig
from streaming.frames.stream import open_frames
from streaming.mining.config import MiningConfig
from streaming.mining.features import extract
from streaming.mining.miner import Miner
from streaming.mining.verdict import Reason, Rejection, judge
from streaming.mining.views import decode_view, make_view
from streaming.records import CropBox, Frame, Source, SourceKind
from tests.mining_scenes import texture

NS = 1_000_000_000
WORLD = texture(20, side=2400)
HEIGHT, WIDTH = 240, 320


def video(source_id="pan"):
    return Source(source_id, f"/{source_id}.mp4", SourceKind.VIDEO)


def frame_at(number, image, frames_per_s=4.0, source_id="pan"):
    return Frame(source_id, round(number * NS / frames_per_s), np.ascontiguousarray(image))


def pan(speed_px_s, count=40, world=WORLD, start=0):
    """A camera that glides over a large picture, at 4 frames a second."""
    for number in range(count):
        left = start + round(number * speed_px_s / 4)
        yield frame_at(number, world[200 : 200 + HEIGHT, left : left + WIDTH])


def mine(frames, config=None, source=None, **options):
    funnel = SourceFunnel()
    miner = Miner(source or video(), config or MiningConfig(), "test", lambda: 7, funnel, **options)
    pairs = [pair for frame in frames for pair in miner.process(frame)]
    return pairs, funnel


@pytest.fixture(scope="module")
def panned():
    return mine(pan(120))


@pytest.mark.parametrize("speed_px_s", [40, 120, 240])
def test_slow_and_fast_cameras_give_pairs_at_few_candidates(speed_px_s):
    pairs, funnel = mine(pan(speed_px_s, count=32))
    share_a_s = speed_px_s / WIDTH
    wanted_gap_s = 0.4 / share_a_s
    anchors = funnel.frames - funnel.skipped_frames.total() - int(wanted_gap_s * 4)
    assert len(pairs) >= 0.8 * anchors
    assert funnel.candidates <= 2.5 * (funnel.frames - funnel.skipped_frames.total())
    for pair in pairs:
        gap_s = (pair.view_2.timestamp_ns - pair.view_1.timestamp_ns) / NS
        moved = share_a_s * gap_s
        assert pair.two_view.overlap == pytest.approx(1 - moved, abs=0.08)
        assert 0.5 <= pair.two_view.overlap <= 0.7


def test_counts_add_up():
    rejected = []
    pairs, funnel = mine(
        pan(120), on_rejected=lambda view_1, view_2, why: rejected.append((view_1, view_2, why))
    )
    assert funnel.frames == 40
    assert funnel.accepted == len(pairs) > 0
    assert funnel.rejected.total() == len(rejected) > 0
    assert funnel.candidates == len(pairs) + len(rejected)
    view_1, view_2, rejection = rejected[0]
    assert view_1.shape == view_2.shape == (224, 224, 3)
    assert funnel.rejected[rejection.reason.value] > 0


def test_no_frame_is_used_twice_in_the_same_place(panned):
    pairs, _ = panned
    for name in ("view_1", "view_2"):
        times = [getattr(pair, name).timestamp_ns for pair in pairs]
        assert len(set(times)) == len(times)


def test_frames_soon_after_a_pair_are_near_duplicates():
    every, funnel = mine(pan(40, count=24), MiningConfig(anchor_spacing=0.0))
    assert "near_duplicate" not in funnel.skipped_frames
    spaced, funnel = mine(pan(40, count=24), MiningConfig(anchor_spacing=0.5))
    assert funnel.skipped_frames["near_duplicate"] > 0
    assert 0 < len(spaced) < len(every)


def test_twice_the_same_bytes(panned):
    first, funnel_1 = panned
    second, funnel_2 = mine(pan(120))
    assert [content(pair) for pair in first] == [content(pair) for pair in second]
    assert funnel_1 == funnel_2


def content(pair):
    two_view = pair.two_view
    arrays = two_view.homography.tobytes(), two_view.correspondence.tobytes()
    counts = two_view.match_count, two_view.inlier_count, two_view.overlap
    return dataclasses.replace(pair, two_view=None), arrays, counts


def test_identity_of_pairs(panned):
    pairs, _ = panned
    ids = [pair.pair_id for pair in pairs]
    assert len(set(ids)) == len(ids)
    assert all(len(pair_id) == 32 and int(pair_id, 16) >= 0 for pair_id in ids)
    assert {pair.mined_at_ns for pair in pairs} == {7}
    assert {pair.config_fingerprint for pair in pairs} == {MiningConfig().fingerprint()}
    others, _ = mine(pan(120, count=12), MiningConfig(jpeg_quality=90))
    assert others
    assert not set(ids) & {pair.pair_id for pair in others}
    elsewhere, _ = mine(pan(120, count=12), source=video("elsewhere"))
    assert elsewhere
    assert not set(ids) & {pair.pair_id for pair in elsewhere}


def take_over(frames, stop, source):
    """Pairs of two miners, of which the second goes on from the first one's state."""
    before = Miner(source, MiningConfig(), "test", lambda: 7, SourceFunnel())
    pairs = [pair for frame in frames[:stop] for pair in before.process(frame)]
    funnel = SourceFunnel()
    after = Miner(source, MiningConfig(), "test", lambda: 7, funnel)
    state = before.state
    after.restore(state)
    for frame in frames[:stop]:
        if frame.timestamp_ns >= state.context_ns:
            after.remember(frame)
    assert funnel == SourceFunnel(), "what is remembered was counted before"
    assert after.state == state
    return pairs + [pair for frame in frames[stop:] for pair in after.process(frame)]


def ids_of(pairs):
    return [pair.pair_id for pair in pairs]


def test_a_miner_that_takes_over_gives_the_same_pairs():
    pause = [list(pan(120, count=8))[-1].image] * 5
    there = [frame.image for frame in pan(120, count=16)]
    images = [np.pad(i, ((20, 20), (0, 0), (0, 0))) for i in [*there[:8], *pause, *there[8:]]]
    frames = [frame_at(number, image) for number, image in enumerate(images)]
    whole = ids_of(mine(frames)[0])
    assert len(whole) >= 8
    for stop in (1, 4, 9, 11, 14, 18):
        assert ids_of(take_over(frames, stop, video())) == whole


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "stop"), [("gopro_karma_drone", 40), ("rendered_indoor_cuts", 60)]
)
def test_taking_over_in_real_footage(shared_data, name, stop):
    source = Source(name, str(shared_data / f"videos/{name}.mp4"), SourceKind.VIDEO)
    sampling = SamplingConfig(frames_per_s=4.0, max_side_px=320, max_frames=90)
    with open_frames(source, sampling) as opened:
        frames = list(opened)
    assert ids_of(take_over(frames, stop, source)) == ids_of(mine(frames, source=source)[0])


def test_no_pair_across_a_cut():
    poster = (texture(21, side=1000) > 128).astype(np.uint8) * 255
    shots = [
        *pan(120, count=10),
        *(
            dataclasses.replace(frame, timestamp_ns=frame.timestamp_ns + 3 * NS)
            for frame in pan(120, count=10, world=poster)
        ),
    ]
    pairs, funnel = mine(shots)
    assert funnel.rejected["cut"] == 1
    sides = [(p.view_1.timestamp_ns < 3 * NS, p.view_2.timestamp_ns < 3 * NS) for p in pairs]
    assert set(sides) == {(True, True), (False, False)}


@pytest.mark.shared_data
def test_only_changes_without_common_features_are_cuts(shared_data):
    _, funnel = mine_file(shared_data / "videos" / "street_cuts.mp4")
    assert funnel.rejected["cut"] == 5
    # Colours and layout change as much here: pictures slide in, then the camera turns fast.
    path = shared_data / "videos" / "rendered_indoor_cuts.mp4"
    source = Source("indoor", str(path), SourceKind.VIDEO)
    with open_frames(source, SamplingConfig(frames_per_s=4.0, end_s=21.9)) as opened:
        frames = list(opened)
    signatures = [signature(frame.image) for frame in frames]
    assert any(may_be_cut(*two, MiningConfig().quality) for two in pairwise(signatures))
    _, funnel = mine(frames, source=source)
    assert funnel.rejected["cut"] == 0


def test_a_still_camera_gives_no_pair_whatever_moves():
    background = cv2.GaussianBlur(WORLD[:HEIGHT, :WIDTH], (0, 0), 1.5)
    passer_by = texture(30)[:200, :110]

    def frames():
        for number in range(30):
            image = background.copy()
            left = (number * 17) % (WIDTH - 110)
            image[30:230, left : left + 110] = passer_by
            yield frame_at(number, image)

    pairs, funnel = mine(frames())
    assert pairs == []
    assert funnel.candidates > 0


def test_a_frozen_picture_costs_no_candidate():
    still = WORLD[:HEIGHT, :WIDTH]
    pairs, funnel = mine(frame_at(number, still) for number in range(20))
    assert pairs == []
    assert funnel.skipped_frames == {"static": 19}
    assert funnel.candidates == 0


def test_flawed_frames_are_counted():
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    blurred = cv2.GaussianBlur(WORLD[:HEIGHT, :WIDTH], (0, 0), 12)
    _, funnel = mine([frame_at(0, black), frame_at(1, blurred)])
    assert funnel.skipped_frames == {"dark": 1, "blurred": 1}


def test_letterbox_bars_are_left_out():
    def boxed():
        for frame in pan(120, count=12):
            image = np.zeros((HEIGHT + 80, WIDTH, 3), np.uint8)
            image[40 : 40 + HEIGHT] = frame.image
            yield dataclasses.replace(frame, image=image)

    pairs, _ = mine(boxed())
    assert pairs
    assert {pair.view_1.crop for pair in pairs} == {CropBox(0, 40, WIDTH, 40 + HEIGHT)}
    assert {pair.view_1.frame_height for pair in pairs} == {HEIGHT + 80}
    assert decode_view(pairs[0].view_1.jpeg)[:4].mean() > 20
    whole, _ = mine(boxed(), MiningConfig(crop_to_active_area=False))
    assert {pair.view_1.crop for pair in whole} == {CropBox(0, 0, WIDTH, HEIGHT + 80)}


def test_memory_is_bounded():
    config = MiningConfig(max_gap_s=4.0)
    miner = Miner(video(), config, "test", lambda: 7, SourceFunnel())
    for number in range(360):
        image = WORLD[200:440, number * 4 : number * 4 + WIDTH]
        miner.process(frame_at(number, image, frames_per_s=60))
    kept_ns = miner.state.kept_ns
    assert 40 <= len(kept_ns) <= 64
    assert 3.5 * NS < kept_ns[-1] - kept_ns[0] < 4.2 * NS, "dense sampling shortens no gap"


def test_the_mimic_profile_takes_one_fixed_gap():
    pairs, funnel = mine(pan(120), MiningConfig(profile="mimic"))
    assert {p.view_2.timestamp_ns - p.view_1.timestamp_ns for p in pairs} == {NS}
    assert funnel.candidates <= 10, "an anchor a second"
    assert mine(pan(40), MiningConfig(profile="mimic"))[0] == [], "too slow for that gap"


def photographs(count, step):
    source = Source("set", "/set", SourceKind.IMAGE_SET)
    frames = [
        Frame("set", index, WORLD[200:440, index * step : index * step + WIDTH].copy())
        for index in range(count)
    ]
    return source, frames


def test_all_pairs_of_an_image_set_are_candidates():
    source, frames = photographs(count=6, step=60)
    pairs, funnel = mine(frames, source=source)
    assert funnel.candidates == 15
    found = {(pair.view_1.timestamp_ns, pair.view_2.timestamp_ns) for pair in pairs}
    assert found == {(0, 2), (1, 3), (2, 4), (3, 5)}
    _, funnel = mine(frames, MiningConfig(image_set_window=2), source=source)
    assert funnel.candidates == 9


@pytest.mark.shared_data
def test_photographs_of_a_place(shared_data):
    config = MiningConfig()
    for name, least in (("petra", 1), ("drone_beach", 5)):
        source = Source(name, str(shared_data / "image_sets" / name), SourceKind.IMAGE_SET)
        with open_frames(source, SamplingConfig()) as frames:
            pairs, _ = mine(frames, config, source)
        assert len(pairs) >= least, name


def mine_file(path, frames_per_s=4.0):
    source = Source(path.name, str(path), SourceKind.VIDEO)
    with open_frames(source, SamplingConfig(frames_per_s=frames_per_s)) as frames:
        return mine(frames, source=source)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["static_parking.mp4", "static_square.avi"])
def test_static_footage_gives_no_pair(shared_data, name):
    pairs, funnel = mine_file(shared_data / "videos" / name, frames_per_s=2.0)
    assert pairs == []
    assert funnel.candidates > 10


@pytest.mark.shared_data
def test_static_footage_gives_no_pair_at_any_gap(shared_data):
    """Cars that pass before a still camera: the model that they agree on is theirs."""
    path = shared_data / "videos" / "static_parking.mp4"
    config = MiningConfig()
    source = Source(path.name, str(path), SourceKind.VIDEO)
    sampling = SamplingConfig(frames_per_s=4.0, max_side_px=400, end_s=16.0)
    with open_frames(source, sampling) as frames:
        views = [make_view(f.image, CropBox(0, 0, *f.image.shape[1::-1]), 224) for f in frames]
    features = [extract(view, config) for view in views]
    judged = [
        judge(features[first], features[second], views[first], views[second], config)
        for second in range(len(views))
        for first in range(max(0, second - 32), second)
    ]
    reasons = Counter(v.reason if isinstance(v, Rejection) else "accepted" for v in judged)
    assert reasons["accepted"] == 0
    assert reasons[Reason.PHOTOMETRIC_MISMATCH] > 0, "the cars made some model plausible"


@pytest.mark.shared_data
def test_a_hand_held_camera_gives_pairs(shared_data):
    pairs, funnel = mine_file(shared_data / "videos" / "gopro_max_hand.mp4")
    assert len(pairs) >= 0.7 * funnel.frames
