"""The door of the engine: audio of any rate, channel count and block size becomes quanta, once, here.

Files and devices come in by the same door, and what leaves it does not depend on how the samples were
cut into blocks, so a graph says the same about a file as about the same music played live.
"""

from __future__ import annotations

import math
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
import soxr

from engine.errors import FollowspotError

Block = npt.NDArray[np.float32]


@nb.njit("void(float32[:, :], int64[::1], float32[:, :])", nogil=True, cache=True)
def _choose(source, channels, out):  # type: ignore[no-untyped-def]
    for f in range(source.shape[0]):
        for k in range(len(channels)):
            out[f, k] = source[f, channels[k]]


@nb.njit("void(float32[:, :], float32[:, :])", nogil=True, cache=True)
def _mix(source, out):  # type: ignore[no-untyped-def]
    scale = np.float32(1.0 / source.shape[1])
    for f in range(source.shape[0]):
        total = np.float32(0.0)
        for c in range(source.shape[1]):
            total += source[f, c]
        out[f, 0] = total * scale


class Door:
    """Takes blocks (frames, channels) at the source's rate, gives quanta (channels, quantum) at the engine's.

    Parameters
    ----------
    source_rate, source_channels : of what comes in.
    rate, quantum : of the engine.
    channels : "mix" (mean of all channels) or 1-based channel numbers in the order wanted.
    even : samples come evenly; False, where nobody waits for them: in bursts, at an eighth of the cost.

    Resampling is soxr's variable-rate mode (HQ, > 110 dB): its output does not depend on the block
    split, comes evenly, and lags by about 5 ms at 48 kHz; the fixed-rate mode comes in bursts, 20 ms late.
    """

    def __init__(
        self,
        source_rate: int,
        source_channels: int,
        rate: int,
        quantum: int,
        channels: str | tuple[int, ...] = "mix",
        even: bool = True,
    ) -> None:
        if not isinstance(channels, str) and max(channels) > source_channels:
            raise FollowspotError(
                f"channel {max(channels)} was asked for, but there are {source_channels}: set input.channels"
            )
        self.source_rate, self.source_channels = source_rate, source_channels
        self.rate, self.quantum = rate, quantum
        self.channels = 1 if isinstance(channels, str) else len(channels)
        self._picks = None if isinstance(channels, str) else np.array(channels, np.int64) - 1
        self._as_is = self._picks is not None and list(self._picks) == list(range(source_channels))
        self._as_is = self._as_is or (self._picks is None and source_channels == 1)
        self._chosen = np.zeros((4096, self.channels), np.float32)
        self._fifo = np.zeros((self.channels, max(4 * quantum, 65536)), np.float32)
        self._even = even
        self._resampler: Any = None
        self.restart()

    def restart(self, skip: int = 0) -> None:
        """Begin anew, as behind a gap; the first `skip` samples at the engine's rate are left out."""
        self._skip = skip
        self._head = self._tail = 0
        if self.source_rate != self.rate:
            self._resampler = soxr.ResampleStream(
                self.source_rate, self.rate, self.channels, dtype="float32", quality="HQ", vr=self._even
            )

    @property
    def waiting(self) -> int:
        """Samples at the engine's rate that are not given yet."""
        return self._tail - self._head

    def push(self, block: Block) -> None:
        """Take a block (frames, channels), float32; it may be reused afterwards."""
        for start in range(0, len(block), len(self._chosen)):
            self._push(block[start : start + len(self._chosen)])

    def _push(self, block: Block) -> None:
        chosen = block
        if not self._as_is:
            chosen = self._chosen[: len(block)]
            if self._picks is None:
                _mix(block, chosen)
            else:
                _choose(block, self._picks, chosen)
        if self._resampler is not None:
            chosen = self._resampler.resample_chunk(np.ascontiguousarray(chosen))
        self._append(chosen)

    def _append(self, block: Block) -> None:
        if self._skip:
            skipped = min(self._skip, len(block))
            self._skip -= skipped
            block = block[skipped:]
        if self._tail + len(block) > self._fifo.shape[1]:
            waiting = self._fifo[:, self._head : self._tail].copy()
            if waiting.shape[1] + len(block) > self._fifo.shape[1]:
                grown = 2 * (waiting.shape[1] + len(block))
                self._fifo = np.zeros((self.channels, grown), np.float32)
            self._fifo[:, : waiting.shape[1]] = waiting
            self._head, self._tail = 0, waiting.shape[1]
        self._fifo[:, self._tail : self._tail + len(block)] = block.T
        self._tail += len(block)

    def pull(self) -> Block | None:
        """The next quantum, valid until the next push, or None."""
        if self._tail - self._head < self.quantum:
            return None
        self._head += self.quantum
        return self._fifo[:, self._head - self.quantum : self._head]

    def finish(self) -> None:
        """The source has ended: give what the resampler still holds, the last quantum filled with zeros."""
        if self._resampler is not None:
            empty = np.zeros((0, self.channels), np.float32)
            self._append(self._resampler.resample_chunk(empty, last=True))
        missing = -self.waiting % self.quantum
        self._append(np.zeros((missing, self.channels), np.float32))

    def samples(self, frames: int) -> int:
        """Samples at the engine's rate that so many frames of the source become."""
        return math.ceil(frames * self.rate / self.source_rate)
