"""The input callback of PortAudio. Numba compiles it, so it runs without the GIL: copy to the ring, write
the block log, post a semaphore. Where that cannot be had, a Python callback does the same.

The way in is python-rtmixer's: sounddevice's `_StreamBase` takes a C function pointer and user data.
PortAudio's blocking reads are never used; they crashed on its JACK host API.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
import threading
import time
from typing import Any, Protocol, no_type_check

import numba as nb
import numpy as np
from numba import types

from engine.audio.atomics import as_address, as_pointer, monotonic_ns, sem_post
from engine.audio.ring import OVERFLOW, UNDERFLOW, Ring, push

_SIGNATURE = types.int32(types.voidptr, types.voidptr, types.ulong, types.voidptr, types.ulong, types.voidptr)


class Wake(Protocol):
    """Wakes the engine thread."""

    def wait(self, seconds: float) -> bool:
        """Sleep until posted, at most so long; True if it was posted."""

    def post(self) -> None:
        """Wake the waiting thread."""


class Semaphore:
    """A POSIX semaphore that C can post and Python waits for without the GIL (Linux)."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.sem_clockwait.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        self._memory = ctypes.create_string_buffer(64)
        self.address = ctypes.addressof(self._memory)
        if self._libc.sem_init(ctypes.c_void_p(self.address), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "sem_init failed")
        self._deadline = (ctypes.c_int64 * 2)()

    def post(self) -> None:
        self._libc.sem_post(ctypes.c_void_p(self.address))

    def wait(self, seconds: float) -> bool:
        until = time.monotonic_ns() + int(seconds * 1e9)
        self._deadline[0], self._deadline[1] = divmod(until, 1_000_000_000)
        return bool(
            self._libc.sem_clockwait(self.address, time.CLOCK_MONOTONIC, ctypes.byref(self._deadline)) == 0
        )


class _ThreadSemaphore:
    """The same out of the standard library, for the Python callback."""

    def __init__(self) -> None:
        self._semaphore = threading.Semaphore(0)

    def post(self) -> None:
        self._semaphore.release()

    def wait(self, seconds: float) -> bool:
        return self._semaphore.acquire(timeout=seconds)


_compiled: list[Any] = []


def native_callback() -> Any:
    """The compiled callback. Raises where it cannot be compiled or linked.

    Its user data is an int64 array: address of the ring's audio, its channels and capacity, address and
    number of the log's entries, addresses of the log's times, of the counters, of the semaphore.
    """
    if not _compiled:

        @nb.cfunc(_SIGNATURE, cache=True)
        @no_type_check
        def callback(samples, _output, frames, info, flags, user):
            ring = nb.carray(user, (8,), nb.int64)
            arrival = monotonic_ns()
            if as_address(samples) != 0:
                clock = nb.carray(info, (3,), nb.float64)
                push(
                    nb.carray(samples, (nb.int64(frames), ring[1]), nb.float32),
                    nb.carray(as_pointer(ring[0]), (ring[2], ring[1]), nb.float32),
                    nb.carray(as_pointer(ring[3]), (ring[4], 4), nb.int64),
                    nb.carray(as_pointer(ring[5]), (ring[4], 2), nb.float64),
                    nb.carray(as_pointer(ring[6]), (64,), nb.int64),
                    arrival,
                    clock[0],
                    clock[1],
                    nb.int64(flags),
                )
            sem_post(ring[7])
            return 0

        _compiled.append(callback)
    return _compiled[0]


def user_data(ring: Ring, semaphore: Semaphore) -> np.ndarray[Any, np.dtype[np.int64]]:
    """What the compiled callback needs; keep it, the ring and the semaphore alive with the stream."""
    return np.array(
        [
            ring.audio.ctypes.data,
            ring.audio.shape[1],
            ring.audio.shape[0],
            ring.entries.ctypes.data,
            ring.entries.shape[0],
            ring.times.ctypes.data,
            ring.state.ctypes.data,
            semaphore.address,
        ],
        np.int64,
    )


class InputStream:
    """An open input device that fills a ring.

    Parameters
    ----------
    device : PortAudio's index (looked up by name just before, see `engine.audio.devices`).
    channels, rate : as the device is opened.
    frames : frames per callback, 0 for what the device likes best.
    backend : "numba", "python", or "auto": numba where it can be had.

    Attributes
    ----------
    ring : what it fills, at least two seconds long.
    wake : posted after every block.
    backend : the one in use.
    """

    def __init__(self, device: int, channels: int, rate: int, frames: int = 0, backend: str = "auto") -> None:
        import sounddevice

        self.ring = Ring(channels, 2 * rate)
        self.wake: Wake
        self.backend = backend
        pointer = None
        if backend != "python":
            try:
                if sys.platform != "linux":
                    raise OSError("the compiled callback waits on a POSIX semaphore")
                semaphore = Semaphore()
                pointer = native_callback().address
            except Exception:
                if backend == "numba":
                    raise
        options: dict[str, Any] = {
            "kind": "input",
            "device": device,
            "channels": channels,
            "samplerate": rate,
            "blocksize": frames,
            "dtype": "float32",
            "latency": "low",
        }
        if pointer is not None:
            self.backend, self.wake = "numba", semaphore
            self._user_data = user_data(self.ring, semaphore)
            ffi = sounddevice._ffi
            options["callback"] = ffi.cast("PaStreamCallback *", pointer)
            options["userdata"] = ffi.cast("void *", self._user_data.ctypes.data)
        else:
            self.backend, self.wake = "python", _ThreadSemaphore()
            options["callback"] = self._python_callback
            options["wrap_callback"] = "array"
        self._stream = sounddevice._StreamBase(**options)
        self._stream.start()

    def _python_callback(self, samples: Any, _frames: int, clock: Any, status: Any) -> None:
        arrival = time.monotonic_ns()
        flags = UNDERFLOW * bool(status.input_underflow) | OVERFLOW * bool(status.input_overflow)
        self.ring.push(samples, arrival, clock.inputBufferAdcTime, clock.currentTime, flags)
        self.wake.post()

    @property
    def active(self) -> bool:
        """Whether the device still delivers, as far as PortAudio knows."""
        return bool(self._stream.active)

    @property
    def latency(self) -> float:
        """Seconds from the converter to the callback, as far as PortAudio knows; 0 where it does not."""
        return float(self._stream.latency)

    def close(self) -> None:
        """Stop; never raises, because the device may be gone."""
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)
