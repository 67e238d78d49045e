"""A metronome click for every event."""

from __future__ import annotations

import numpy as np

from engine.node import AudioFormat, AudioOut, EventsFormat, EventsIn, Node, Param
from engine.pending import Pending
from nodes.sound.click_kernels import mix_clicks

VOICES = 16
MEMORY = 64  # clicks remembered: those that sound and those that begin within one quantum


class Click(Node):
    """Audio with a short decaying tone at every event, exact to the sample.

    An event in the future waits for its sample and may be amended until then; a late one sounds at once.
    Events of kind "downbeat", or with `beat` = 1 in their values, sound an octave higher; `velocity` (1 to
    127) scales the amplitude. At most 16 clicks sound together, the oldest gives way.

    Latency: none: output sample n is input sample n. Mono, float32, peak `gain`.
    """

    events = EventsIn("what to click for")
    audio = AudioOut("the clicks, float32 (1, quantum)")

    frequency = Param(1000.0, low=50.0, high=8000.0, unit="Hz", help="pitch of the click")
    length = Param(40.0, low=1.0, high=1000.0, unit="ms", help="until it has decayed by 60 dB")
    gain = Param(
        -6.0, low=-60.0, high=0.0, unit="dB", live=True, help="peak level of events without velocity"
    )

    def prepare(self, events: EventsFormat) -> AudioFormat:
        n = max(2, round(self.length * events.rate / 1000))
        t = np.arange(n) / events.rate
        decay = 10 ** (-3 * np.arange(n) / n)
        tones = [np.sin(2 * np.pi * octave * self.frequency * t) * decay for octave in (1, 2)]
        self._tones = np.array([tone / np.abs(tone).max() for tone in tones], np.float32)
        self._starts = np.zeros(MEMORY, np.int64)
        self._ends = np.zeros(MEMORY, np.int64)
        self._levels = np.zeros(MEMORY, np.float32)
        self._accents = np.zeros(MEMORY, np.int64)
        self._pending = Pending()
        self.reset()
        return AudioFormat(events.rate, 1)

    def reset(self) -> None:
        self._pending.clear()
        self._starts[:] = 0
        self._ends[:] = 0
        self._next = 0

    def gap(self, start: int, length: int) -> None:
        """What was due in the lost part is not clicked any more."""
        self._pending.pop_due(start + length)

    def process(self) -> None:
        for event in self.events:
            self._pending.add(event)
        for event in self._pending.pop_due(self.clock.stop):
            voice = self._next
            self._next = (voice + 1) % MEMORY
            velocity = event.values.get("velocity", 127)
            start = max(event.time, self.clock.start)
            self._starts[voice] = start
            self._ends[voice] = start + self._tones.shape[1]
            self._ends[voice - VOICES] = min(start, self._ends[voice - VOICES])
            self._levels[voice] = 10 ** (self.gain / 20) * velocity / 127
            self._accents[voice] = event.kind == "downbeat" or event.values.get("beat") == 1
        mix_clicks(
            self._tones,
            self._starts,
            self._ends,
            self._levels,
            self._accents,
            self._next,
            self.clock.start,
            self.audio,
        )
