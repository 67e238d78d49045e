"""Energy and onsets in a low, a middle and a high band."""

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
from nodes.spectral.bins import bin_frequencies, full_scale
from nodes.structure.band_kernels import follow_bands, pick_onset

BANDS = ("low", "mid", "high")
CEILING_FALLS, FLOOR_RISES = 0.25, 1.0  # dB a second
MEMORY = 0.4  # seconds of the onsets' running mean
PAUSE = 0.07  # seconds between two onsets of a band, at least
HOLD = 0.15  # seconds a new energy step must last
SLOW = 0.7  # seconds, time constant of what the steps look at


class BandEnergy(FrameNode):
    """How much goes on in the low, the middle and the high band, and what begins there.

    Level: y += a (x - y) of the band's amplitude x with a = 1 - exp(-1 / (tau * frame rate)), tau the attack
    where x > y, else the release. `relative` is the level between the band's own floor and ceiling, which
    follow the music within seconds, so it is 0 to 1 whatever the gain of the desk.

    An onset is a frame whose rise in the logarithm of the spectrum exceeds `factor` times its mean over the
    last 0.4 s plus `least`; it must let go (half the threshold) before the next, 70 ms apart. An event
    `energy` tells in which fifth of its range a band is, on average over 0.7 s; it steps only when that has
    been a third of a step beyond the border for 0.15 s.

    Latency: none of its own; onsets come with the frame that rises, `energy` about a second later.

    Sources: Zoelzer, DAFX, 2nd ed., sec. 4.2 (level detection); Boeck, Krebs and Schedl, ISMIR 2012 (causal
    picking of spectral flux).
    """

    magnitude = FramesIn("magnitude spectrum, shape (bins,)")
    level = FramesOut("envelope of each band in dBFS, shape (3,)")
    relative = FramesOut("the same between the band's floor and ceiling, 0 to 1, shape (3,)")
    flux = FramesOut("mean rise of the log spectrum in each band, shape (3,), >= 0")
    events = EventsOut(
        "onsets and steps of energy",
        kinds={
            "onset": "band (low, mid, high), strength (flux over threshold, > 1), confidence (0..1)",
            "low_onset": "as onset, of the low band", "mid_onset": "of the middle",
            "high_onset": "of the high",
            "energy": "band, value (0, 0.25, 0.5, 0.75, 1), level (dBFS)",
        },
    )  # fmt: skip

    low_edge = Param(120.0, low=40.0, high=1000.0, unit="Hz", help="where the low band ends")
    high_edge = Param(2500.0, low=500.0, high=12000.0, unit="Hz", help="where the high band begins")
    attack_ms = Param(5.0, low=0.0, high=2000.0, unit="ms", live=True, help="of the envelope")
    release_ms = Param(180.0, low=0.0, high=10000.0, unit="ms", live=True, help="of the envelope")
    factor = Param(2.0, low=1.0, high=20.0, live=True, help="an onset rises so many times more than usual")
    least = Param(0.35, low=0.0, high=10.0, live=True, help="and by so much more (mean nepers a bin)")

    def prepare(self, magnitude: FramesFormat) -> dict[str, FramesFormat | EventsFormat]:
        frequencies = bin_frequencies(magnitude)
        if self.low_edge >= self.high_edge:
            raise ValueError(
                f"low_edge = {self.low_edge:g} Hz is not below high_edge = {self.high_edge:g} Hz"
            )
        edges = np.searchsorted(frequencies, [self.low_edge, self.high_edge])
        self._edges = np.array([1, max(2, edges[0]), edges[1], len(frequencies)], np.int64)
        if (np.diff(self._edges) < 1).any():
            raise ValueError("a band holds no bin: lengthen the window or move the edges")
        self._frame_rate = magnitude.frame_rate
        # A sine of amplitude 1 has power 1/2; the Hann window spreads it over three bins.
        self._scale = float(full_scale(frequencies)) ** 2 / 3.0
        self._coefficients = np.zeros(4)
        self._state = np.zeros((3, 3))
        self._before = np.zeros(len(frequencies))
        self._past = np.zeros((3, max(4, round(MEMORY * self._frame_rate))))
        self._strength = np.zeros(1)
        self._counts = np.zeros((3, 3), np.int64)
        self._pause = max(1, round(PAUSE * self._frame_rate))
        self._pace = 1.0 - float(np.exp(-1.0 / (SLOW * self._frame_rate)))
        self._hold = max(1, round(HOLD * self._frame_rate))
        self.changed("")
        self.reset()
        bands = same_grid(magnitude, shape=(3,), labels=BANDS)
        events = EventsFormat(
            magnitude.rate, (magnitude.latency, magnitude.latency + self._hold * magnitude.hop)
        )
        return {
            "level": same_grid(bands, labels=BANDS, unit="dBFS"),
            "relative": bands,
            "flux": bands,
            "events": events,
        }

    def changed(self, name: str) -> None:
        for k, ms in enumerate((self.attack_ms, self.release_ms)):
            self._coefficients[k] = 1.0 - np.exp(-1000.0 / (ms * self._frame_rate)) if ms > 0 else 1.0
        self._coefficients[2] = CEILING_FALLS / self._frame_rate
        self._coefficients[3] = FLOOR_RISES / self._frame_rate

    def reset(self) -> None:
        self._state[0], self._state[1], self._state[2] = 0.0, -90.0, -90.0
        self._before[:] = 0.0
        self._past[:] = 10.0  # nothing is an onset until there is a past to rise from
        self._counts[:] = 0
        self._steps, self._beyond, self._slow = [0, 0, 0], [0, 0, 0], [0.0, 0.0, 0.0]
        self._keys = [0, 0, 0]
        self._number = 0

    def step(self, magnitude: np.ndarray, level: np.ndarray, relative: np.ndarray, flux: np.ndarray) -> None:
        follow_bands(
            magnitude, self._edges, self._scale, self._coefficients, self._state, self._before,
            level, relative, flux,
        )  # fmt: skip
        for band in range(3):
            if pick_onset(
                flux[band], self.factor, self.least, self._past[band], self._strength, self._counts[band]
            ):
                self._counts[band, 1] = self._pause
                self._say_onset(band)
            self._follow_step(band, float(relative[band]), float(level[band]))

    def _say_onset(self, band: int) -> None:
        strength = float(self._strength[0])
        for kind in ("onset", f"{BANDS[band]}_onset"):
            self.events.emit(
                kind, self.time, key=self._number, band=BANDS[band], strength=round(strength, 3),
                confidence=round(1.0 - 1.0 / strength, 3),
            )  # fmt: skip
        self._number += 1

    def _follow_step(self, band: int, relative: float, level: float) -> None:
        """Steps 0 to 4 of the range, with a third of a step of hysteresis."""
        self._slow[band] += self._pace * (relative - self._slow[band])
        place = 4.0 * self._slow[band]
        if abs(place - self._steps[band]) < 0.5 + 1 / 3:
            self._beyond[band] = 0
            return
        self._beyond[band] += 1
        if self._beyond[band] >= self._hold:
            self._beyond[band] = 0
            self._steps[band] = round(place)
            self.events.emit(
                "energy", self.time, key=3 * self._keys[band] + band, band=BANDS[band],
                value=self._steps[band] / 4, level=round(level, 1),
            )  # fmt: skip
            self._keys[band] += 1

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the magnitude of an `Stft`."""
        from nodes.spectral.stft import Stft

        graph.add("stft", Stft(hop=512)).connect("input.audio", "stft")
        return {"magnitude": "stft.magnitude"}
