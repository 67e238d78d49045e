"""aubio's beat tracker."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.node import AudioFormat, EventsFormat, EventsOut, Param
from nodes.aubio.hop import AubioNode


class AubioTempo(AubioNode):
    """Beats by aubio: each is said when it is heard, none is foretold.

    Latency: a beat is said at the end of the hop that holds it: up to a hop after its time.

    Source: P. Brossier, Automatic annotation of musical audio for interactive applications, 2006, ch. 5;
    M. Davies and M. Plumbley 2004.
    """

    events = EventsOut("beats", kinds={"beat": "bpm, confidence (aubio's, 0 and up)"})

    silence = Param(-90.0, low=-120.0, high=0.0, unit="dB", help="quieter beats are dropped")
    threshold = Param(0.3, low=0.01, high=5.0, help="of the peak picker of its onset function")

    test_seconds = 8.0

    def prepare(self, audio: AudioFormat) -> EventsFormat:
        self.hops(audio)
        return EventsFormat(audio.rate, (audio.latency, audio.latency + self.hop))

    def make(self, aubio: Any) -> Any:
        tracker = aubio.tempo("default", self.window, self.hop, self.rate)
        tracker.set_silence(self.silence)
        tracker.set_threshold(self.threshold)
        return tracker

    def step(self, window: np.ndarray) -> None:
        if self.heard(window)[0]:
            time = self.time_of_last()
            bpm, sure = float(self._object.get_bpm()), float(self._object.get_confidence())
            self.events.emit("beat", time, key=self._key, bpm=round(bpm, 3), confidence=round(sure, 4))
            self._key += 1
