"""The melody that the voice sings, as far as its stem shows it: a second stage for the voice's mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nodes.separate.melody_kernels import comb, find_pitches, follow_pitch

LOWEST, HIGHEST, PER_OCTAVE = 90.0, 1000.0, 60  # Hz, bins of 20 cents
CLEAR = 4300.0  # Hz up to which a spectrum's mean is taken
TOP = 5000.0  # Hz up to which the voice is taken for harmonic

Array = npt.NDArray[np.float32]


class Melody:
    """Follows the pitch of what the first masks let through as voice, and leans the masks to its harmonics.

    Pitches are weighed by what lies at their harmonics less what lies between, and followed by a forward
    filter; the lean is as strong as the belief in the pitch.

    Source: the cascade of Driedger and Mueller, ICASSP 2015 (a harmonic part, then a mask by the melody),
    with a tracker in place of an annotated melody.

    Parameters
    ----------
    window, rate : of the transform, samples and Hz.
    voice : row of the masks that is the voice.
    kept : for each row whether it is left as it is.
    """

    def __init__(self, window: int, rate: int, voice: int, kept: Sequence[bool]) -> None:
        self._voice = voice
        self._kept = np.array(kept)
        self._scale = window / rate
        count = int(PER_OCTAVE * np.log2(HIGHEST / LOWEST))
        self._fundamentals = LOWEST * self._scale * 2.0 ** (np.arange(count) / PER_OCTAVE)
        self._root = np.zeros(window // 2 + 1, np.float32)
        self._clear = int(LOWEST * self._scale), min(int(CLEAR * self._scale), window // 2 + 1)
        self._top = int(TOP * self._scale)
        self._salience = np.zeros(count)
        self._belief = np.zeros(count)
        self._scratch = np.zeros(count)
        self.reset()

    def reset(self) -> None:
        """No pitch is likelier than another."""
        self._belief[:] = 1.0 / len(self._belief)

    def step(self, magnitude: Array, masks: Array) -> None:
        """Change `masks` (stems, bins), in sum at most 1, by the melody in `magnitude` (bins,)."""
        np.multiply(magnitude, masks[self._voice], out=self._root)
        np.sqrt(self._root, out=self._root)
        level = find_pitches(self._root, *self._clear, self._fundamentals, self._salience)
        found = follow_pitch(self._salience, level, self._belief, self._scratch)
        best = int(found)
        comb(self._fundamentals[best], found - best, self._top, self._voice, self._kept, masks)
