"""Songs of the made-up band arranged for a show: breakdowns, build-ups, drops and stops, with their times.

`arrange(style, seed)` composes a song, takes players out and in again by the bar as a producer would, adds
snare rolls and risers before the drops, and returns the mix with the truth about its sections. Everything
follows from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt

from .band.bank import DRUM_NOTES, KITS, RATE, available_fonts, kit_notes
from .band.mix import mix
from .band.render import render
from .band.score import Song
from .band.styles import compose

STYLES = ("house", "disco", "rock_riff", "metal", "punk", "hip_hop", "funk", "pop80", "breakbeat", "rock")
THIN = ("bare", "drumless", "filtered")  # how a breakdown is thinned out
EDGE = int(0.01 * RATE)


@dataclass(frozen=True)
class Section:
    """What is played from `start` to `stop` seconds: intro, full, breakdown, build_up or stop."""

    kind: str
    start: float
    stop: float
    thin: str = ""


@dataclass(frozen=True)
class Arrangement:
    """A mix (samples,), float32 at 44.1 kHz, and its sections one after the other."""

    samples: np.ndarray
    sections: list[Section]
    bpm: float

    def starts(self, kind: str) -> list[float]:
        """Seconds at which a cue should come: "breakdown", "build_up", "drop", "silence", "sound"."""
        pairs = list(zip(self.sections, self.sections[1:], strict=False))
        if kind == "drop":
            return [b.start for a, b in pairs if b.kind == "full" and a.kind in ("breakdown", "build_up")]
        if kind == "silence":
            return [s.start for s in self.sections if s.kind == "stop"]
        if kind == "sound":
            return [b.start for a, b in pairs if a.kind == "stop"]
        return [s.start for s in self.sections if s.kind == kind]


def arrange(style: str, seed: int, *, plain: bool = False) -> Arrangement:
    """An arranged song of one to two minutes; `plain` leaves all its bars full (nothing should be cued)."""
    rng = np.random.default_rng([seed, 4711])
    plan = [("full", 40)] if plain else _plan(rng)
    bars = sum(length for _, length in plan)
    song = compose(style, seed, seconds=400.0, steadiness="human")
    bar = float(np.mean(song.tempo.periods)) * song.meter
    song = compose(style, seed, seconds=bars * bar + 4.0, steadiness="human")
    stems = render(song)
    sections, at = [], 0
    for kind, length in plan:
        start, stop = (song.tempo.seconds(b * song.meter) for b in (at, at + length))
        sections.append(Section(kind, start, stop, str(rng.choice(THIN)) if kind == "breakdown" else ""))
        at += length
    for section in sections:
        _apply(stems, song, section, rng)
    end = int(sections[-1].stop * RATE)
    wear = np.random.default_rng([seed, 4712])
    samples = mix({name: wave[:end] for name, wave in stems.items()}, wear)
    bpm = 60.0 / float(np.mean(song.tempo.periods))
    return Arrangement(samples, sections, bpm)


def _plan(rng: np.random.Generator) -> list[tuple[str, int]]:
    plan = [("intro", 4)] if rng.random() < 0.5 else []
    plan.append(("full", int(rng.choice([8, 12]))))
    for _ in range(2):
        plan.append(("breakdown", int(rng.choice([4, 6, 8]))))
        if rng.random() < 0.7:
            plan.append(("build_up", int(rng.choice([4, 4, 8]))))
        plan.append(("full", int(rng.choice([6, 8, 12]))))
    plan += [("stop", 2), ("full", 6)]
    return plan


def _apply(stems: dict[str, np.ndarray], song: Song, section: Section, rng: np.random.Generator) -> None:
    """Thin the stems out within a section."""
    if section.kind == "full":
        return
    a, b = int(section.start * RATE), min(int(section.stop * RATE), len(next(iter(stems.values()))))
    gains = {name: 1.0 for name in stems}
    if section.kind == "stop":
        gains = dict.fromkeys(stems, 0.0)
    elif section.kind in ("intro", "build_up") or section.thin == "bare":
        gains["drums"] = gains["bass"] = 0.0
    elif section.thin == "drumless":
        gains["drums"] = 0.0
    for name, wave in stems.items():
        if section.thin == "filtered" or section.kind == "build_up":
            edge = 300.0 if section.kind == "breakdown" else 200.0
            wave[a:b] = sosfilt(butter(4, edge, "high", fs=RATE, output="sos"), wave[a:b])
        if section.thin == "filtered" and name == "drums":
            gains[name] = 0.2
        fade = np.full(b - a, gains.get(name, 1.0), np.float32)
        fade[:EDGE] = np.linspace(1.0, fade[EDGE], EDGE)
        wave[a:b] *= fade
        if section.kind == "build_up":
            wave[a:b] *= 10 ** (np.linspace(-6.0, 2.0, b - a, dtype=np.float32) / 20)
    if section.kind == "build_up" and "drums" in stems:
        stems["drums"][a:b] += _roll(song, section, rng, float(np.abs(stems["drums"]).max()))[: b - a]


def _roll(song: Song, section: Section, rng: np.random.Generator, peak: float) -> np.ndarray:
    """A snare roll in quarters, eighths, sixteenths, getting louder, and perhaps a riser of noise."""
    length = int((section.stop - section.start) * RATE) + 1
    out = np.zeros(length + RATE, np.float32)
    fonts = available_fonts()
    kit = kit_notes(fonts[rng.integers(len(fonts))], KITS[rng.integers(len(KITS))])
    snare = kit[1, DRUM_NOTES.index(38)].astype(np.float32)[: RATE // 4] / 32767
    snare *= peak / max(1e-6, float(np.abs(snare).max()))
    beat = float(np.mean(song.tempo.periods))
    at = 0.0
    while at < length / RATE - 0.02:
        part = at * RATE / length
        start = int(at * RATE)
        out[start : start + len(snare)] += snare * (0.25 + 0.6 * part)
        at += beat * (1.0 if part < 0.4 else 0.5 if part < 0.7 else 0.25)
    if rng.random() < 0.6:
        noise = rng.standard_normal(length).astype(np.float32)
        noise = sosfilt(butter(2, 1500.0, "high", fs=RATE, output="sos"), noise)
        ramp = 10 ** (np.linspace(-40.0, -14.0, length) / 20) * peak
        out[:length] += (noise * ramp).astype(np.float32)
    return out[:length]
