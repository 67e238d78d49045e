"""Parts of a mix by the templates of a sound check."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from engine.errors import FollowspotError
from engine.node import AudioFormat, AudioOut, Param
from nodes.separate.expectation import Expectation
from nodes.separate.kit import VOICE, Kit, learn, stem_of
from nodes.separate.masked import MaskedNode, framing_of
from nodes.separate.melody import Melody
from nodes.separate.nmf_kernels import activate, part_masks, pool
from nodes.separate.pooling import pooling_edges


class SoundCheck(MaskedNode):
    """Parts of a mix, live, by templates learnt from each part alone: non-negative matrix factorisation.

    A kit (`followspot sound-check`, or `nodes.separate.kit.learn`) holds the spectral templates of two to
    four parts. Each frame of the mix is explained by them (multiplicative updates for the KL divergence, a
    fixed number); a part gets its share of the model (to the power 1.5). Where some parts are struck and
    others are not, what medians in time and frequency say about each bin tips the scale, and so does what
    the network of `separate` expects of drums, vocals, bass and rest, by the parts' names. In the first part
    that a name tells to be a voice the melody is followed, and its share leans to the harmonics, as in
    `separate`; a pitch says nothing about what is struck, whose share stays. The outputs are the kit's parts
    in order; the last part, and what no part explains, is `rest`; outputs beyond the kit's parts are silent.

    Latency: window - gcd(hop, quantum) samples, as declared; the kit's mode (23 or 46 ms) includes a quantum
    of one hop.

    Errors: a kit that is missing, damaged or has more than four parts is refused.

    Sources: Lee and Seung, Nature 401, 1999; Dittmar and Gaertner, DAFx 2014; Driedger and Mueller, ICASSP
    2015 (melody).
    """

    one = AudioOut("the kit's first part, float32 (channels, quantum)")
    two = AudioOut("the second, silent if it is the last (channels, quantum)")
    three = AudioOut("the third, silent if there is none or it is the last")
    rest = AudioOut("the last part: the delayed input minus the others")

    kit = Param("", help="file of the kit")
    iterations = Param(12, low=1, high=50, help="updates a frame")
    lean = Param(0.5, low=0.0, high=2.0, live=True, help="how much weight the medians have; 0: none")

    def prepare(self, audio: AudioFormat) -> dict[str, AudioFormat]:
        if not self.kit:
            raise ValueError("needs a kit: make one with `followspot sound-check` and set kit")
        kit = Kit.load(self.kit)
        if not 2 <= len(kit.parts) <= len(self.outputs):
            raise FollowspotError(f"kit {self.kit}: has {len(kit.parts)} parts; two to four can be put out")
        window, hop, look_ahead = framing_of(kit.mode, audio.rate)
        formats = self.cutting(audio, window, hop, look_ahead)
        templates = kit.templates_at(audio.rate)
        self._starts = np.cumsum([0, *(part.shape[1] for part in templates)]).astype(np.int64)
        self._templates = np.ascontiguousarray(np.concatenate(templates, axis=1))
        self._edges = pooling_edges(window, audio.rate)
        pooled = np.add.reduceat(self._templates, self._edges[:-1], axis=0)
        scale = pooled.sum(axis=0) + 1e-12
        self._pooled = np.ascontiguousarray(pooled / scale, np.float32)
        self._templates = np.ascontiguousarray(self._templates / scale, np.float32)
        struck = [part.struck for part in kit.parts]
        mixed = any(struck) and not all(struck)
        self._strokes = np.array([(1 if s else -1) if mixed else 0 for s in struck], np.float32)
        self._frame = np.zeros(len(self._edges) - 1, np.float32)
        self._activations = np.zeros(self._starts[-1], np.float32)
        self._gradient = np.zeros(self._starts[-1], np.float32)
        self._played = np.array([stem_of(part) for part in kit.parts])
        voices = np.flatnonzero(self._played == VOICE)
        self._melody = Melody(window, audio.rate, int(voices[0]), struck) if len(voices) else None
        self._shares = np.zeros((len(kit.parts), window // 2 + 1), np.float32)
        self._expected = np.zeros((3, window // 2 + 1), np.float32)
        self._expectation = Expectation(kit.mode, audio.rate)
        return formats

    def reset(self) -> None:
        super().reset()
        self._expectation.reset()
        if self._melody is not None:
            self._melody.reset()

    def mask(self, power: np.ndarray, masks: np.ndarray) -> None:
        self._expectation.step(power, self._expected)
        np.sqrt(power, out=power)
        pool(power, self._edges, self._frame)
        activate(self._pooled, self._frame, self._activations, self._gradient, self.iterations)
        part_masks(
            self._templates,
            self._activations,
            self._starts,
            self._strokes,
            self._played,
            self.lean,
            self._expectation.percussive,
            self._expected,
            self._shares,
        )
        if self._melody is not None:
            self._melody.step(power, self._shares)
        masks[: len(self._shares) - 1] = self._shares[:-1]

    test_seconds = 1.5

    @classmethod
    def test_params(cls) -> list[dict[str, object]]:
        """For the conformance kit: a kit of a made-up snare, two tones, one of them a voice, and a chord."""
        t = np.arange(22050) / 44100
        snare = np.random.default_rng(0).standard_normal(len(t)) * np.exp(-t / 0.05)
        chord = sum(np.sin(2 * np.pi * f * t) for f in (220.0, 277.2, 329.6, 660.0))
        path = Path(tempfile.gettempdir()) / f"followspot-kit-{os.getpid()}.npz"
        low, high = (np.sin(2 * np.pi * f * t) for f in (110.0, 440.0))
        takes = {"snare": snare, "low": low, "voice": high, "chord": chord}
        learn(takes, 44100, "stage").save(path)
        return [{"kit": str(path)}]
