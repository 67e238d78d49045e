"""aubio's onset detector."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.node import AudioFormat, EventsFormat, EventsOut, Param
from nodes.aubio.hop import AubioNode

METHODS = ("default", "hfc", "complex", "specflux", "energy", "phase", "kl", "mkl", "specdiff", "wphase")


class AubioOnset(AubioNode):
    """Onsets by aubio.

    Latency: aubio dates an onset back by its own delay (4.3 hops by default); it is said at the end of
    the hop that decided it, between nothing and that delay plus two hops after its time.

    Source: P. Brossier, Automatic annotation of musical audio for interactive applications, 2006, ch. 2.
    """

    events = EventsOut("onsets", kinds={"onset": "strength (aubio's detection function)"})

    window = Param(1024, low=64, high=8192, unit="samples", help="aubio's buffer size, at least the hop")
    hop = Param(256, low=32, high=4096, unit="samples", help="aubio's hop size")
    method = Param("default", choices=METHODS, help="aubio's onset method")
    threshold = Param(0.3, low=0.01, high=5.0, help="of the peak picker; lower finds more")
    silence = Param(-70.0, low=-120.0, high=0.0, unit="dB", help="quieter onsets are dropped")
    shortest = Param(50.0, low=0.0, high=2000.0, unit="ms", help="least time between two onsets")

    def prepare(self, audio: AudioFormat) -> EventsFormat:
        self.hops(audio)
        longest = self._object.get_delay() + 2 * self.hop + audio.latency
        return EventsFormat(audio.rate, (audio.latency, longest))

    def make(self, aubio: Any) -> Any:
        detector = aubio.onset(self.method, self.window, self.hop, self.rate)
        detector.set_threshold(self.threshold)
        detector.set_silence(self.silence)
        detector.set_minioi_ms(self.shortest)
        return detector

    def step(self, window: np.ndarray) -> None:
        if self.heard(window)[0]:
            time = self.time_of_last()
            strength = float(self._object.get_descriptor())
            self.events.emit("onset", time, key=self._key, strength=round(strength, 4))
            self._key += 1
