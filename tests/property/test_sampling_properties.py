from hypothesis import given
from hypothesis import strategies as st

from streaming.frames.sampling import (
    NS_PER_S,
    ROUNDING_NS,
    Sampler,
    SamplingConfig,
    grid_target_after,
    grid_target_at,
)

RATES = st.floats(0.01, 240)
TIMES_NS = st.lists(st.integers(0, 20 * NS_PER_S), max_size=60, unique=True).map(sorted)


def sampled(sampling: SamplingConfig, times_ns: list[int]) -> list[int]:
    sampler = Sampler(sampling)
    return [time_ns for time_ns in times_ns if sampler.take(time_ns)]


@given(RATES, st.integers(0, 10**15))
def test_the_grid_has_one_target_at_or_before_and_the_next_after(rate: float, time: int) -> None:
    before, after = grid_target_at(time, rate), grid_target_after(time, rate)
    assert before <= time < after
    assert grid_target_after(before, rate) == after
    assert abs((after - before) - NS_PER_S / rate) <= 1


@given(RATES, TIMES_NS)
def test_each_sample_is_the_first_frame_at_a_target(rate: float, times_ns: list[int]) -> None:
    taken = set(sampled(SamplingConfig(frames_per_s=rate), times_ns))
    target_ns = 0
    for time_ns in times_ns:
        assert (time_ns in taken) == (time_ns + ROUNDING_NS >= target_ns)
        if time_ns in taken:
            target_ns = grid_target_after(time_ns + ROUNDING_NS, rate)


@given(RATES, TIMES_NS, st.floats(0.01, 25))
def test_two_stretches_give_the_frames_of_the_whole(
    rate: float, times_ns: list[int], border_s: float
) -> None:
    whole = sampled(SamplingConfig(frames_per_s=rate), times_ns)
    first = sampled(SamplingConfig(frames_per_s=rate, end_s=border_s), times_ns)
    second = sampled(SamplingConfig(frames_per_s=rate, start_s=border_s), times_ns)
    assert first + second == whole


@given(RATES, TIMES_NS, st.floats(0, 25))
def test_frames_before_the_wanted_time_make_no_difference(
    rate: float, times_ns: list[int], start_s: float
) -> None:
    sampler = Sampler(SamplingConfig(frames_per_s=rate, start_s=start_s))
    taken = [time for time in times_ns if time >= sampler.wanted_from_ns and sampler.take(time)]
    assert taken == sampled(SamplingConfig(frames_per_s=rate, start_s=start_s), times_ns)
