"""Drums, vocals, bass and the rest of a mix."""

from __future__ import annotations

import numpy as np

from engine.node import AudioFormat, AudioOut, Param
from nodes.separate.evidence import Evidence
from nodes.separate.fusion_kernels import rule_masks
from nodes.separate.masked import MODES, MaskedNode, framing_of


class Separate(MaskedNode):
    """Drums, vocals, bass and rest of a mix, live, by soft masks; the four add up to the delayed input.

    Each bin is judged by how percussive it is (medians in time and frequency), whether it repeats (online
    REPET-SIM over the last 10 s, settled after about 5 s) and where it lies.

    Latency: window - gcd(hop, quantum) samples + look-ahead, as the outputs' format declares: with quanta of
    one hop at 44.1 kHz 11.6 ms (stage), 34.8 ms (studio) or 81.3 ms (quality), and the quantum itself on
    top: 23, 46, 93 ms.

    Sources: Fitzgerald, DAFx 2010; Rafii and Pardo, ICASSP 2013.
    """

    drums = AudioOut("drums, float32 (channels, quantum)")
    vocals = AudioOut("voices, float32 (channels, quantum)")
    bass = AudioOut("bass, float32 (channels, quantum)")
    rest = AudioOut("the delayed input minus the others, float32 (channels, quantum)")

    mode = Param("studio", choices=tuple(MODES), help="23, 46 or 93 ms from sound to stem")

    test_seconds = 1.5

    def prepare(self, audio: AudioFormat) -> dict[str, AudioFormat]:
        window, hop, look_ahead = framing_of(self.mode, audio.rate)
        formats = self.cutting(audio, window, hop, look_ahead)
        self._evidence = Evidence(window, hop, audio.rate, look_ahead)
        self._frequencies = (np.arange(window // 2 + 1) * audio.rate / window).astype(np.float32)
        return formats

    def reset(self) -> None:
        super().reset()
        self._evidence.reset()

    def mask(self, power: np.ndarray, masks: np.ndarray) -> None:
        self._evidence.step(power)
        rule_masks(self._evidence.percussive, self._evidence.repeats, self._frequencies, masks)

    @classmethod
    def test_params(cls) -> list[dict[str, object]]:
        """For the conformance kit: without and with look-ahead."""
        return [{"mode": "stage"}, {"mode": "quality"}]
