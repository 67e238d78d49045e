"""A node that says what a beat tracker says, whatever it hears; and an output that is broken."""

from __future__ import annotations

from engine.node import AudioIn, EventsFormat, EventsOut, FramesOut, HopNode, Param
from engine.sink import Sink


class Metronome(HopNode):
    """Beats at 120 BPM, foretold 300 ms ahead, four to the bar, and frames of several shapes."""

    audio = AudioIn("audio")
    beats = EventsOut("beats", kinds={"beat": "bpm, confidence, beat, bar, meter", "state": "state"})
    phase = FramesOut("place in the beat, shape (), 0 to 1")
    chroma = FramesOut("a pitch class a second, shape (12,)")
    magnitude = FramesOut("a line that rises, shape (257,)")

    bpm = Param(120.0, low=30.0, high=240.0, unit="BPM", live=True, help="what it says the tempo is")
    octave = Param("heard", choices=("heard", "half", "double"), live=True, help="level of the beat")
    lock = Param(False, live=True, help="keep the tempo")
    title = Param("", live=True, help="any text")
    window = Param(512, low=64, high=4096, unit="samples", help="cannot change while it runs")

    def prepare(self, audio):
        self._period = audio.rate // 2
        frames = self.framing(audio, self.window, 512)
        self._fresh()
        bins = tuple(k * audio.rate / 512 for k in range(257))
        return {
            "beats": EventsFormat(audio.rate, (-round(0.3 * audio.rate), 0)),
            "phase": frames,
            "chroma": self.framing(audio, self.window, 512, (12,), labels=tuple("CDEFGABcdefg")),
            "magnitude": self.framing(audio, self.window, 512, (257,), labels=bins),
        }

    def _fresh(self):
        self._said = 0

    def reset(self):
        super().reset()
        self._fresh()

    def process(self):
        super().process()
        ahead = round(0.3 * self.rate)
        number = (self.clock.stop + ahead) // self._period
        if number > self._said:
            self._said = number
            if number == 1:
                self.beats.emit("state", self.clock.stop, key=1, state="tracking")
            self.beats.emit(
                "beat", number * self._period, key=number, bpm=self.bpm, confidence=0.75,
                beat=(number - 1) % 4 + 1, bar=(number - 1) // 4 + 1, meter=4,
            )  # fmt: skip

    def step(self, window, phase, chroma, magnitude):
        at = self.clock.start
        phase[...] = (at % self._period) / self._period
        chroma[:] = 0.01
        chroma[at // self.rate % 12] = 1.0
        magnitude[:] = 1e-4
        magnitude[4 + at // 2000 % 200] = 1.0


class Deaf(Sink):
    """Cannot be opened."""

    def open(self, wires):
        raise OSError("nobody answers")
