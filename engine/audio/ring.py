"""The ring between the audio callback and the engine thread: one writer, one reader, no lock.

Beside the audio lies the block log: for every block of the device its first sample, length, arrival
time, PortAudio's times and flags. A block that finds no room is dropped whole and counted; the next
entry of the log starts that much later, so the reader knows exactly what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, no_type_check

import numba as nb
import numpy as np
import numpy.typing as npt

from engine.audio.atomics import load_acquire, store_release

# Counters, each on a cache line of its own.
WRITE, READ, LOG_WRITE, LOG_READ, DEVICE, DROPPED = 0, 8, 16, 24, 32, 40

#: Flags of a block, as PortAudio gives them.
UNDERFLOW, OVERFLOW = 1, 2


@nb.njit(nogil=True, cache=True)
@no_type_check
def push(source, audio, entries, times, state, arrival, adc, now, flags):
    """Writer: append `source` (frames, channels) and its log entry, or drop it whole; never waits."""
    frames = source.shape[0]
    write, log = state[WRITE], state[LOG_WRITE]
    room = audio.shape[0] - (write - load_acquire(state, READ))
    if frames > room or log - load_acquire(state, LOG_READ) >= entries.shape[0]:
        state[DROPPED] += frames
    else:
        mask = audio.shape[0] - 1
        for f in range(frames):
            at = (write + f) & mask
            for c in range(audio.shape[1]):
                audio[at, c] = source[f, c]
        k = log & (entries.shape[0] - 1)
        entries[k, 0] = state[DEVICE]
        entries[k, 1] = frames
        entries[k, 2] = arrival
        entries[k, 3] = flags
        times[k, 0] = adc
        times[k, 1] = now
        store_release(state, WRITE, write + frames)
        store_release(state, LOG_WRITE, log + 1)
    state[DEVICE] += frames


@nb.njit(nogil=True, cache=True)
@no_type_check
def take(out, entry, time, audio, entries, times, state):
    """Reader: move the oldest block to `out`, its log to `entry` and `time`; returns its length, or -1."""
    log = state[LOG_READ]
    if log == load_acquire(state, LOG_WRITE):
        return -1
    k = log & (entries.shape[0] - 1)
    entry[:] = entries[k]
    time[:] = times[k]
    frames = entry[1]
    read = state[READ]
    mask = audio.shape[0] - 1
    for f in range(frames):
        at = (read + f) & mask
        for c in range(audio.shape[1]):
            out[f, c] = audio[at, c]
    store_release(state, READ, read + frames)
    store_release(state, LOG_READ, log + 1)
    return frames


@nb.njit(nogil=True, cache=True)
@no_type_check
def _waiting(state):
    return load_acquire(state, WRITE) - state[READ]


@dataclass(slots=True)
class Block:
    """One block of the device. The reader reuses it and its audio.

    Attributes
    ----------
    audio : (frames, channels), float32.
    start : index of its first frame since the stream began, dropped frames counted.
    arrival : monotonic host time in ns at which the callback was called.
    adc, now : PortAudio's time of the first frame and of the call, seconds of its own clock.
    flags : UNDERFLOW, OVERFLOW.
    """

    audio: npt.NDArray[np.float32]
    start: int = 0
    arrival: int = 0
    adc: float = 0.0
    now: float = 0.0
    flags: int = 0


class Ring:
    """Room for at least `frames` frames of `channels` channels and 4096 blocks."""

    def __init__(self, channels: int, frames: int) -> None:
        capacity = 1 << (max(2, frames) - 1).bit_length()
        self.audio = np.zeros((capacity, channels), np.float32)
        self.entries = np.zeros((4096, 4), np.int64)
        self.times = np.zeros((4096, 2), np.float64)
        self.state = np.zeros(64, np.int64)
        self._out = np.zeros((capacity, channels), np.float32)
        self._entry = np.zeros(4, np.int64)
        self._time = np.zeros(2, np.float64)
        self._block = Block(self._out[:0])
        self.push(self._out[:0], 0)  # an empty block: both ends are compiled before it matters
        self.take()

    @property
    def waiting(self) -> int:
        """Frames written and not yet taken."""
        return int(_waiting(self.state))

    @property
    def dropped(self) -> int:
        """Frames that found no room so far."""
        return int(self.state[DROPPED])

    def push(self, source: Any, arrival: int, adc: float = 0.0, now: float = 0.0, flags: int = 0) -> None:
        """Append a block (frames, channels), float32. Writer's thread."""
        push(source, self.audio, self.entries, self.times, self.state, arrival, adc, now, flags)

    def take(self) -> Block | None:
        """The oldest block, valid until the next call, or None. Reader's thread."""
        frames = take(self._out, self._entry, self._time, self.audio, self.entries, self.times, self.state)
        if frames < 0:
            return None
        block, entry = self._block, self._entry
        block.audio = self._out[:frames]
        block.start = int(entry[0])
        block.arrival = int(entry[2])
        block.flags = int(entry[3])
        block.adc = float(self._time[0])
        block.now = float(self._time[1])
        return block
