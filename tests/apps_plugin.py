"""Nodes for the tests of the command line; a plug-in file like anyone's."""

from __future__ import annotations

from engine.node import AudioIn, EventsFormat, EventsOut, Node, Param


class Ticker(Node):
    """A beat at a steady tempo, said a quarter of a second ahead, whatever the music does.

    Latency: none; it foretells.
    """

    audio = AudioIn("any audio")
    beats = EventsOut("steady beats", kinds={"beat": "bpm, confidence"})
    test_skips = {"speaks": "it does not listen"}
    tempo = Param(120.0, low=30.0, high=300.0, unit="BPM", live=True, help="beats a minute")

    def prepare(self, audio):
        self._ahead = audio.rate // 4
        return EventsFormat(audio.rate, (-self._ahead, 0))

    def process(self):
        period = round(60 / self.tempo * self.rate)
        first = -(-(self.clock.start + self._ahead) // period)
        last = (self.clock.stop + self._ahead - 1) // period
        for key in range(max(1, first), last + 1):
            self.beats.emit("beat", key * period, key=key, bpm=self.tempo, confidence=0.5)


class Brittle(Node):
    """Fails after a second. Latency: none."""

    audio = AudioIn("any audio")
    beats = EventsOut("none", kinds={"beat": "never said"})

    def prepare(self, audio):
        return EventsFormat(audio.rate)

    def process(self):
        if self.clock.start > self.rate:
            raise RuntimeError("the spring broke")
