"""The input, played live with the sounds of a recording."""

from __future__ import annotations

import os
import tempfile
from math import gcd
from pathlib import Path

import numpy as np
import soundfile

from engine.errors import FollowspotError
from engine.node import AudioFormat, AudioIn, AudioOut, HopNode, Param
from nodes.mosaic.mosaic_kernels import add_frames, causal_activations, remember
from nodes.mosaic.source import framing_at, load_source
from nodes.separate.masked_kernels import add_power
from nodes.separate.nmf_kernels import pool
from nodes.separate.pooling import pooling_edges
from nodes.spectral.fft import RealFft
from nodes.spectral.istft_kernels import take_out
from nodes.spectral.tapers import taper

LONGEST = 30.0  # seconds of the source that are used: they bound what a hop costs
REACH = 10  # frames of the past that are kept


class Mosaic(HopNode):
    """The input resynthesised from frames of a source recording: diagonal NMF ("Let it Bee"), causal.

    Every 23 ms the newest frame of the input is explained by frames of the source, in a fixed number of
    multiplicative updates for the KL divergence. A frame that sounded within the last `repetition` frames
    more strongly is weakened, so that none stutters; at most `polyphony` frames sound at a time; a frame is
    preferred if those before it in the source have sounded in the last `continuity` frames, so that the
    source is played on for a while and recognised. The source's samples sound as they are, weighted and
    overlapped, in the source's channels. The first 30 s of the source are used.

    Latency: window - gcd(hop, quantum) samples, as the output's format declares: with quanta of 512 at
    44.1 kHz 34.8 ms (window 2048, hop 1024), and the quantum itself on top: 46 ms.

    Errors: a source that is missing, silent or shorter than a tenth of a second is refused.

    Source: Driedger, Praetzlich and Mueller, ISMIR 2015, sec. 3; made causal here.
    """

    audio = AudioIn("what is to be played, float32 (channels, quantum)")
    mosaic = AudioOut("the source's sounds, float32 (channels of the source, quantum)")

    source = Param("", help="sound file whose sounds are used")
    polyphony = Param(
        10, low=1, high=50, live=True, help="frames of the source that sound at a time, at most"
    )
    repetition = Param(3, low=0, high=REACH, live=True, help="frames within which a frame is not repeated")
    continuity = Param(3, low=0, high=REACH, live=True, help="frames of the past that speak for playing on")
    iterations = Param(10, low=1, high=50, help="updates a frame")

    test_seconds = 1.5
    test_skips = {
        "centred": "a click is played by whole frames of the source; the delay is shown by a mosaic of itself"
    }

    def prepare(self, audio: AudioFormat) -> AudioFormat:
        if not self.source:
            raise ValueError("needs a source: set source to a sound file")
        window, hop = framing_at(audio.rate)
        self.framing(audio, window, hop)
        try:
            source = load_source(self.source, audio.rate, LONGEST)
        except FollowspotError as error:
            raise ValueError(str(error)) from None
        channels, frames = len(source.samples), source.magnitudes.shape[1]
        self._samples = source.samples
        self._edges = pooling_edges(window, audio.rate)
        self._templates = np.ascontiguousarray(np.add.reduceat(source.magnitudes, self._edges[:-1], axis=0))
        self._loudness = self._templates.sum(axis=0)
        self._fft = RealFft(window)
        self._taper = taper("hann", window)
        self._weight = self._taper**2
        self._scale = 1.0 / self._weight.reshape(-1, hop).sum(axis=0)
        self._delay = window - gcd(hop, self.quantum)
        self._spectrum = np.zeros(self._fft.bins, np.complex64)
        self._magnitude = np.zeros(self._fft.bins, np.float32)
        self._power = np.zeros(self._fft.bins, np.float32)
        self._frame = np.zeros(len(self._edges) - 1, np.float32)
        self._past = np.zeros((REACH, frames), np.float32)
        self._activations = np.zeros(frames, np.float32)
        self._gradient = np.zeros(frames, np.float32)
        self._chosen = np.zeros(frames, np.uint8)
        self._line = np.zeros((channels, self.quantum + window), np.float32)
        return AudioFormat(audio.rate, channels, audio.latency + self._delay)

    def reset(self) -> None:
        super().reset()
        self._past[:] = 0.0
        self._line[:] = 0.0

    def process(self) -> None:
        super().process()
        take_out(self._line, self._scale, (self.clock.start - self._delay) % self._hop, self.mosaic)

    def step(self, window: np.ndarray) -> None:
        self._power[:] = 0.0
        for channel in range(len(window)):
            self._fft.forward(window[channel], self._taper, self._spectrum, self._magnitude)
            add_power(self._magnitude, 1.0 / len(window), self._power)
        np.sqrt(self._power, out=self._power)
        pool(self._power, self._edges, self._frame)
        causal_activations(
            self._templates,
            self._loudness,
            self._frame,
            self._past,
            self.repetition,
            self.polyphony,
            self.continuity,
            self.iterations,
            self._gradient,
            self._chosen,
            self._activations,
        )
        remember(self._past, self._activations)
        at = (self._index + 1) * self._hop - self._window - (self.clock.start - self._delay)
        add_frames(self._samples, self._activations, self._weight, self._hop, at, self._line)

    @classmethod
    def test_params(cls) -> list[dict[str, object]]:
        """For the conformance kit: a made-up source of tones in stereo, at another rate."""
        t = np.arange(48000) / 48000
        tones = [np.sin(2 * np.pi * (200.0 + 900.0 * t) * t), np.sin(2 * np.pi * 1500.0 * t)]
        path = Path(tempfile.gettempdir()) / f"followspot-source-{os.getpid()}.wav"
        soundfile.write(path, 0.3 * np.stack(tones, axis=1), 48000, "FLOAT")
        return [{"source": str(path)}]
