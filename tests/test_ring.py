"""The ring between the audio callback and the engine thread."""

from concurrent.futures import ThreadPoolExecutor

import numba as nb
import numpy as np
import pytest

from engine.audio.ring import OVERFLOW, READ, Ring, push, take


@nb.njit(nogil=True)
def _write_all(lengths, audio, entries, times, state):
    """Push blocks holding a running count; try each again until it has found room."""
    count = 0
    block = np.zeros((lengths.max(), audio.shape[1]), np.float32)
    for length in lengths:
        for f in range(length):
            for c in range(audio.shape[1]):
                block[f, c] = (count + f) % 65536 + c
        before = state[40]
        while True:
            push(block[:length], audio, entries, times, state, count, 1.0 * count, 2.0 * count, 0)
            if state[40] == before:
                break
            before = state[40]
        count += length


@nb.njit(nogil=True)
def _read_all(lengths, audio, entries, times, state):
    """Take as many blocks as there are lengths; how many samples or log entries were wrong."""
    out = np.zeros((audio.shape[0], audio.shape[1]), np.float32)
    entry, time = np.zeros(4, np.int64), np.zeros(2)
    count = wrong = 0
    for length in lengths:
        frames = -1
        while frames < 0:
            frames = take(out, entry, time, audio, entries, times, state)
        wrong += frames != length or entry[2] != count or time[0] != count or time[1] != 2 * count
        for f in range(frames):
            for c in range(audio.shape[1]):
                wrong += out[f, c] != (count + f) % 65536 + c
        count += frames
    return wrong


def test_two_threads_see_every_sample_in_order() -> None:
    ring = Ring(2, 8192)
    arrays = (ring.audio, ring.entries, ring.times, ring.state)
    one = np.ones(1, np.int64)
    _write_all(one, *arrays)
    assert _read_all(one, *arrays) == 0  # both compiled
    lengths = np.random.default_rng(1).integers(1, 300, 8_000)
    with ThreadPoolExecutor(2) as pool:
        pool.submit(_write_all, lengths, *arrays)
        assert pool.submit(_read_all, lengths, *arrays).result(60) == 0
    assert ring.waiting == 0


def test_a_block_without_room_is_dropped_whole_and_leaves_a_hole_in_the_log() -> None:
    ring = Ring(1, 1024)
    ring.push(np.full((1000, 1), 1.0, np.float32), 1)
    ring.push(np.full((100, 1), 2.0, np.float32), 2)
    assert ring.dropped == 100
    assert ring.waiting == 1000
    first = ring.take()
    assert first is not None and first.start == 0
    ring.push(np.full((50, 1), 3.0, np.float32), 3, flags=OVERFLOW)
    last = ring.take()
    assert last is not None
    assert (last.start, last.flags, len(last.audio)) == (1100, OVERFLOW, 50)
    assert np.all(last.audio == 3.0)
    assert ring.take() is None


@pytest.mark.parametrize("channels", [1, 3])
def test_blocks_wrap_around_the_end(channels: int) -> None:
    ring = Ring(channels, 64)
    ring.state[READ] = ring.state[0] = 60
    source = np.arange(20 * channels, dtype=np.float32).reshape(20, channels)
    ring.push(source, 0)
    block = ring.take()
    assert block is not None
    assert np.array_equal(block.audio, source)
