"""Drum kits by chance: every piece of a kit is a recording or a sound font's, bent and filtered, or made up.

`Kit(rng)` draws one; `kit.play(notes, length)` plays it. The truth about a stroke is where its sound begins,
found in the sample itself, since sound fonts begin some samples late.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from tests.benchmarks.band.bank import DRUM_NOTES, KITS, RATE, available_fonts, kit_notes
from tests.benchmarks.sampled_kits import instruments, piece

CLASSES = ("KD", "SD", "HH", "TT", "CY", "OT")
CLASS_OF = {
    **dict.fromkeys((35, 36), "KD"),
    **dict.fromkeys((38, 40, 39), "SD"),
    **dict.fromkeys((42, 44, 46), "HH"),
    **dict.fromkeys((41, 43, 45, 47, 48, 50), "TT"),
    **dict.fromkeys((49, 51, 52, 53, 55, 57, 59), "CY"),
}
OPEN_HAT, CHOKES = 46, (42, 44, 46)
FADE = 400  # samples


def class_of(note: int) -> str:
    """Class of a General MIDI drum note; OT is everything that is struck and has no class."""
    return CLASS_OF.get(note, "OT")


def onset_of(sound: np.ndarray) -> int:
    """Sample at which a sound first reaches a thirtieth of its early peak."""
    early = np.abs(sound[: RATE // 10])
    return int(np.argmax(early > early.max() / 30)) if early.any() else 0


def _decay(seconds: float, length: int) -> np.ndarray:
    return np.exp(-np.arange(length) / (seconds * RATE)).astype(np.float32)


def _noise(rng: np.random.Generator, length: int, low: float, high: float) -> np.ndarray:
    sos = butter(2, (low, min(high, 20000.0)), "band", fs=RATE, output="sos")
    wave = sosfilt(sos, rng.standard_normal(length))
    return (wave / np.std(wave)).astype(np.float32)


def _sweep(start: float, stop: float, fall: float, length: int) -> np.ndarray:
    frequency = stop + (start - stop) * _decay(fall, length)
    return np.sin(2 * np.pi * np.cumsum(frequency) / RATE).astype(np.float32)


def made_up(kind: str, rng: np.random.Generator) -> np.ndarray:
    """A synthetic stroke of a class: sweeps for skins, filtered noise for wires, squares for metal."""
    n = RATE
    if kind == "KD":
        body = _sweep(rng.uniform(90, 320), rng.uniform(38, 75), rng.uniform(0.01, 0.05), n)
        click = _noise(rng, n, rng.uniform(800, 2500), rng.uniform(3000, 9000)) * _decay(0.004, n)
        return body * _decay(rng.uniform(0.05, 0.3), n) + rng.uniform(0.02, 0.4) * click
    if kind == "SD":
        pitch = rng.uniform(140, 260)
        skin = _sweep(1.5 * pitch, pitch, 0.01, n) + 0.6 * _sweep(2.4 * pitch, 1.6 * pitch, 0.01, n)
        wires = _noise(rng, n, rng.uniform(600, 2500), rng.uniform(6000, 18000))
        return skin * _decay(rng.uniform(0.03, 0.12), n) + rng.uniform(0.2, 0.9) * wires * _decay(
            rng.uniform(0.03, 0.18), n
        )
    if kind == "TT":
        pitch = rng.uniform(65, 260)
        return _sweep(1.4 * pitch, pitch, 0.04, n) * _decay(rng.uniform(0.1, 0.45), n) + rng.uniform(
            0.02, 0.15
        ) * _noise(rng, n, 400, 5000) * _decay(0.01, n)
    if kind == "OT":
        return _percussion(rng, n)
    metal = sum(
        np.sign(np.sin(2 * np.pi * f * np.arange(n) / RATE)) for f in rng.uniform(250, 900, size=6)
    ).astype(np.float32)
    edge = rng.uniform(4000, 9000)
    metal = sosfilt(butter(4, edge, "high", fs=RATE, output="sos"), metal).astype(np.float32)
    wave = metal / np.std(metal) * rng.uniform(0, 1) + _noise(rng, n, edge, 19000)
    if kind == "HH":
        return wave * _decay(rng.uniform(0.012, 0.08), n)
    ping = _sweep(*([rng.uniform(2500, 5500)] * 2), 1.0, n) * _decay(0.1, n) * rng.uniform(0, 1)
    return (wave + ping) * (_decay(rng.uniform(0.3, 1.0), n) + rng.uniform(0, 2) * _decay(0.03, n))


def _percussion(rng: np.random.Generator, n: int) -> np.ndarray:
    """A tambourine (rattling high partials), a shaker (noise that swells) or a click of wood."""
    kind = rng.integers(3)
    if kind == 2:
        pitch = rng.uniform(500, 2800)
        ring = _sweep(pitch, pitch, 1.0, n) + rng.uniform(0, 1) * _sweep(2.3 * pitch, 2.3 * pitch, 1.0, n)
        return (ring + rng.uniform(0, 1) * _noise(rng, n, 1500, 15000)) * _decay(rng.uniform(0.003, 0.03), n)
    low = rng.uniform(3000, 8000)
    wave = _noise(rng, n, low, rng.uniform(low + 3000, 19000))
    if kind == 1:
        rise = int(rng.uniform(0.003, 0.04) * RATE)
        swell = np.minimum(1.0, np.arange(n, dtype=np.float32) / rise) ** 2
        return wave * swell * np.roll(_decay(rng.uniform(0.01, 0.06), n), rise)
    pitches = rng.uniform(low, 14000, size=rng.integers(4, 10))
    wave = rng.uniform(0.1, 1) * wave + sum(_sweep(pitch, pitch, 1.0, n) for pitch in pitches)
    out = wave * _decay(rng.uniform(0.02, 0.12), n)
    for at in rng.uniform(0.004, 0.08, size=rng.integers(0, 4)):  # the jingles fall back
        later = int(at * RATE)
        out[later:] += rng.uniform(0.1, 0.6) * out[: n - later].copy()
    return out


def _bent(sound: np.ndarray, ratio: float) -> np.ndarray:
    at = np.arange(int((len(sound) - 2) / ratio)) * ratio
    low = at.astype(np.int64)
    part = (at - low).astype(np.float32)
    return sound[low] * (1 - part) + sound[low + 1] * part


def _shelf(sound: np.ndarray, corner: float, db: float) -> np.ndarray:
    """Treble (above `corner`) raised by `db`."""
    pole = np.exp(-2 * np.pi * corner / RATE)
    low = lfilter([1 - pole], [1, -pole], sound)
    return (low + (sound - low) * 10 ** (db / 20)).astype(np.float32)


class Kit:
    """A kit drawn at random; pieces are made when they are first struck. `apart`: of kits kept apart."""

    def __init__(self, rng: np.random.Generator, apart: bool = False) -> None:
        self._rng, self._apart = rng, apart
        self._pieces: dict[int, list[np.ndarray]] = {}
        fonts = available_fonts()
        self._home = (fonts[rng.integers(len(fonts))], KITS[rng.integers(len(KITS))])
        self._studio = str(rng.choice(list(instruments(apart))))
        self._mixed = rng.random() < 0.5
        self._electronic = rng.random() < 0.2
        self._recorded = 1.0 if apart else float(rng.choice([0.9, 0.3]))
        self._curve = rng.uniform(1.0, 2.2)
        self._dull = rng.uniform(0.0, 10.0)  # dB of treble that the softest stroke lacks

    def _sounds(self, note: int) -> list[np.ndarray]:
        """What a piece sounds like, soft to loud."""
        rng, kind = self._rng, class_of(note)
        if rng.random() < self._recorded:
            home = self._studio if not self._mixed else str(rng.choice(list(instruments(self._apart))))
            if sounds := piece(home, note, rng, self._apart):
                return sounds
        if rng.random() < (0.8 if self._electronic else 0.15):
            sound = made_up(kind, rng)
            return [sound[: RATE // 2] if note == OPEN_HAT else sound]
        font, kit = self._home
        if self._mixed:
            fonts = available_fonts()
            font, kit = fonts[rng.integers(len(fonts))], KITS[rng.integers(len(KITS))]
        return list(kit_notes(font, kit)[:, DRUM_NOTES.index(note)].astype(np.float32))

    def _piece(self, note: int) -> list[np.ndarray]:
        """Sounds of a piece, soft to loud, each from its onset on and with the same peak."""
        if note not in self._pieces:
            rng = self._rng
            ratio = 2 ** (rng.normal(0, 2.5) / 12)
            fall = 10 ** rng.uniform(-1.2, 0.5) if rng.random() < 0.4 else 9.0
            corner, db = 10 ** rng.uniform(2.3, 3.9), rng.normal(0, 5)
            gain = 10 ** (rng.normal(0, 3.5) / 20)
            self._pieces[note] = []
            for sound in self._sounds(note):
                bent = _shelf(_bent(sound, ratio), corner, db)
                bent = bent[onset_of(bent) :]
                bent = bent * _decay(fall, len(bent))
                self._pieces[note].append(bent * np.float32(gain / max(1e-6, float(np.abs(bent).max()))))
        return self._pieces[note]

    def play(
        self, notes: list[tuple[float, float, int, int]], length: int
    ) -> tuple[np.ndarray, list[tuple[float, str, float]]]:
        """The wave of (onset s, length, GM note, velocity) and its truth: (onset s, class, peak)."""
        wave = np.zeros(length, np.float32)
        truth = []
        levels = {"KD": 1.0, "SD": 0.9, "HH": 0.35, "TT": 0.8, "CY": 0.45, "OT": 0.4}
        for index, (onset, _, note, velocity) in enumerate(notes):
            sounds = self._piece(note)
            gain = (
                levels[class_of(note)] * (velocity / 110) ** self._curve * 10 ** (self._rng.normal(0, 1) / 20)
            )
            sound = sounds[velocity * len(sounds) // 128] * np.float32(gain)
            treble = self._rng.normal(0, 1) - self._dull * (1 - velocity / 127)
            sound = _shelf(sound, 1500.0, treble)
            if note == OPEN_HAT:
                stop = next((o for o, _, p, _ in notes[index + 1 : index + 8] if p in CHOKES), onset + 9.0)
                cut = int((stop - onset) * RATE)
                if 0 < cut < len(sound) - FADE:
                    sound = sound[: cut + FADE].copy()
                    sound[cut:] *= np.linspace(1, 0, FADE, dtype=np.float32)
            start = int(onset * RATE)
            stop = min(length, start + len(sound))
            if stop > start:
                wave[start:stop] += sound[: stop - start]
                truth.append((start / RATE, class_of(note), float(np.abs(sound).max())))
        return wave, truth
