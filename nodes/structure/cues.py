"""Structure cues: breakdown, build-up, drop, silence and sound."""

from __future__ import annotations

import numpy as np

from engine.node import (
    EventsFormat,
    EventsOut,
    FrameNode,
    FramesFormat,
    FramesIn,
    FramesOut,
    Param,
    same_grid,
)
from nodes.structure.cue_kernels import NONE, REF_LOW, SILENT, SLOW_ALL, STATE, follow_structure

KINDS = ("", "breakdown", "build_up", "drop", "silence", "sound")
WINDOW, RISE = 1.6, 4.0  # seconds


class Cues(FrameNode):
    """Says where a piece thins out, rises, bursts and stops.

    breakdown: the bass (loudest moment of 1.6 s) or the drums (rises of the low and high spectrum) are well
    below what is usual in this piece, for `hold` seconds more. build_up: within one, the high band and the
    whole have been rising over 4 s. drop: bass or beat are back. silence: 0.8 s 30 dB below the
    usual level; sound: the end of it. What is usual follows the music up within seconds and down within a
    minute, so the gain does not matter. A cue cannot come twice without the one that ends it; the borders
    of coming and going are apart and must be crossed for a time, so nothing flickers.

    `time` of an event is when it was decided; `began` (s) is how long before that it began, about.

    Latency: sound and a drop after missing bass, those of the frames plus 0.05 s; a drop after missing drums
    0.6 s; silence 0.8 s; breakdown `hold` + 1 to 2 s; build_up about 3 s.
    """

    level = FramesIn("`BandEnergy.level`, dBFS, shape (3,)")
    flux = FramesIn("`BandEnergy.flux`, shape (3,)")
    cues = EventsOut(
        "structure cues",
        kinds={kind: "confidence (0..1), began (s before the event's time)" for kind in KINDS if kind},
    )
    thinness = FramesOut("how much of bass and drums is missing, shape (), 0 to 1")
    rise = FramesOut("how much the music has risen over 4 s, shape (), 0 to 1")

    hold = Param(
        1.0, low=0.0, high=30.0, unit="s", live=True, help="a breakdown must last so long to be told"
    )

    test_seconds = 8.0

    def prepare(self, level: FramesFormat, flux: FramesFormat) -> dict[str, FramesFormat | EventsFormat]:
        if level.shape != (3,) or flux.shape != (3,):
            raise ValueError(f"takes level and flux of BandEnergy, shape (3,), not {level} and {flux}")
        self._frame_rate = level.frame_rate
        self._levels = np.zeros((max(4, round(WINDOW * self._frame_rate)), 4))
        self._slow = np.zeros((max(4, round(RISE * self._frame_rate)), 2))
        self._state = np.zeros(STATE)
        self._out = np.zeros(4)
        self.reset()
        scalar = same_grid(level, shape=())
        return {
            "cues": EventsFormat(level.rate, (level.latency, level.latency + level.hop)),
            "thinness": scalar,
            "rise": scalar,
        }

    def reset(self) -> None:
        self._state[:] = 0.0
        self._state[REF_LOW : SLOW_ALL + 1] = (-140.0, -140.0, 0.0, 0.0, -140.0, -140.0)
        self._state[SILENT] = 1.0
        self._levels[:] = 0.0
        self._slow[:] = 0.0
        self._out[:] = 0.0
        self._place = self._key = 0

    def gap(self, start: int, length: int) -> None:
        """Keeps its state: what was lost says nothing about the piece."""

    def step(self, level: np.ndarray, flux: np.ndarray, thinness: np.ndarray, rise: np.ndarray) -> None:
        began = follow_structure(
            level,
            flux,
            self._levels,
            self._slow,
            self._place,
            self._frame_rate,
            self.hold,
            self._state,
            self._out,
        )
        self._place += 1
        thinness[...], rise[...] = self._out[2], self._out[3]
        if began != NONE:
            self.cues.emit(
                KINDS[began], self.time, key=self._key, confidence=round(float(self._out[0]), 3),
                began=round(float(self._out[1]) / self._frame_rate, 3),
            )  # fmt: skip
            self._key += 1

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the bands of an `Stft`."""
        from nodes.spectral.stft import Stft
        from nodes.structure.band_energy import BandEnergy

        graph.add("stft", Stft(hop=512)).add("bands", BandEnergy())
        graph.connect("input.audio", "stft").connect("stft.magnitude", "bands")
        return {"level": "bands.level", "flux": "bands.flux"}
