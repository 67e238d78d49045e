"""The score follower for keyboards: MIDI notes in, position in a score out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.errors import FollowspotError
from engine.node import AudioFormat, AudioIn, EventsFormat, EventsOut, Node, Param
from nodes.follow.bands import HOP
from nodes.follow.position import POSITION, position_values
from nodes.follow.score import load_score
from nodes.follow.symbolic import SymbolicTracker


class MidiFollower(Node):
    """Says where in a score the player of a MIDI keyboard is, every 512 samples.

    Notes come from a MIDI file (each at its own time) or, live, from a port; a note of a port counts at the
    end of the quantum in which it came in. The position waits in front of a chord until that is played.

    Latency: none for a file; one quantum for a port.
    Cost: about 0.1 ms per note for a score of 1000 chords, 2 microseconds in between.
    References: Nakamura et al., 2014 (outer-product jumps); Peter, ISMIR 2023 (tempo-aware matching).
    """

    audio = AudioIn("gives the time only; its sound is not heard", optional=True)
    position = EventsOut("where the player is, every 512 samples", kinds=POSITION)
    reference = Param("", help="score (.mid .musicxml .mxl .mei) to follow; a path")
    midi = Param("", help="MIDI file to hear, or midi:PORT with a part of the name of an input port")

    test_skips = {"speaks": "it listens to MIDI, and its sound input is a clock"}

    def prepare(self, audio: AudioFormat | None) -> EventsFormat:
        if not self.reference or not self.midi:
            raise ValueError("set reference to a score and midi to a MIDI file or midi:PORT")
        self._port: Any = None
        self._notes: list[tuple[int, int]] = []
        try:
            self._score = load_score(self.reference)
            if not self.midi.startswith("midi:"):
                played = load_score(self.midi)
                times = (played.onset * self.rate).astype(int).tolist()
                self._notes = list(zip(times, played.pitch.tolist(), strict=True))
        except FollowspotError as error:
            raise ValueError(str(error)) from None
        self._tracker = SymbolicTracker(self._score)
        self.reset()
        if self.midi.startswith("midi:"):
            self._open(self.midi.removeprefix("midi:"))
        return EventsFormat(rate=self.rate, latency=(0, self.quantum))

    def _open(self, port: str) -> None:
        from nodes.outputs.midi_port import open_input

        try:
            self._port = open_input(port, "Followspot")
        except FollowspotError as error:
            raise ValueError(str(error)) from None

    def reset(self) -> None:
        self._tracker.reset()
        self._next = 0
        self._index = 0
        list(self._coming())  # what came in before is not heard

    def gap(self, start: int, length: int) -> None:
        """Keys were not lost with the samples: all is kept."""

    def process(self) -> None:
        stop = self.clock.stop
        tracker, notes, rate = self._tracker, self._notes, self.rate
        while self._next < len(notes) and notes[self._next][0] < stop:
            time, pitch = notes[self._next]
            self._until(time)
            tracker.note(time / rate, pitch)
            self._next += 1
        for pitch in self._coming():
            tracker.note(stop / rate, pitch)
        self._until(stop)

    def _coming(self) -> Iterator[int]:
        """Pitches of the notes that came in since the last look, from the port's queue, which has no lock."""
        while self._port is not None and (heard := self._port.get_message()) is not None:
            status, *rest = heard[0]
            if status & 0xF0 == 0x90 and rest[1] > 0:
                yield rest[0]

    def _until(self, sample: int) -> None:
        """Positions due up to `sample`."""
        while (self._index + 1) * HOP <= sample:
            at = (self._index + 1) * HOP
            self._tracker.advance(at / self.rate)
            self.position.emit("position", at, key=self._index, **position_values(self._score, self._tracker))
            self._index += 1

    def release(self) -> None:
        if self._port is not None:
            self._port.delete()
            self._port = None

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """The made-up score, played as written."""
        from nodes.follow.made_up import made_up_score

        return [{"reference": str(made_up_score()), "midi": str(made_up_score())}]
