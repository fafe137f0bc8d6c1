import pytest
from pydantic import ValidationError

from streaming.frames.sampling import NS_PER_S, Sampler, SamplingConfig

FRAMES_30_FPS = [round(index * NS_PER_S / 30) for index in range(90)]


def sampled(sampling: SamplingConfig, times_ns: list[int]) -> list[int]:
    sampler = Sampler(sampling)
    return [time_ns for time_ns in times_ns if sampler.take(time_ns)]


def test_the_first_frame_at_or_after_each_target_is_taken() -> None:
    taken = sampled(SamplingConfig(frames_per_s=4), FRAMES_30_FPS)
    assert [round(time * 30 / NS_PER_S) for time in taken[:5]] == [0, 8, 15, 23, 30]


def test_a_rate_beyond_the_video_takes_each_frame_once() -> None:
    assert sampled(SamplingConfig(frames_per_s=240), FRAMES_30_FPS) == FRAMES_30_FPS


def test_the_rate_of_the_video_itself_takes_every_frame_however_rounded() -> None:
    in_milliseconds = [round(time / 1e6) * 1_000_000 for time in FRAMES_30_FPS]
    assert sampled(SamplingConfig(frames_per_s=30), in_milliseconds) == in_milliseconds


def test_one_frame_after_a_gap_serves_all_targets_in_it() -> None:
    times_ns = [0, 100_000_000, 3_100_000_000, 3_150_000_000, 3_250_000_000]
    assert sampled(SamplingConfig(frames_per_s=4), times_ns) == [0, 3_100_000_000, 3_250_000_000]


def test_bounds() -> None:
    assert len(sampled(SamplingConfig(max_frames=3), FRAMES_30_FPS)) == 3
    stretch = sampled(SamplingConfig(start_s=1.0, end_s=2.0), FRAMES_30_FPS)
    assert (stretch[0], len(stretch)) == (NS_PER_S, 4)
    sampler = Sampler(SamplingConfig(end_s=1.0))
    assert not sampler.take(NS_PER_S)
    assert sampler.done


def test_a_stretch_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValidationError, match="end_s: must be after start_s"):
        SamplingConfig(start_s=5, end_s=5)
