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
from typing import Any, Protocol

import numba as nb
import numpy as np
from numba import types

from engine.audio.atomics import as_address, as_pointer, monotonic_ns, sem_post
from engine.audio.ring import OVERFLOW, UNDERFLOW, Ring, push

_SIGNATURE = types.int32(
    types.voidptr, types.voidptr, types.ulong, types.voidptr, types.ulong, types.voidptr
)


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

    Its user data is an int64 array: addresses and sizes of the ring's arrays, then the semaphore's.
    """
    if not _compiled:

        @nb.cfunc(_SIGNATURE, cache=True, nogil=True)
        def callback(samples, _output, frames, info, flags, user):  # type: ignore[no-untyped-def]
            ring = nb.carray(user, (7,), nb.int64)
            arrival = monotonic_ns()
            channels, capacity, entries = ring[1], ring[2], ring[4]
            if as_address(samples) != 0:
                clock = nb.carray(info, (3,), nb.float64)
                push(
                    nb.carray(samples, (nb.int64(frames), channels), nb.float32),
                    nb.carray(as_pointer(ring[0]), (capacity, channels), nb.float32),
                    nb.carray(as_pointer(ring[3]), (entries, 4), nb.int64),
                    nb.carray(as_pointer(ring[3] + entries * 32), (entries, 2), nb.float64),
                    nb.carray(as_pointer(ring[5]), (64,), nb.int64),
                    arrival,
                    clock[0],
                    clock[1],
                    nb.int64(flags),
                )
            sem_post(ring[6])
            return 0

        _compiled.append(callback)
    return _compiled[0]
