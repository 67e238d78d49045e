"""An open output device, fed from a ring: its callback is compiled, so it runs without the GIL.

The callback never waits. It begins to play when the ring holds `target` frames, plays silence when it runs
dry, and begins again at `target`; of sound that has piled up it plays the newest `target` frames. So what is
heard is never older than stated. All that is lost is counted. Where it cannot be compiled, a Python callback
does the same.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, no_type_check

import numba as nb
import numpy as np
import numpy.typing as npt
from numba import types

from engine.audio import devices
from engine.audio.atomics import as_pointer, load_acquire, store_release

# Counters, the writer's and the callback's on cache lines of their own: frames written; frames read, whether
# it plays, whether it never has, times it ran dry, frames of silence or passed over since it first played;
# and what does not change: frames to begin with, and most that may wait.
WRITE, READ, PLAYS, FRESH, DRY, LOST, TARGET, MOST = 0, 8, 9, 10, 11, 12, 16, 17

_SIGNATURE = types.int32(types.voidptr, types.voidptr, types.ulong, types.voidptr, types.ulong, types.voidptr)

Array = npt.NDArray[np.float32]


@nb.njit(nogil=True, cache=True)
@no_type_check
def pull(out, audio, state):
    """Callback: the oldest frames of the ring to `out` (frames, channels), silence where there are none."""
    frames, read, target = out.shape[0], state[READ], state[TARGET]
    waiting = load_acquire(state, WRITE) - read
    begins = state[PLAYS] == 0 and waiting >= target
    if begins or waiting > state[MOST]:
        passed = max(0, waiting - max(target, frames))
        if state[FRESH] == 0:
            state[LOST] += passed
        read += passed
        waiting -= passed
        state[PLAYS] = 1
        state[FRESH] = 0
    count = min(frames, waiting) if state[PLAYS] == 1 else 0
    mask = audio.shape[0] - 1
    for f in range(count):
        for c in range(audio.shape[1]):
            out[f, c] = audio[(read + f) & mask, c]
    for f in range(count, frames):
        for c in range(audio.shape[1]):
            out[f, c] = 0.0
    if count < frames:
        state[DRY] += state[PLAYS]
        state[PLAYS] = 0
        if state[FRESH] == 0:
            state[LOST] += frames - count
    store_release(state, READ, read + count)


@nb.njit(nogil=True, cache=True)
@no_type_check
def push(block, audio, state):
    """Writer: append `block` (frames, channels), or as much of it as there is room; returns how much."""
    write = state[WRITE]
    count = min(block.shape[0], audio.shape[0] - (write - load_acquire(state, READ)))
    mask = audio.shape[0] - 1
    for f in range(count):
        for c in range(audio.shape[1]):
            audio[(write + f) & mask, c] = block[f, c]
    store_release(state, WRITE, write + count)
    return count


_compiled: list[Any] = []


def native_callback() -> Any:
    """The compiled callback. Raises where it cannot be compiled.

    Its user data is an int64 array: address of the ring's audio, its channels and capacity, address of the
    counters.
    """
    if not _compiled:

        @nb.cfunc(_SIGNATURE, cache=True)
        @no_type_check
        def callback(_input, out, frames, info, flags, user):
            ring = nb.carray(user, (4,), nb.int64)
            pull(
                nb.carray(out, (nb.int64(frames), ring[1]), nb.float32),
                nb.carray(as_pointer(ring[0]), (ring[2], ring[1]), nb.float32),
                nb.carray(as_pointer(ring[3]), (64,), nb.int64),
            )
            return 0

        _compiled.append(callback)
    return _compiled[0]


class PlaybackRing:
    """Between one writer and the callback; no lock.

    Parameters
    ----------
    target : frames that wait before the first is played. most : frames that may pile up.
    """

    def __init__(self, channels: int, target: int, most: int) -> None:
        self.audio = np.zeros((1 << (2 * most).bit_length(), channels), np.float32)
        self.state = np.zeros(64, np.int64)
        self.state[TARGET], self.state[MOST], self.state[FRESH] = target, most, 1
        self.push(self.audio[:0])  # compiled before it matters

    def push(self, block: Array) -> int:
        """Append frames (frames, channels), float32; returns how many found room."""
        return int(push(block, self.audio, self.state))

    def pull(self, out: Array) -> None:
        """What the callback does."""
        pull(out, self.audio, self.state)

    @property
    def waiting(self) -> int:
        """Frames written and not yet played."""
        return int(self.state[WRITE] - self.state[READ])

    @property
    def plays(self) -> bool:
        """False before the start, and after it ran dry until there is enough again."""
        return bool(self.state[PLAYS])

    @property
    def begun(self) -> bool:
        """Whether it has ever played."""
        return not self.state[FRESH]

    @property
    def dry(self) -> int:
        """How often it ran dry."""
        return int(self.state[DRY])

    @property
    def lost(self) -> int:
        """Frames of silence or passed over since it first played."""
        return int(self.state[LOST])


class OutputStream:
    """An open output device that plays a ring.

    Parameters
    ----------
    device : PortAudio's index. channels, rate : as the device is opened.
    target, most : of the ring.

    Attributes
    ----------
    ring : what it plays.
    """

    def __init__(self, device: int, channels: int, rate: int, target: int, most: int) -> None:
        sounddevice = devices.sound_library()
        self.ring = PlaybackRing(channels, target, most)
        self._closing = threading.Lock()
        options: dict[str, Any] = {
            "kind": "output",
            "device": device,
            "channels": channels,
            "samplerate": rate,
            "blocksize": 0,
            "dtype": "float32",
            "latency": "low",
        }
        try:
            if sys.platform != "linux":
                raise OSError("the compiled callback is tried on Linux only")
            pointer = native_callback().address
        except Exception:
            options["callback"], options["wrap_callback"] = self._python_callback, "array"
        else:
            audio, ffi = self.ring.audio, sounddevice._ffi
            places = (audio.ctypes.data, channels, len(audio), self.ring.state.ctypes.data)
            self._user_data = np.array(places, np.int64)
            options["callback"] = ffi.cast("PaStreamCallback *", pointer)
            options["userdata"] = ffi.cast("void *", self._user_data.ctypes.data)
        self._stream = sounddevice._StreamBase(**options)
        self._open = True
        devices.open_outputs.add(self)
        self._stream.start()
        self.latency = float(self._stream.latency)  # seconds from the callback to the converter, if known

    def _python_callback(self, out: Any, _frames: int, _clock: Any, _status: Any) -> None:
        self.ring.pull(out)

    @property
    def active(self) -> bool:
        """Whether the device still plays, as far as PortAudio knows."""
        with self._closing:
            return self._open and bool(self._stream.active)

    def close(self) -> None:
        """Stop; never raises, because the device may be gone. Any thread."""
        with self._closing:
            if self._open:
                self._open = False
                devices.open_outputs.discard(self)
                self._stream.abort(ignore_errors=True)
                self._stream.close(ignore_errors=True)
