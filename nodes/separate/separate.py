"""Drums, vocals, bass and the rest of a mix."""

from __future__ import annotations

import numpy as np

from engine.node import AudioFormat, AudioOut, Param
from nodes.separate.expectation import Expectation
from nodes.separate.masked import MODES, MaskedNode, framing_of
from nodes.separate.melody import Melody


class Separate(MaskedNode):
    """Drums, vocals, bass and rest of a mix, live, by soft masks; the four add up to the delayed input.

    Each bin is judged by how percussive it is (medians in time and frequency), how it repeats (online
    REPET-SIM over the last 10 s, settled after about 5 s) and how fresh it is (against the last half second);
    a small recurrent network that hears 64 bands says for each which stem to expect there and how much the
    three judgements count for it. It was learnt from music that the project composed or had accompanied,
    played and sang itself (`nodes/separate/gains.md`). Then the melody is followed in what is taken for
    voice, and the voice's mask leans to its harmonics (`nodes.separate.melody`). All channels get the same
    masks.

    Latency: window - gcd(hop, quantum) samples + look-ahead, as the outputs' format declares: with quanta of
    one hop at 44.1 kHz 11.6 ms (stage), 34.8 ms (studio) or 81.3 ms (quality), and the quantum itself on
    top: 23, 46, 93 ms.

    Sources: Fitzgerald, DAFx 2010; Rafii and Pardo, ICASSP 2013; Valin, MMSP 2018 (band gains);
    Driedger and Mueller, ICASSP 2015 (melody).
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
        self._expectation = Expectation(self.mode, audio.rate)
        stems = tuple(self.outputs)[:-1]
        self._melody = Melody(window, audio.rate, stems.index("vocals"), [False] * len(stems))
        return formats

    def reset(self) -> None:
        super().reset()
        self._expectation.reset()
        self._melody.reset()

    def mask(self, power: np.ndarray, masks: np.ndarray) -> None:
        self._expectation.step(power, masks)
        self._melody.step(self._expectation.magnitude, masks)

    @classmethod
    def test_params(cls) -> list[dict[str, object]]:
        """For the conformance kit: without and with look-ahead."""
        return [{"mode": "stage"}, {"mode": "quality"}]
