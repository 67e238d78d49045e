"""What the network expects of drums, vocals and bass in every bin, frame by frame."""

from __future__ import annotations

from nodes.separate.bands import Array, spreading
from nodes.separate.evidence import Evidence
from nodes.separate.fusion_kernels import answer_masks
from nodes.separate.gains import BandGains, gain_weights
from nodes.separate.masked import framing_of


class Expectation:
    """`step(power, masks)` fills the masks (3, bins) of drums, vocals and bass.

    They are of the newest frame, or of the one that lies as far before as the mode looks ahead; `magnitude`
    and `percussive` (bins,) are those of the same frame, see `nodes.separate.evidence`.
    """

    def __init__(self, mode: str, rate: int) -> None:
        window, hop, look_ahead = framing_of(mode, rate)
        self._evidence = Evidence(window, hop, rate, look_ahead)
        self._gains = BandGains(gain_weights(mode), rate / hop)
        self._lower, self._share = spreading(window, rate)
        self.magnitude, self.percussive = self._evidence.magnitude, self._evidence.percussive

    def reset(self) -> None:
        """As before the first frame."""
        self._evidence.reset()
        self._gains.reset()

    def step(self, power: Array, masks: Array) -> None:
        """The newest power spectrum (bins,) in, masks (3, bins) out."""
        evidence = self._evidence
        evidence.step(power)
        answers = self._gains.step(evidence.bands)
        answer_masks(
            answers, self._lower, self._share, evidence.percussive, evidence.repeats, evidence.fresh, masks
        )
