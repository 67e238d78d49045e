"""Level meter."""

from __future__ import annotations

import numpy as np

from engine.node import AudioFormat, AudioIn, FramesFormat, FramesOut, HopNode, Param
from nodes.spectral.level_kernels import levels


class Level(HopNode):
    """Loudness of a sliding window, over all channels.

    rms = 10 log10(mean of x^2), peak = 20 log10(max |x|), both in dB against full scale (a square wave of
    amplitude 1 is at 0 dB RMS, a sine of amplitude 1 at -3 dB), never below -140 dB.

    Latency: half a window (a frame's time is the centre of its window).
    """

    audio = AudioIn("audio, float32 (channels, quantum)")
    rms = FramesOut("root mean square, dBFS, shape (), -140 to about 0")
    peak = FramesOut("largest absolute value, dBFS, shape (), -140 to about 0")

    window = Param(2048, low=16, high=65536, unit="samples", help="length of the window")
    hop = Param(
        512, low=16, high=65536, unit="samples", help="from one frame to the next, at most the window"
    )

    def prepare(self, audio: AudioFormat) -> dict[str, FramesFormat]:
        format = self.framing(audio, self.window, self.hop, (), unit="dBFS")
        return {"rms": format, "peak": format}

    def step(self, window: np.ndarray, rms: np.ndarray, peak: np.ndarray) -> None:
        rms[...], peak[...] = levels(window)
