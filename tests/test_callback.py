"""The compiled callback, called as PortAudio calls it, does what the Python one does."""

from __future__ import annotations

import ctypes
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from engine.audio.callback import InputStream, Semaphore, native_callback, user_data
from engine.audio.ring import OVERFLOW, Ring

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="waits on a POSIX semaphore")


def _call(ring: Ring, semaphore: Semaphore, samples: np.ndarray | None, flags: int = 0) -> int:
    kind = ctypes.CFUNCTYPE(
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_ulong,
        ctypes.c_void_p,
        ctypes.c_ulong,
        ctypes.c_void_p,
    )
    user = user_data(ring, semaphore)
    times = np.array([7.0, 7.25, 0.0])
    address = None if samples is None else samples.ctypes.data
    frames = 0 if samples is None else len(samples)
    return kind(native_callback().address)(address, None, frames, times.ctypes.data, flags, user.ctypes.data)


def test_a_block_reaches_the_ring_with_its_log_and_wakes_the_reader() -> None:
    ring, semaphore = Ring(2, 1024), Semaphore()
    samples = np.arange(20, dtype=np.float32).reshape(10, 2)
    assert not semaphore.wait(0.0)
    before = time.monotonic_ns()
    assert _call(ring, semaphore, samples, OVERFLOW) == 0
    assert semaphore.wait(0.0)
    block = ring.take()
    assert block is not None
    assert np.array_equal(block.audio, samples)
    assert before <= block.arrival <= time.monotonic_ns()
    assert (block.start, block.adc, block.now, block.flags) == (0, 7.0, 7.25, OVERFLOW)


def test_both_callbacks_write_the_same() -> None:
    samples = np.arange(30, dtype=np.float32).reshape(10, 3)
    compiled, semaphore = Ring(3, 1024), Semaphore()
    _call(compiled, semaphore, samples)
    stream = InputStream.__new__(InputStream)  # without a device
    stream.ring, stream.wake = Ring(3, 1024), semaphore
    clock = SimpleNamespace(inputBufferAdcTime=7.0, currentTime=7.25)
    stream._python_callback(samples, 10, clock, SimpleNamespace(input_underflow=0, input_overflow=0))
    first, second = compiled.take(), stream.ring.take()
    assert first is not None and second is not None
    assert np.array_equal(first.audio, second.audio)
    assert (first.start, first.adc, first.now) == (second.start, second.adc, second.now)


def test_no_samples_and_a_full_ring_do_no_harm() -> None:
    ring, semaphore = Ring(1, 64), Semaphore()
    assert _call(ring, semaphore, None) == 0
    assert ring.take() is None
    for _ in range(3):
        assert _call(ring, semaphore, np.zeros((40, 1), np.float32)) == 0
    assert ring.dropped == 80


def test_waiting_ends_at_its_time() -> None:
    begun = time.monotonic()
    assert not Semaphore().wait(0.05)
    assert 0.045 < time.monotonic() - begun < 5
