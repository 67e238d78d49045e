"""Piano notes: several notes at once, from templates of a piano's 88 notes."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.node import AudioFormat, AudioIn, EventsFormat, EventsOut, FramesFormat, FramesOut, HopNode, Param
from nodes.pitch.drum_kernels import strike_taper
from nodes.pitch.mono_notes import name_of
from nodes.pitch.piano_kernels import BINS, LOWEST, NOTES, pitch_bands, pitch_spectrum, take_apart
from nodes.spectral.fft import RealFft

FILE = Path(__file__).with_name("piano_templates.npz")
ITERATIONS = 15
PAST = 4  # frames back that a note must have risen from
REST = 5  # frames between two strokes of one note, at least
HEARD = 1.5  # frames of a note that have been heard, as a rule, when it is said
LEVEL_HALF_LIFE = 2.0  # seconds in which the level that notes are measured against falls by half


@lru_cache(maxsize=1)
def templates() -> np.ndarray:
    """(88, 2, BINS) spectra of the notes at their beginning and later, each of sum 1."""
    with np.load(FILE) as file:
        return file["templates"].astype(np.float32)


def no_notes() -> np.ndarray:
    """(4, BINS) spectra, each of sum 1, of what is no note: hiss, two sorts of rumble, a bright click."""
    k = np.arange(BINS)
    shapes = np.stack([np.ones(BINS), np.exp(-k / 60), np.exp(-k / 25), (k / BINS) ** 2])
    return np.asarray(shapes / shapes.sum(axis=1, keepdims=True), np.float32)


class PianoNotes(HopNode):
    """Transcribes a piano, or an instrument that decays like one, as it is played.

    A spectrum in thirds of semitones, every 512 samples, is explained as a sum of templates, two for each
    of the 88 notes (its beginning, its later sound; made from sound fonts, see `piano_templates.md`) and four
    for what is no note. A note
    is said when its share has risen to `threshold` of the level of the music lately and `rise` times over
    what it was 4 frames before; it ends when its share has fallen to a tenth of its highest.

    Works at 44.1 and 48 kHz, and at twice and four times these with windows as much longer.
    Latency: a note is said 12 to 60 ms after it began, 31 ms as a rule; dated back.

    Sources: Smaragdis and Brown, WASPAA 2003; Dessein, Cont and Lemaitre, ISMIR 2010 (fixed templates in
    real time).
    """

    audio = AudioIn("audio of one channel")
    activation = FramesOut("share of each note from A0 up, against the level lately, shape (88,), >= 0")
    notes = EventsOut(
        "notes and their ends",
        kinds={
            "note": "pitch (MIDI), velocity (1..127), label (name of the note)",
            "note_end": "pitch (MIDI)",
        },
    )

    threshold = Param(0.28, low=0.005, high=1.0, live=True, help="share of the level that makes a note")
    rise = Param(2.0, low=1.1, high=10.0, live=True, help="how many times over what it was a note must rise")
    sparsity = Param(4.0, low=0.0, high=20.0, help="cost of a note, so that few notes explain much")
    silence = Param(-60.0, low=-120.0, high=0.0, unit="dBFS", live=True, help="quieter sound has no notes")
    range = Param(30.0, low=6.0, high=80.0, unit="dB", live=True, help="from the softest to the loudest")
    curve = Param(1.0, low=0.2, high=5.0, live=True, help="velocity = 127 * x ** curve, x from 0 (soft) to 1")

    def prepare(self, audio: AudioFormat) -> dict[str, FramesFormat | EventsFormat]:
        if audio.channels != 1:
            raise ValueError(f"takes one channel, not {audio.channels}: mix the channels first")
        scale = max(1, 1 << round(np.log2(audio.rate / 46000)))
        window, hop = 4096 * scale, 512 * scale
        self.framing(audio, window, hop)
        self._taper = strike_taper(window)
        self._fft = RealFft(window)
        self._heard = np.zeros(window, np.float32)
        self._spectrum = np.zeros(self._fft.bins, np.complex64)
        self._magnitude = np.zeros(self._fft.bins, np.float32)
        self._bands = pitch_bands(audio.rate, self._fft.bins)
        self._pitches = np.zeros(BINS, np.float32)
        self._model = np.zeros(BINS, np.float32)
        self._templates = np.concatenate([templates().reshape(2 * NOTES, BINS), no_notes()])
        self._sums = self._templates.sum(axis=1)
        self._parts = np.zeros(len(self._templates), np.float32)
        self._early, self._late = self._parts[: 2 * NOTES : 2], self._parts[1 : 2 * NOTES : 2]
        self._shares = np.zeros((PAST + 1, NOTES), np.float32)
        self._now = np.zeros(NOTES, np.float32)
        self._decay = 0.5 ** (hop / audio.rate / LEVEL_HALF_LIFE)
        self._delay = audio.latency
        self._restart()
        late = window // 2 + audio.latency
        return {
            "activation": FramesFormat(audio.rate, hop, hop - late, (NOTES,), latency=late, unit="share"),
            "notes": EventsFormat(audio.rate, (self._delay, self._delay + 4 * hop)),
        }

    def reset(self) -> None:
        super().reset()
        self._restart()

    def _restart(self) -> None:
        self._parts[:] = 0.1
        self._shares[:] = 0.0
        self._level = self._loudest = 0.0
        self._struck = [-1000] * NOTES
        self._keys = [-1] * NOTES  # of the notes that sound
        self._highest = [0.0] * NOTES
        self._key = 0

    def step(self, window: np.ndarray, activation: np.ndarray) -> None:
        np.clip(window[0], -8.0, 8.0, out=self._heard)
        self._fft.forward(self._heard, self._taper, self._spectrum, self._magnitude)
        pitch_spectrum(self._magnitude, *self._bands, self._pitches)
        take_apart(
            self._pitches, self._templates, self._sums, ITERATIONS, np.float32(self.sparsity), self._parts,
            self._model,
        )  # fmt: skip
        now = self._index
        shares = self._shares[now % (PAST + 1)]
        np.add(self._early, self._late, out=shares)
        # Square roots of magnitudes were shared out; 24 is the width of a tone in bands, in round numbers.
        floor = 24.0 * 10.0 ** (self.silence / 40.0) / (1.0 + self.sparsity)
        self._level = max(float(shares.max()), self._level * self._decay, floor)
        np.divide(shares, np.float32(self._level), out=activation)
        self._find(now, shares)

    def _find(self, now: int, shares: np.ndarray) -> None:
        """Notes that have begun or ended in this frame."""
        self._now[:] = self._shares[(now + 1) % (PAST + 1)]
        least = self.threshold * self._level
        for k in np.flatnonzero(shares > 0.5 * least):
            self._judge(now, int(k), float(shares[k]), least)
        for k, key in enumerate(self._keys):
            if key >= 0 and shares[k] < 0.1 * self._highest[k]:
                self._let_go(now, k)

    def _judge(self, now: int, k: int, share: float, least: float) -> None:
        before = float(self._now[k])
        self._highest[k] = max(self._highest[k], share)
        last = float(self._shares[(now - 1) % (PAST + 1), k])
        rising = share >= 0.9 * last
        if share < least or share < self.rise * before or not rising or now - self._struck[k] < REST:
            return
        if self._keys[k] >= 0:
            self._let_go(now, k)
        self._struck[k], self._highest[k], self._keys[k] = now, share, self._key
        self._loudest = max(self._loudest * self._decay**0.1, share)
        x = max(0.0, 1.0 + 40.0 * math.log10(share / self._loudest) / self.range)
        time = round((now + 1 - HEARD) * self._hop) - self._delay
        self.notes.emit(
            "note", max(0, time), key=self._key, pitch=LOWEST + k,
            velocity=max(1, round(127 * x**self.curve)), label=name_of(LOWEST + k),
        )  # fmt: skip
        self._key += 1

    def _let_go(self, now: int, k: int) -> None:
        time = (now + 1) * self._hop - self._delay
        self.notes.emit("note_end", time, key=self._keys[k], pitch=LOWEST + k)
        self._keys[k] = -1
