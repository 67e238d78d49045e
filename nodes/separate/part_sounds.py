"""What the parts of a score sound like, learnt while they play, and how a frame is made of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nodes.follow.score import Score
from nodes.separate.partials_kernels import (
    AWAY,
    REACH,
    expect,
    explain,
    learn,
    place,
    share,
    sounding,
    tune,
)

MOST = 24  # notes at a time
PARTIALS = 30
#: Seconds of the score by which a note may be early or late against where the follower is.
EARLY, LATE = 0.08, 0.1

Array = npt.NDArray[np.float32]


class PartSounds:
    """Takes magnitude spectra apart by what a score says is sounding.

    Every note is a row of partials at multiples of a pitch that is sought anew in each frame, within 60 cents
    of what is written. How loud each partial is, is a compromise between the frame and what this pitch of
    this part, or this part as a whole, has sounded like before where nothing else sounded in its place.
    Nothing is known at first but that partials fall as one over their number.

    Parameters
    ----------
    score : the notes.
    most : how many parts are told apart; those beyond are taken for one more.
    window : samples of the Hann window that the spectra were made with; `rate` Hz.
    iterations : multiplicative updates a frame.
    """

    def __init__(self, score: Score, most: int, window: int, rate: int, iterations: int) -> None:
        self._iterations = iterations
        self._onset, self._end = score.onset.copy(), score.end.copy()
        self._part, self._pitch = np.minimum(score.part, most), score.pitch
        self._scale = window / rate
        self.parts = count = int(self._part.max()) + 1
        bins = window // 2 + 1
        self._notes = np.zeros((MOST, 2), np.int64)
        self._cents = np.zeros((count, 128))
        self._last = np.zeros((count, 128), np.int64)
        self._tuning = np.zeros(count)
        self._envelope = np.zeros((count, 128, PARTIALS))
        self._heard = np.zeros((count, 128))
        self._general = np.zeros((count, PARTIALS))
        self._partials = np.zeros(MOST, np.int64)
        self._first = np.zeros((MOST, PARTIALS), np.int64)
        self._lobes = np.zeros((MOST, PARTIALS, 2 * REACH + 1))
        self._weight = np.zeros((MOST, PARTIALS))
        self._expected = np.zeros((MOST, PARTIALS))
        self._amplitude = np.zeros((MOST, PARTIALS))
        self._level = np.zeros(MOST)
        self._root = np.zeros(bins)
        self._model = np.zeros(bins)
        self.reset()

    def reset(self) -> None:
        """Nothing has been heard."""
        self._frame = 0
        self._last[:] = -AWAY - 1
        for state in (self._cents, self._tuning, self._envelope, self._heard):
            state[...] = 0.0
        self._general[:] = 1.0 / np.arange(1, PARTIALS + 1)

    def step(self, magnitude: Array, seconds: float, masks: Array) -> None:
        """Masks (parts, bins) in the frame `magnitude` (bins,), `seconds` into the score.

        In sum at most 1; what is left is explained by no note.
        """
        notes = self._notes
        count = sounding(self._onset, self._end, self._part, self._pitch, seconds, EARLY, LATE, notes)
        self._frame += 1
        tune(
            magnitude, self._scale, notes, count, self._frame,
            self._cents, self._tuning, self._last, self._root,
        )  # fmt: skip
        place(
            self._scale, len(magnitude), notes, count, self._cents,
            self._partials, self._first, self._lobes, self._weight,
        )  # fmt: skip
        known = self._envelope, self._heard, self._general
        expect(notes, count, self._partials, *known, self._expected)
        floor = explain(
            magnitude, self._iterations, count, self._partials, self._first, self._lobes, self._weight,
            self._expected, self._amplitude, self._level, self._model,
        )  # fmt: skip
        share(
            notes, count, self._partials, self._first, self._lobes, self._amplitude, floor, masks,
        )  # fmt: skip
        learn(
            notes, count, self._partials, self._first, self._amplitude, self._level, self._model, *known
        )  # fmt: skip
