"""A second witness beside the scan: how alike the last ten seconds of the music and the reference are.

The scan's evidence is clipped, weighted and adds up what fits; this asks for the mean correlation of the
frames along the best path through the place that the scan has found. A stranger whose chords happen to come
in the right order has a lead in evidence as high as a version's, but seldom frames as alike.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Frames (5 a second) of the music that are compared.
SPAN = 50
#: Frames by which the path may leave the line of the tempo, and the price of one.
REACH, PRICE = 10, 0.2


@nb.njit(
    nb.float64(
        nb.float32[:, ::1],
        nb.types.Array(nb.int8, 2, "A", readonly=True),  # mapped from disk
        nb.int64,
        nb.float64,
        nb.float64,
        nb.float64[::1],
        nb.float64[::1],
        nb.int8[:, ::1],
        nb.float32[:, ::1],
    ),
    nogil=True,
    cache=True,
)
def correlation(music, reference, key, end, tempo, best, now, slips, along):  # type: ignore[no-untyped-def]
    """Mean correlation of `music` with a reference along the best path that ends near frame `end` of it.

    Frame n of N of the music stands at end - (N - 1 - n) * tempo of the reference, give or take the reach;
    a step beside costs PRICE. What lies outside the reference correlates with nothing.

    Parameters
    ----------
    music : (N, 12) frames without mean, L2 norm 1.
    reference : (12, n) int8, such frames in steps of 1 / 127.
    key : semitones by which the music lies above the reference.
    end, tempo : frames; frames a frame of the music.
    best, now : (2 * reach + 1,) room to work in.
    slips : (N, 2 * reach + 1) room to work in.
    along : (N, 12) written: the reference's frames on that path, in the key of the music.
    """
    width, count, length = len(best), len(music), reference.shape[1]
    reach = width // 2
    best[:] = 0.0
    for n in range(count):
        line = int(np.rint(end - (count - 1 - n) * tempo)) - reach
        for o in range(width):
            before, slip = best[o], 0
            if o > 0 and best[o - 1] - PRICE > before:
                before, slip = best[o - 1] - PRICE, -1
            if o < width - 1 and best[o + 1] - PRICE > before:
                before, slip = best[o + 1] - PRICE, 1
            slips[n, o] = slip
            alike = 0.0
            if 0 <= line + o < length:
                for c in range(12):
                    alike += music[n, (c + key) % 12] * reference[c, line + o]
            now[o] = before + alike / 127.0
        best[:] = now
    o = int(best.argmax())
    top = best[o]
    for n in range(count - 1, -1, -1):
        at = int(np.rint(end - (count - 1 - n) * tempo)) - reach + o
        for c in range(12):
            along[n, (c + key) % 12] = reference[c, at] / np.float32(127.0) if 0 <= at < length else 0.0
        o += slips[n, o]
    return top / max(count, 1)


class Witness:
    """Keeps the last frames of the music and compares them with places of references.

    Silence is left out: in it the music stands still, as in the scan.
    """

    def __init__(self) -> None:
        self._frames = np.zeros((SPAN, 12), np.float32)
        self._best, self._now = np.zeros(2 * REACH + 1), np.zeros(2 * REACH + 1)
        self._slips = np.zeros((SPAN, 2 * REACH + 1), np.int8)
        self._along = np.zeros((SPAN, 12), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the music."""
        self.heard = 0

    def push(self, frame: Array) -> None:
        """Take one frame (12,), L2 norm 1, or zeros: silence."""
        if not frame.any():
            return
        self._frames[:-1] = self._frames[1:]
        self._frames[-1] = frame
        self.heard = min(self.heard + 1, SPAN)

    def compare(self, reference: Array, key: int, frame: float, tempo: float) -> tuple[float, int]:
        """How alike the music, now at `frame` of a reference (12, n) int8, has been, and for how many frames.

        Mean correlation, -1 to 1. What was heard before the reference begins is left out.
        """
        alike, music, _ = self._align(reference, key, frame, tempo)
        return alike, len(music)

    def side_by_side(self, reference: Array, key: int, frame: float, tempo: float) -> tuple[Array, Array]:
        """The music and what `compare` compares it with, frames (N, 12); valid until the next call."""
        _, music, along = self._align(reference, key, frame, tempo)
        return music, along

    def _align(self, reference: Array, key: int, frame: float, tempo: float) -> tuple[float, Array, Array]:
        """Mean correlation, the music, and the reference along the best path."""
        count = min(self.heard, int(frame / tempo) + 1)
        music, along = self._frames[SPAN - count :], self._along[:count]
        alike = correlation(
            music, reference, key, frame, tempo, self._best, self._now, self._slips[:count], along
        )
        return float(alike), music, along
