"""The parts of a score, taken out of the sound of the ensemble that plays it."""

from __future__ import annotations

import numpy as np

from engine.node import AudioFormat, AudioOut, EventsFormat
from nodes.separate.score_masked import ScoreMaskedNode


class ScoreSeparate(ScoreMaskedNode):
    """The parts of a score, each by itself, live, with a score follower upstream.

    Where the follower believes the ensemble to be, the notes of the score are looked for in the spectrum:
    each with the partials of a pitch that is refined in every frame, as loud as this part has been heard to
    play them (`nodes.separate.part_sounds`). The outputs are the score's parts in order; those beyond the
    sixth, and what no note explains, come out in `rest`. All add up to the delayed input; all channels get
    the same masks.

    Latency: window - gcd(hop, quantum) samples, as the outputs' format declares; with quanta of one hop 46 or
    93 ms altogether.

    Errors: a score that is missing or cannot be read is a fault of the preset, in one line.

    Sources: Duan and Pardo, IEEE J. Selected Topics in Signal Processing 5(6), 2011 (follower, refined pitch,
    harmonic masks); Ewert, Pardo, Mueller, Plumbley, IEEE Signal Processing Magazine 31(3), 2014.
    """

    one = AudioOut("the score's first part, float32 (channels, quantum)")
    two = AudioOut("its second part; silent if there is none")
    three = AudioOut("its third part")
    four = AudioOut("its fourth part")
    five = AudioOut("its fifth part")
    six = AudioOut("its sixth part")
    rest = AudioOut("the delayed input minus all these")

    def prepare(self, audio: AudioFormat, position: EventsFormat) -> dict[str, AudioFormat]:
        return self.listening(audio, self.score(), len(self.outputs) - 1)

    def deal(self, parts: np.ndarray, masks: np.ndarray) -> None:
        known = min(len(parts), len(masks))
        masks[:known] = parts[:known]
