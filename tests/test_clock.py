"""Sample time to host time, and on to NTP."""

import numpy as np
import pytest

from engine.clock import CaptureTime, StreamClock, WallClock

RATE, BLOCK = 48000, 256


def _run(clock: StreamClock, seconds: float, ppm: float, jitter_ns: float) -> np.ndarray:
    """Blocks of a device that runs `ppm` fast, with exponential jitter; the error a second ahead."""
    start_ns = 1e12
    random = np.random.default_rng(0)
    period = 1e9 / RATE / (1 + ppm * 1e-6)
    errors = []
    for k in range(int(seconds * RATE / BLOCK)):
        sample = k * BLOCK
        clock.update(sample, start_ns + sample * period + random.exponential(jitter_ns))
        assert clock.line is not None
        errors.append(clock.line.at(sample + RATE) - (start_ns + (sample + RATE) * period))
    return np.array(errors)


def test_jitter_is_filtered_and_the_rate_is_learnt() -> None:
    clock = StreamClock(RATE)
    jitter = 1.5e6
    errors = _run(clock, 30.0, ppm=80.0, jitter_ns=jitter)
    late = errors[len(errors) // 2 :] - jitter  # the mean delay is no error of the loop
    assert np.abs(late).max() < 0.35e6  # one second ahead
    assert clock.ppm == pytest.approx(80.0, abs=60.0)
    assert clock.jitter == pytest.approx(jitter, rel=0.3)


def test_it_locks_within_two_seconds() -> None:
    clock = StreamClock(RATE)
    errors = _run(clock, 3.0, ppm=200.0, jitter_ns=0.1e6)
    assert np.abs(errors[2 * RATE // BLOCK :]).max() < 0.3e6


def test_large_blocks_are_stable() -> None:
    clock = StreamClock(44100)
    for k in range(100):
        clock.update(k * 44100, k * 1.0001e9)
    assert clock.line is not None
    assert clock.line.at(100 * 44100) == pytest.approx(100 * 1.0001e9, abs=1e4)


def test_reset_jumps_at_once_and_keeps_the_rate() -> None:
    clock = StreamClock(RATE)
    _run(clock, 10.0, ppm=100.0, jitter_ns=0.0)
    learnt = clock.ppm
    clock.reset(5_000_000, 7e12)
    assert clock.line is not None
    assert clock.line.at(5_000_000) == 7e12
    assert clock.ppm == learnt
    assert clock.line.sample_at(clock.line.at(5_100_000)) == pytest.approx(5_100_000, abs=0.1)


@pytest.mark.parametrize(
    ("adc", "now", "fault"),
    [
        (0.0, 0.0, "zero"),
        (5.0, 5.01, "frozen"),
        (4.0, 5.01, "back"),
        (5.5, 5.01, "jump"),
        (5.5, 99.0, "jump"),
    ],
)
def test_for_an_implausible_adc_time_the_last_age_holds(adc: float, now: float, fault: str) -> None:
    capture = CaptureTime()
    assert capture.host_ns(5.0, 5.01, 1_000_000_000, 0.005) == pytest.approx(990_000_000)
    assert capture.host_ns(adc, now, 2_000_000_000, 0.005) == pytest.approx(1_990_000_000)
    assert capture.faults[fault] == 1


def test_adc_times_that_keep_failing_are_given_up() -> None:
    capture = CaptureTime()
    for k in range(50):
        host = capture.host_ns(1.0 + 0.005 * k, 1.2 + 0.005 * k, k * 5_000_000, 0.005)
        assert host == pytest.approx(k * 5_000_000 - 200e6, abs=1)
    for k in range(50, 80):  # the age falls to nothing while blocks arrive as before
        host = capture.host_ns(1.2 + 0.005 * k, 1.2 + 0.005 * k, k * 5_000_000, 0.005)
    assert not capture.trusted
    assert host == pytest.approx(79 * 5_000_000 - 5e6)


def test_without_adc_times_a_block_is_as_old_as_it_is_long() -> None:
    assert CaptureTime().host_ns(0.0, 0.0, 10_000_000, 0.005) == pytest.approx(5_000_000)


def test_ntp_tags_carry_seconds_since_1900() -> None:
    wall = WallClock()
    wall.correct(0)  # a step: monotonic time is then taken for UTC
    assert wall.to_ntp(0) >> 32 == 2_208_988_800
    assert wall.to_ntp(1_500_000_000) & 0xFFFFFFFF == 1 << 31


def test_the_wall_clock_slews_small_errors_and_steps_large_ones() -> None:
    wall = WallClock()
    before = wall.to_utc(0)
    wall.correct(before + 8_000_000)
    assert (wall.to_utc(0) - before, wall.steps) == (1_000_000, 0)
    wall.correct(before + 1_000_000_000)
    assert (wall.to_utc(0) - before, wall.steps) == (1_000_000_000, 1)
