"""Mono notes: one voice or instrument as pitch, voicing, notes and pitch bend."""

from __future__ import annotations

import numpy as np

from engine.node import (
    AudioFormat,
    AudioIn,
    EventsFormat,
    EventsOut,
    FramesFormat,
    FramesOut,
    HopNode,
    Param,
    same_grid,
)
from nodes.pitch.f0 import F0, PERIODS
from nodes.pitch.segment import Note, Segmenter

LEVEL = 512  # samples at 44.1 kHz over which the level is taken
WITHIN = 0.15  # seconds from a note's beginning to its last word, at most
BEND = 0.08  # semitones by which the bend moves before it is said again


class MonoNotes(HopNode):
    """Follows one voice: its pitch and voicing as control signals, its notes as events.

    The pitch comes from `F0` every 256 samples (5.8 ms). A note is said when a pitch has stood for `hold`
    frames, in a legato line too, and dated back to where it began; a note of the same pitch when its level
    rises from a dip. `bend` tells how far the pitch has moved from the note's semitone.

    Works at 44.1 and 48 kHz, and at twice and four times these with windows as much longer.
    Latency: f0 is 12 ms old (6 ms above 344 Hz, 23 ms below 172 Hz); a note is said `hold` frames and half a
    window after it began: 30 to 55 ms by default, later where the attack is rough.

    Sources: see `F0`; onsets by change of pitch: Mauch et al., Tony, TENOR 2015.
    """

    audio = AudioIn("audio of one channel")
    f0 = FramesOut("fundamental frequency in Hz, 0 without pitch, shape ()")
    voicing = FramesOut("belief that there is a pitch, 0 to 1, shape ()")
    notes = EventsOut(
        "notes, their ends, and the bend between",
        kinds={
            "note": "pitch (MIDI), velocity (1..127), label (name of the note), cents (from the semitone)",
            "note_end": "pitch (MIDI)",
            "bend": "pitch (MIDI of the note), semitones (-2..2)",
        },
    )

    lowest = Param(58.0, low=30.0, high=400.0, unit="Hz", help="lowest pitch; it sets the window")
    highest = Param(2100.0, low=500.0, high=4000.0, unit="Hz", help="highest pitch")
    hold = Param(4, low=2, high=20, help="frames (5.8 ms) that a pitch must stand to be a note")
    strike = Param(9.0, low=2.0, high=40.0, unit="dB", help="rise of level that strikes a note again")
    silence = Param(-60.0, low=-120.0, high=0.0, unit="dBFS", live=True, help="quieter sound has no pitch")
    bend = Param(False, live=True, help="also tell how the pitch bends within a note")
    range = Param(40.0, low=6.0, high=80.0, unit="dB", live=True, help="from velocity 1 to velocity 127")
    loudest = Param(-12.0, low=-60.0, high=0.0, unit="dBFS", live=True, help="level of velocity 127")
    curve = Param(1.0, low=0.2, high=5.0, live=True, help="velocity = 127 * x ** curve, x from 0 (soft) to 1")

    def prepare(self, audio: AudioFormat) -> dict[str, FramesFormat | EventsFormat]:
        if audio.channels != 1:
            raise ValueError(f"takes one channel, not {audio.channels}: mix the channels first")
        scale = max(1, 1 << round(np.log2(audio.rate / 46000)))
        hop, window = 256 * scale, 2048 * scale
        while window < 2 * audio.rate / self.lowest:
            window *= 2
        self.framing(audio, window, hop)
        late = window // 4 + audio.latency
        grid = FramesFormat(audio.rate, hop, hop - late, latency=late)
        self._f0 = F0(audio.rate, window, self.lowest, self.highest)
        self._heard = np.zeros(window, np.float32)
        self._newest = self._heard[-LEVEL * scale :]
        self._backs = [window // 8, window // 4, window // 2]  # half of the window that hears a pitch
        self._segmenter = Segmenter(self.hold, self.strike, audio.rate / hop)
        self._delay = audio.latency
        self._restart()
        latest = self._delay + round(WITHIN * audio.rate) + self.hold * hop
        return {
            "f0": same_grid(grid, unit="Hz"),
            "voicing": same_grid(grid, unit="probability"),
            "notes": EventsFormat(audio.rate, (self._delay, latest)),
        }

    def reset(self) -> None:
        super().reset()
        self._f0.reset()
        self._segmenter.reset()
        self._restart()

    def _restart(self) -> None:
        self._note: Note | None = None
        self._key, self._said = -1, 0.0

    def step(self, window: np.ndarray, f0: np.ndarray, voicing: np.ndarray) -> None:
        np.clip(window[0], -8.0, 8.0, out=self._heard)
        tracker = self._f0
        tracker.step(self._heard)
        power = float(np.dot(self._newest, self._newest)) / len(self._newest)
        level = 10.0 * np.log10(power + 1e-12)
        sounding = tracker.voicing if level > self.silence else 0.0
        voicing[...] = sounding
        f0[...] = 440.0 * 2.0 ** ((tracker.pitch - 69.0) / 12.0) if sounding >= 0.5 else 0.0
        began = self._segmenter.step(tracker.pitch, sounding, level)
        if self._note is not None and self._segmenter.note is not self._note:
            self._let_go()
        if began is not None:
            self._begin(began, level)
        elif self._note is not None and self.bend and sounding >= 0.5:
            self._bend(tracker.pitch)

    def _begin(self, note: Note, level: float) -> None:
        self._note = note
        self._key += 1
        self._pitch = min(127, max(0, round(note.pitch)))
        time = self._sample(note.begin) + self._hop - self._back(note.pitch)
        x = min(1.0, max(0.0, 1.0 + (level - self.loudest) / self.range))
        self.notes.emit(
            "note", max(0, time), key=self._key, pitch=self._pitch,
            velocity=max(1, round(127 * x**self.curve)), label=name_of(self._pitch),
            cents=round(100 * (note.pitch - self._pitch), 1),
        )  # fmt: skip
        self._said = 0.0

    def _let_go(self) -> None:
        self.notes.emit("note_end", self._sample(self._index), key=self._key, pitch=self._pitch)
        self._note = None

    def _bend(self, pitch: float) -> None:
        semitones = min(2.0, max(-2.0, pitch - self._pitch))
        if abs(semitones - self._said) >= BEND:
            self._said = semitones
            self.notes.emit(
                "bend", self._sample(self._index), key=self._index, pitch=self._pitch,
                semitones=round(semitones, 3),
            )  # fmt: skip

    def _back(self, pitch: float) -> int:
        """Samples from the beginning of a note to the end of the first frame that shows its pitch."""
        lag = self.rate / (440.0 * 2.0 ** ((pitch - 69.0) / 12.0))
        return next((back for back in self._backs if PERIODS * lag <= 2 * back), self._backs[-1])

    def _sample(self, frame: int) -> int:
        """Input sample at which a frame ends."""
        return (frame + 1) * self._hop - self._delay


NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def name_of(pitch: int) -> str:
    """C4 is MIDI 60."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"
