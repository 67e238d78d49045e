"""The best path of the music through one document, which may jump at a price.

A hidden Markov model of where the music is (Viterbi 1967): from frame to frame it goes on at one of some
tempi, slips by a frame, or jumps anywhere. A place that has been right for an hour is only JUMP better than
any other, so a jump is seen as soon as the frames since then speak for the new place by so much, and where
it happened need not be known.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

from nodes.match.updates import Update

Array = npt.NDArray[Any]

#: What a jump costs, and a slip by one frame, in correlation of one frame that counts in full.
JUMP, SLIP = 1.2, 0.1
#: Less correlation than this counts as this: one frame that does not fit is no reason to jump.
LEAST = 0.6


@nb.njit(
    nb.int64(
        nb.types.Array(nb.int8, 2, "A", readonly=True),  # mapped from disk
        nb.int16[::1],
        nb.float64,
        nb.int64[::1],
        nb.float32[::1],
        nb.float32[:, ::1],
        nb.float32[:, ::1],
        nb.float32[::1],
    ),
    nogil=True,
    cache=True,
)
def advance(reference, query, weight, steps, law, scores, past, likeness):  # type: ignore[no-untyped-def]
    """Advance the scores of all (tempo, frame) by one query frame, in place; returns lane * frames + frame.

    scores[r, m] = likeness[m] + max(scores[r, m - steps[r]], one frame beside - slip, -jump), less the
    highest of all, so that the best stands at 0.

    Parameters
    ----------
    reference : (12, n) int8, frames of L2 norm 127.
    query : (12,) int16, the same.
    weight : how much the query counts, 0 to 1.
    steps : (R,) frames to go back.
    law : (3,) jump, slip, least.
    scores : (R, n) state, the best at 0.
    past, likeness : (R, n + 2) and (n,) room to work in.
    """
    lanes, length = scores.shape
    jump, slip, least = law[0], law[1], law[2]
    scale = np.float32(1.0 / (127.0 * 127.0))
    likeness[:] = np.float32(0.0)
    for c in range(12):
        row, share = reference[c], np.float32(query[c]) * scale
        for m in range(length):
            likeness[m] += share * np.float32(row[m])
    for m in range(length):
        likeness[m] = np.float32(weight) * max(likeness[m], least)
    top, place = np.float32(-np.inf), 0
    for r in range(lanes):
        # room[m + 1] is the predecessor of frame m; one more on either side for slips.
        room, step = past[r], steps[r]
        for m in range(length + 2):
            back = m - 1 - step
            room[m] = scores[r, back] if 0 <= back < length else -jump
        for m in range(length):
            slipped = max(room[m], room[m + 2]) - slip
            value = max(max(room[m + 1], slipped), -jump) + likeness[m]
            scores[r, m] = value
            if value > top:
                top, place = value, r * length + m
    for r in range(lanes):
        for m in range(length):
            scores[r, m] -= top
    return place


class BestPath:
    """Where in a document the music is, given where it was.

    Parameters
    ----------
    frames : (12, n) int8, those of the document.
    lanes : tempi of the updates.
    frame : where in it the music is now.
    reach : frames by which that may be wrong.
    """

    def __init__(self, frames: Array, lanes: int, frame: float, reach: int) -> None:
        self._frames = frames
        length = frames.shape[1]
        self._law = np.array([JUMP, SLIP, LEAST], np.float32)
        self._scores = np.full((lanes, length), -JUMP, np.float32)
        here = max(0, round(frame) - reach), max(0, round(frame) + reach + 1)
        self._scores[:, here[0] : here[1]] = 0.0
        self._past = np.zeros((lanes, length + 2), np.float32)
        self._likeness = np.zeros(length, np.float32)
        self.frame = round(frame)

    def advance(self, now: Update) -> None:
        """Take one update in one key; `frame` is where the best path ends."""
        place = advance(
            self._frames,
            now.queries[0],
            now.weight,
            now.steps,
            self._law,
            self._scores,
            self._past,
            self._likeness,
        )
        self.frame = place % self._frames.shape[1]
