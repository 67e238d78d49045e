"""What the follower expects to hear: a list of events along the reference, each with its templates.

An event is an onset (notes that start together) or a plain point in a long sound. It says which onset bands
rise and which pitches sound afterwards, in the same compressed units as `nodes.follow.bands` hears them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.errors import FollowspotError
from nodes.follow.agogics import drawn_out
from nodes.follow.bands import COMPRESSION, HOP, LONG, SHORT, Bands, Ear, midi_to_hz
from nodes.follow.relocate_kernels import add_folded
from nodes.follow.score import SUFFIXES, Score, load_score
from nodes.sync.align import align
from nodes.sync.features import Features, features_of_recording

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[np.float32]

PARTIALS = 16
TOGETHER = 0.012  # s: notes closer than this are one onset
LONGEST = 0.25  # s: a longer sound is cut into several events
RELEASE = 0.25  # s: decay after the key is let go (room, pedal)
ALIGNED_WITHIN = 4  # hops by which an alignment may err, 46 ms
ANOTHER_PIECE = 0.7  # likeness of chroma below which recordings are not of one piece
COARSE_STEP = 0.1  # s of the reference per cell of the coarse search
COARSE_BANDS = 24  # chroma below and above middle C


@dataclass(frozen=True)
class Reference:
    """Events of a score or recording in order of time.

    Attributes
    ----------
    time : (events,) when they are expected at a steady tempo: seconds of the reference, in which what a score
        holds long is drawn out (`nodes.follow.agogics`). The follower's own axis.
    seconds : (events,) seconds of the reference itself.
    is_onset : (events,) whether notes start there.
    flux : (events, onset bands) expected rise; zero where nothing starts.
    pitches : (events, pitch bands) expected spectrum after it, compressed, unit length.
    flux_power : (events,) squared length of `flux`.
    coarse : (COARSE_BANDS, cells) unit chroma of low and high notes every COARSE_STEP from time[0] on.
    score : the score, None for a recording.
    end : seconds of the reference at which the last sound begins to die.
    """

    time: Floats
    seconds: Floats
    is_onset: npt.NDArray[np.bool_]
    flux: Array
    pitches: Array
    flux_power: Array
    coarse: Array
    score: Score | None
    end: float

    @property
    def bytes(self) -> int:
        """Memory of the templates."""
        return self.flux.nbytes + self.pitches.nbytes + self.coarse.nbytes


def load_reference(path: str | Path, bands: Bands) -> Reference:
    """A score or a recording, told apart by the suffix; "A.wav|B.wav": several recordings, fused."""
    paths = str(path).split("|")
    if len(paths) == 1 and Path(path).suffix.lower() in SUFFIXES:
        return reference_of_score(load_score(path), bands)
    for one in paths:
        if Path(one).suffix.lower() in SUFFIXES:
            raise FollowspotError(f"reference {one}: scores are not fused; give recordings only")
    return reference_of_recordings(paths, bands)


def reference_of_score(score: Score, bands: Bands) -> Reference:
    """Templates made from notes alone: partials that fall with number and frequency, and decay."""
    onset_of_pitch, pitch_of_pitch = note_powers(bands.rate, bands.tuning)
    level = float(onset_of_pitch[60].sum())
    spans = _events(score)
    count = len(spans)
    flux = np.zeros((count, bands.shape[0]), np.float32)
    pitches = np.zeros((count, bands.shape[1]), np.float32)
    sounding = np.zeros(0, np.int64)
    for k, (time, first, last) in enumerate(spans):
        age = time - score.onset[sounding]
        released = time - score.end[sounding]
        sounding = sounding[(released < 4 * RELEASE) & (age < 7 * _decay(score.pitch[sounding]))]
        if last > first:
            before = _compressed(_sound(score, sounding, time, onset_of_pitch), level)
            sounding = np.concatenate([sounding, np.arange(first, last)])
            after = _compressed(_sound(score, sounding, time, onset_of_pitch), level)
            flux[k] = np.maximum(0.0, after - before)
        following = spans[k + 1][0] if k + 1 < count else time + 1.0
        later = time + min(0.5 * (following - time), 0.12)
        pitches[k] = _compressed(_sound(score, sounding, later, pitch_of_pitch), level)
    times = np.array([span[0] for span in spans])
    onsets = np.array([span[2] > span[1] for span in spans])
    return _reference(_expected(times, onsets), times, onsets, flux, pitches, score, float(score.onset.max()))


def _expected(times: Floats, onsets: npt.NDArray[np.bool_]) -> Floats:
    """`times` with what lasts long between two onsets drawn out."""
    starts = times[onsets]
    expected = starts[0] + drawn_out(starts)
    return np.where(
        times <= starts[-1], np.interp(times, starts, expected), times - starts[-1] + expected[-1]
    )


@lru_cache(maxsize=4)
def note_powers(rate: int, tuning: float) -> tuple[Array, Array]:
    """Band powers of one note of each MIDI pitch: (128, onset bands), (128, pitch bands); see `Bands`."""
    bands = Bands(rate, tuning)
    ear = Ear(bands)
    onset = np.zeros((128, bands.shape[0]), np.float32)
    pitch = np.zeros((128, bands.shape[1]), np.float32)
    time = np.arange(LONG) / rate
    number = np.arange(1, PARTIALS + 1)
    for key in range(21, 109):
        frequency = midi_to_hz(key) * number
        amplitude = 1.0 / number * 10.0 ** (-0.9 * frequency / 4000.0)
        amplitude[frequency > 0.45 * rate] = 0.0
        # Phases spread by 1.3 h^2 keep the partials from lining up in one instant.
        wave = amplitude @ np.cos(2 * np.pi * frequency[:, None] * time + (1.3 * number**2)[:, None])
        ear.powers(wave.astype(np.float32))
        onset[key], pitch[key] = ear.onset_power, ear.pitch_power
    onset.flags.writeable = pitch.flags.writeable = False
    return onset, pitch


def _events(score: Score) -> list[tuple[float, int, int]]:
    """(time, first note, last note + 1), with points without notes in long sounds."""
    onset = score.onset
    edges = [0]
    for i in range(1, len(onset)):
        if onset[i] - onset[edges[-1]] > TOGETHER:
            edges.append(i)
    edges.append(len(onset))
    found: list[tuple[float, int, int]] = []
    for first, last in pairwise(edges):
        found.append((float(onset[first]), first, last))
        following = float(onset[last]) if last < len(onset) else float(onset[first]) + 2.0
        point = found[-1][0] + LONGEST
        while point < following - 0.5 * LONGEST:
            found.append((point, last, last))
            point += LONGEST
    return found


def _decay(pitch: npt.NDArray[np.int64]) -> Floats:
    """Seconds in which the amplitude of a struck note falls to 1 / e."""
    return np.clip(2.5 * 2.0 ** (-(pitch - 48) / 18.0), 0.25, 4.0)


def _sound(score: Score, notes: npt.NDArray[np.int64], time: float, powers: Array) -> Floats:
    """Band powers of `notes` at `time`."""
    gain = np.exp(-2 * (time - score.onset[notes]) / _decay(score.pitch[notes]))
    held = np.maximum(score.end[notes], score.onset[notes] + 0.05)
    gain *= np.exp(-2 * np.maximum(0.0, time - held) / RELEASE)
    return np.asarray(gain @ powers[score.pitch[notes]], np.float64)


def _compressed(power: Floats, level: float) -> Floats:
    return np.log1p(COMPRESSION * power / level)


def reference_of_recordings(paths: list[str], bands: Bands) -> Reference:
    """Templates taken from recordings of a piece: an event at every peak of the first one's flux, points in
    between. Time is that of the first; the templates are the mean over all, each heard where it plays the
    same (offline alignment, `nodes.sync`)."""
    flux, pitches = own, _ = _listen(paths[0], bands)
    if len(paths) > 1:
        first = features_of_recording(paths[0])
        hop = HOP / bands.rate
        for path in paths[1:]:
            there = _places_in(path, first, paths[0], hop, len(own))
            more_flux, more_pitches = _listen(path, bands)
            there = np.minimum(there, len(more_flux) - 1)
            flux = flux + more_flux[_strongest_near(more_flux)[there]]
            pitches = pitches + more_pitches[there]
        flux, pitches = flux / len(paths), pitches / len(paths)
    return _reference_along(own, flux, pitches, bands)


def _places_in(path: str, first: Features, name: str, hop: float, frames: int) -> npt.NDArray[np.int64]:
    """The frame of a recording that plays what each frame of the first does."""
    alignment = align(first, features_of_recording(path))
    if alignment.agreement < ANOTHER_PIECE:
        raise FollowspotError(
            f"reference {path}: another piece than {name} (likeness {alignment.agreement:.2f}); leave it out"
        )
    if alignment.transposition:
        raise FollowspotError(
            f"reference {path}: {abs(alignment.transposition)} semitones from {name}; leave it out"
        )
    times = alignment.second_at(hop * (np.arange(frames) + 1))
    return np.maximum(np.round(times / hop).astype(np.int64) - 1, 0)


def _strongest_near(flux: Array) -> npt.NDArray[np.int64]:
    """For every frame, the one with the greatest rise among those that alignment cannot tell from it."""
    strength = (flux**2).sum(axis=1)
    shifts = np.arange(-ALIGNED_WITHIN, ALIGNED_WITHIN + 1)
    near = np.clip(np.arange(len(flux))[:, None] + shifts, 0, len(flux) - 1)
    best = strength[near].argmax(axis=1)
    return np.asarray(near[np.arange(len(flux)), best])


def _listen(path: str, bands: Bands) -> tuple[Array, Array]:
    """Flux and pitches of every hop of a recording."""
    import soundfile
    import soxr

    try:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise FollowspotError(
            f"reference {path}: cannot be read ({error}); give a score (.mid .musicxml .mxl .mei) or audio"
        ) from None
    mono = audio.mean(axis=1)
    if rate != bands.rate:
        mono = soxr.resample(mono, rate, bands.rate)
    if len(mono) < LONG:
        raise FollowspotError(f"reference {path}: shorter than a fifth of a second; give a longer recording")
    ear = Ear(bands)
    padded = np.concatenate([np.zeros(LONG, np.float32), mono.astype(np.float32)])
    frames = len(mono) // HOP
    flux = np.zeros((frames, bands.shape[0]), np.float32)
    pitches = np.zeros((frames, bands.shape[1]), np.float32)
    for i in range(frames):
        stop = LONG + (i + 1) * HOP
        ear.step(padded[stop - LONG : stop])
        flux[i], pitches[i] = ear.flux, ear.pitches
    return flux, pitches


def _reference_along(own: Array, flux: Array, pitches: Array, bands: Bands) -> Reference:
    """Events where `own` flux peaks, with templates of `flux` and `pitches`, all by hop."""
    frames = len(own)
    strength = np.sqrt((own**2).sum(axis=1))
    local = np.convolve(strength, np.ones(43) / 43, "same")
    peak = (
        (strength > 1.3 * local + 1.0)
        & (strength >= np.roll(strength, 1))
        & (strength > np.roll(strength, -1))
    )
    hop = HOP / bands.rate
    delay = 0.5 * SHORT / bands.rate + 0.5 * hop  # from an onset to the peak of its flux
    half = LONG // (2 * HOP)
    rows = sorted({*np.flatnonzero(peak), *range(0, frames, max(1, round(0.1 / hop)))})
    onsets = peak[rows]
    times = np.array(rows) * hop + hop - np.where(onsets, delay, 0.0)
    later = np.minimum(np.array(rows) + half // 2, frames - 1)
    rises = np.where(onsets[:, None], flux[rows], 0.0).astype(np.float32)
    order = np.argsort(times, kind="stable")
    return _reference(
        times[order],
        times[order],
        onsets[order],
        rises[order],
        pitches[later][order],
        None,
        float(times[onsets].max(initial=0.0)),
    )


def _reference(
    times: Floats,
    seconds: Floats,
    onsets: npt.NDArray[np.bool_],
    flux: Array,
    pitches: Array,
    score: Score | None,
    end: float,
) -> Reference:
    cells = int((times[-1] - times[0]) / COARSE_STEP) + 2
    rows = np.searchsorted(times, times[0] + COARSE_STEP * (np.arange(cells) + 0.5), "right") - 1
    coarse = np.stack([fold(pitches[row]) for row in rows], axis=1)
    unit = pitches / np.maximum(np.sqrt((pitches**2).sum(axis=1, keepdims=True)), 1e-9)
    power = (flux**2).sum(axis=1).astype(np.float32)
    return Reference(times, seconds, onsets, flux, unit.astype(np.float32), power, coarse, score, end)


def fold(pitches: Array) -> Array:
    """Pitch bands folded to a unit chroma of low (below middle C) and high notes."""
    chroma = np.zeros(COARSE_BANDS, np.float32)
    add_folded(pitches, chroma)
    return (chroma / max(float(np.sqrt((chroma**2).sum())), 1e-9)).astype(np.float32)
