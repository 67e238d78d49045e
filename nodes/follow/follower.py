"""The score follower: live audio in, position in a score or recording out."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import FollowspotError
from engine.node import AudioFormat, AudioIn, EventsFormat, EventsOut, HopNode, Param
from nodes.follow.bands import HOP, LONG, Bands, Ear, mix_down
from nodes.follow.position import POSITION, position_values
from nodes.follow.reference import load_reference
from nodes.follow.tracker import Tracker


class ScoreFollower(HopNode):
    """Says where in a score (or in another recording of the piece) the performer is, every hop.

    A forward filter over position and tempo weighs, frame by frame, which notes start and which sound; the
    position is where the performer is *now*, extrapolated past the delay of the analysis. A coarse search
    over the whole reference finds skips, repeats and starts in the middle. Chroma is not folded: octaves
    count.

    Latency: none declared; an onset is heard about 30 ms after it sounds, and the position at the moment
    of an onset is a prediction from what came before.
    Cost: about 0.2 ms per frame of 512 samples; memory 0.6 kB per note onset.
    References: Whiteley, Cemgil, Godsill, ISMIR 2006 (bar pointer); Nakamura et al. 2014 (outer-product
    jumps); Dixon, DAFx 2005 (onset features for following).
    """

    audio = AudioIn("the performance; channels are averaged")
    position = EventsOut("where the performer is, every 512 samples", kinds=POSITION)
    reference = Param(
        "", help="score (.mid .musicxml .mxl .mei) or recording to follow; a path, or recordings: A.wav|B.wav"
    )
    tuning = Param(0.0, low=-100.0, high=100.0, unit="cents", help="of the performance against A4 = 440 Hz")
    test_seconds = 4.0

    def prepare(self, audio: AudioFormat) -> EventsFormat:
        if not self.reference:
            raise ValueError("no reference given: set reference to a score or a recording")
        self.framing(audio, LONG, HOP)
        bands = Bands(audio.rate, self.tuning / 100.0)
        try:
            self._reference = load_reference(self.reference, bands)
        except FollowspotError as error:
            raise ValueError(str(error)) from None
        self._ear = Ear(bands)
        self._tracker = Tracker(self._reference, audio.rate)
        self._mono = np.zeros(LONG, np.float32)
        return EventsFormat(rate=audio.rate, latency=(0, self.quantum))

    def reset(self) -> None:
        super().reset()
        self._ear.reset()
        self._tracker.reset()

    def gap(self, start: int, length: int) -> None:
        """The place is kept over a gap; only the ear starts afresh."""
        stop = start + length
        self._rewind()
        self._index = stop // HOP
        self._due = self._end + HOP - stop % HOP
        self._ear.reset()
        self._tracker.pass_over(length / self.rate)

    def step(self, window: np.ndarray[Any, Any]) -> None:
        mix_down(window, self._mono)
        ear, tracker = self._ear, self._tracker
        ear.step(self._mono)
        tracker.step(ear.flux, ear.pitches, ear.power, ear.level)
        values = position_values(self._reference.score, tracker)
        self.position.emit("position", (self._index + 1) * HOP, key=self._index, **values)

    def predict(self, seconds: float) -> int | None:
        """Input sample at which the performer will be at `seconds` of the reference; None if not playing."""
        tracker = self._tracker
        if tracker.state != "tracking" or tracker.tempo <= 0.0:
            return None
        return round(self._index * HOP + tracker.until(seconds) * self.rate)

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """A small made-up score, written beside the temporary files of the machine."""
        from nodes.follow.made_up import made_up_score

        return [{"reference": str(made_up_score())}]
