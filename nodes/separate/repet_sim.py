"""Voice over a repeating background."""

from __future__ import annotations

import numpy as np

from engine.node import AudioFormat, AudioOut, Param
from nodes.separate.masked import MaskedNode, framing_of
from nodes.separate.repet import Repetition
from nodes.separate.repet_kernels import new_share


class RepetSim(MaskedNode):
    """What is new in a mix, mostly the voice, and what repeats: online REPET-SIM.

    Each frame is compared with those of the last 10 s; the background is the median of the 13 most like it,
    at most the frame itself, and the voice is the rest of each bin above `low`. Needs no training. It takes
    about 5 s to settle, and what never comes back is taken for voice. The two add up to the delayed input.

    Latency: window - gcd(hop, quantum) samples, as declared: with quanta of one hop at 44.1 kHz 11.6 ms
    (stage) or 34.8 ms (studio), and the quantum itself on top: 23 or 46 ms.

    Source: Rafii and Pardo, "Online REPET-SIM for real-time speech enhancement", ICASSP 2013.
    """

    voice = AudioOut("what is new, float32 (channels, quantum)")
    background = AudioOut("what repeats: the delayed input minus the voice, float32 (channels, quantum)")

    mode = Param("studio", choices=("stage", "studio"), help="23 or 46 ms from sound to stem")
    low = Param(100.0, low=0.0, high=1000.0, unit="Hz", help="below, all is background")

    test_seconds = 2.0

    def prepare(self, audio: AudioFormat) -> dict[str, AudioFormat]:
        window, hop, look_ahead = framing_of(self.mode, audio.rate)
        self._repetition = Repetition(window, hop, audio.rate)
        self._magnitudes = np.zeros(window // 2 + 1, np.float32)
        self._first = int(np.ceil(self.low * window / audio.rate))
        return self.cutting(audio, window, hop, look_ahead)

    def reset(self) -> None:
        super().reset()
        self._repetition.reset()

    def mask(self, power: np.ndarray, masks: np.ndarray) -> None:
        np.sqrt(power, out=self._magnitudes)
        new_share(self._magnitudes, self._repetition.step(self._magnitudes), self._first, masks[0])
