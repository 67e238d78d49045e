"""aubio's pitch tracker."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.node import AudioFormat, FramesFormat, FramesOut, Param
from nodes.aubio.hop import AubioNode

METHODS = ("yinfft", "yin", "yinfast", "mcomb", "fcomb", "schmitt")


class AubioPitch(AubioNode):
    """Fundamental frequency of a monophonic sound by aubio.

    Latency: half a window (a frame's time is the centre of aubio's window).

    Source: P. Brossier, Automatic annotation of musical audio for interactive applications, 2006, ch. 3.
    """

    pitch = FramesOut("fundamental frequency, Hz, shape (), 0 where none was found")
    confidence = FramesOut("confidence, shape (), 0 to 1")

    window = Param(2048, low=64, high=8192, unit="samples", help="aubio's buffer size, at least the hop")
    method = Param("yinfft", choices=METHODS, help="aubio's pitch method")
    silence = Param(-60.0, low=-120.0, high=0.0, unit="dB", help="quieter hops have no pitch")

    def prepare(self, audio: AudioFormat) -> dict[str, FramesFormat]:
        return {"pitch": self.hops(audio, unit="Hz"), "confidence": self.hops(audio)}

    def make(self, aubio: Any) -> Any:
        tracker = aubio.pitch(self.method, self.window, self.hop, self.rate)
        tracker.set_unit("Hz")
        tracker.set_silence(self.silence)
        return tracker

    def step(self, window: np.ndarray, pitch: np.ndarray, confidence: np.ndarray) -> None:
        value = float(self.heard(window)[0])
        sure = self._object.get_confidence()
        pitch[...] = value if np.isfinite(value) else 0.0
        confidence[...] = min(1.0, max(0.0, sure)) if np.isfinite(sure) else 0.0
