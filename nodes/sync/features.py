"""What two versions of a piece have in common, 50 times a second: chroma and decaying onsets by pitch class.

The onset features are decaying locally adaptive normalised chroma onsets (DLNCO; Ewert, Müller, Grosche,
"High resolution audio synchronization using chroma onset features", ICASSP 2009), taken from a short-time
spectrum instead of a filter bank. Those of a score are made from its notes; nothing is synthesised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.audio.files import AudioFile
from engine.errors import FollowspotError
from nodes.follow.score import SUFFIXES, Score, load_score

Array = npt.NDArray[Any]

FRAMES = 50  # a second
AUDIO_RATE = 22050
HOP = AUDIO_RATE // FRAMES
LONG, SHORT = 4096, 2048  # samples: windows of chroma and of onsets, both centred on the frame
LOWEST, HIGHEST = 28, 108  # MIDI pitches that are heard
COMPRESSION = 1000.0  # log(1 + COMPRESSION * power / level)
LAG = 2  # frames over which a rise is measured
DECAY = 10  # frames that an onset rings on
NEIGHBOURHOOD = 50  # frames to either side whose loudest onset is 1
TUNING_SECONDS = 120  # of sound by which the tuning is judged
PARTIALS = 8
HALF_LIFE = 0.7  # s in which a note of a score loses half of its power
RELEASE = 0.1  # s in which it does so after its end


@dataclass(frozen=True)
class Features:
    """Of one version.

    Attributes
    ----------
    chroma : (frames, 12) float32, unit length; where nothing sounds all classes are equal.
    onsets : (frames, 12) float32, 0 to about 1.
    seconds : length of the version; frame k is the sound around k / FRAMES seconds.
    tuning : semitones above A = 440 Hz, -0.5 to 0.5.
    score : the score, None for a recording.
    """

    chroma: Array
    onsets: Array
    seconds: float
    tuning: float
    score: Score | None = None


def load_features(path: str | Path) -> Features:
    """Of a recording (anything soundfile reads) or a score, told apart by the suffix.

    Raises FollowspotError, one line, if it cannot be read or holds nothing but silence.
    """
    if Path(path).suffix.lower() in SUFFIXES:
        return features_of_score(load_score(path))
    return features_of_recording(path)


def features_of_recording(path: str | Path) -> Features:
    """Read as a stream: an hour takes 18 MB, the size of its features."""
    tuning = _tuning(path)
    long_bands, short_bands = _bands(LONG, tuning), _bands(SHORT, tuning)
    long_taper, short_taper = _taper(LONG), _taper(SHORT)
    edge = (LONG - SHORT) // 2
    chroma_parts, flux_parts, powers = [], [], []
    before = np.zeros((LAG, short_bands.shape[1]), np.float32)
    file = AudioFile(path, AUDIO_RATE, AUDIO_RATE)
    for windows in _windows(file):
        power = np.abs(np.fft.rfft(windows * long_taper)) ** 2 @ long_bands
        powers.append(power.sum(axis=1).astype(np.float32))
        chroma_parts.append(_fold(np.log1p(COMPRESSION * power)))
        sharp = np.abs(np.fft.rfft(windows[:, edge : edge + SHORT] * short_taper)) ** 2 @ short_bands
        sharp = np.concatenate([before, np.log1p(COMPRESSION * sharp)])
        before = sharp[-LAG:]
        flux_parts.append(_fold(np.maximum(0.0, sharp[LAG:] - sharp[:-LAG])))
    frames = int(file.seconds * FRAMES) + 1
    chroma, flux = np.concatenate(chroma_parts)[:frames], np.concatenate(flux_parts)[:frames]
    power = np.concatenate(powers)[:frames]
    if power.max() < 1e-8:
        raise FollowspotError(f"{path}: nothing but silence; there is nothing to align")
    # A rise over LAG frames is greatest half of that after the onset.
    flux = np.concatenate([flux[LAG // 2 :], np.zeros((LAG // 2, 12), np.float32)])
    chroma[power < 1e-6 * power.max()] = 0.0
    return Features(_unit(chroma), decaying(flux), file.seconds, tuning)


def features_of_score(score: Score) -> Features:
    """Chroma of decaying notes with partials; an onset is an impulse."""
    seconds = float(score.end.max()) + 0.5
    frames = int(seconds * FRAMES) + 1
    power = np.zeros((frames, 12))
    flux = np.zeros((frames, 12), np.float32)
    for onset, end, pitch in zip(score.onset, score.end, score.pitch, strict=True):
        first = max(0, round(onset * FRAMES))
        last = min(frames, round((end + 4 * RELEASE) * FRAMES) + 1)
        time = np.arange(first, last) / FRAMES
        decay = 0.5 ** ((time - onset) / HALF_LIFE) * 0.5 ** (np.maximum(0.0, time - end) / RELEASE)
        # Frames around the onset see part of it.
        flux[first, pitch % 12] += 1.0
        for number in range(1, PARTIALS + 1):
            key = round(pitch + 12 * np.log2(number))
            power[first:last, key % 12] += decay * 10.0 ** (-0.5 * (number - 1))
            flux[first, key % 12] += 0.3 / number if number > 1 and key % 12 != pitch % 12 else 0.0
    chroma = np.log1p(100.0 * power).astype(np.float32)
    return Features(_unit(chroma), decaying(np.log1p(flux)), seconds, 0.0, score)


def smoothed(chroma: Array, factor: int) -> Array:
    """Chroma averaged under a Hann window of two new frames, every `factor` frames; unit length."""
    taper = np.hanning(2 * factor + 1).astype(np.float32)
    padded = np.pad(chroma, ((factor, 2 * factor), (0, 0)))
    count = -(-len(chroma) // factor)
    out = np.zeros((count, 12), np.float32)
    for offset, weight in enumerate(taper):
        out += weight * padded[offset : offset + count * factor : factor]
    return _unit(out)


def decaying(flux: Array) -> Array:
    """DLNCO: onsets (frames, 12) relative to the loudest around them, each ringing on for DECAY frames."""
    strength = np.sqrt((flux**2).sum(axis=1))
    loudest = _running_maximum(strength, NEIGHBOURHOOD)
    normalised = flux / np.maximum(loudest, 0.05 * strength.max() + 1e-9)[:, None]
    out = normalised.copy()
    for age in range(1, DECAY):
        fade = np.sqrt(1.0 - age / DECAY)
        np.maximum(out[age:], fade * normalised[:-age], out=out[age:])
    return np.asarray(out, np.float32)


def _running_maximum(values: Array, reach: int) -> Array:
    """Of `reach` values to either side, by doubling."""
    padded = np.pad(values, reach)
    span = 1
    while 2 * span <= 2 * reach + 1:
        padded = np.maximum(padded[:-span], padded[span:])
        span *= 2
    rest = 2 * reach + 1 - span
    return np.maximum(padded[: len(values)], padded[rest : rest + len(values)])


def _windows(file: AudioFile) -> Iterator[Array]:
    """(frames, LONG) windows centred on every frame, a second at a time."""
    kept = np.zeros(LONG // 2, np.float32)
    silence = np.zeros((1, AUDIO_RATE), np.float32)
    for block in chain(file.blocks(), [silence]):
        kept = np.concatenate([kept, block[0]])
        windows = np.lib.stride_tricks.sliding_window_view(kept, LONG)[::HOP]
        yield windows
        kept = kept[len(windows) * HOP :]


def _taper(length: int) -> Array:
    """Hann window under which a full-scale sine has power 1."""
    taper = np.hanning(length + 1)[:length].astype(np.float32)
    return np.asarray(taper * 2 / taper.sum(), np.float32)


def _bands(length: int, tuning: float) -> Array:
    """(bins, pitches) weights: triangles a semitone wide to either side, or wider where bins are coarser."""
    bins = np.arange(length // 2 + 1) * AUDIO_RATE / length
    centres = 440.0 * 2.0 ** ((np.arange(LOWEST, HIGHEST + 1) + tuning - 69) / 12)
    width = np.maximum(centres * (2 ** (1 / 12) - 1), AUDIO_RATE / length)
    return np.maximum(0.0, 1.0 - np.abs(bins[:, None] - centres) / width).astype(np.float32)


def _fold(pitches: Array) -> Array:
    """(frames, pitches) to (frames, 12)."""
    chroma = np.zeros((len(pitches), 12), np.float32)
    for column in range(pitches.shape[1]):
        chroma[:, (LOWEST + column) % 12] += pitches[:, column]
    return chroma


def _unit(chroma: Array) -> Array:
    length = np.sqrt((chroma**2).sum(axis=1, keepdims=True))
    return np.where(length > 1e-6, chroma / np.maximum(length, 1e-6), 12**-0.5).astype(np.float32)


def _tuning(path: str | Path) -> float:
    """Semitones above A = 440 Hz: circular mean of the deviations of spectral peaks, by their power."""
    taper = _taper(LONG)
    moment = 0.0 + 0.0j
    for windows in islice(_windows(AudioFile(path, AUDIO_RATE, AUDIO_RATE)), TUNING_SECONDS):
        power = np.abs(np.fft.rfft(windows[::5] * taper)) ** 2 + 1e-12
        bins = slice(round(110 * LONG / AUDIO_RATE), round(2000 * LONG / AUDIO_RATE))
        log = np.log(power)
        left, here, right = (log[:, bins.start + d : bins.stop + d] for d in (-1, 0, 1))
        peak = (here > left) & (here > right) & (here > log.max(axis=1, keepdims=True) - 9.0)
        shift = np.where(peak, 0.5 * (left - right) / np.minimum(left - 2 * here + right, -1e-9), 0.0)
        frequency = (np.arange(bins.start, bins.stop) + shift) * AUDIO_RATE / LONG
        pitch = 69 + 12 * np.log2(frequency / 440.0)
        weight = np.where(peak & (power.max(axis=1, keepdims=True) > 1e-7), np.sqrt(power[:, bins]), 0.0)
        moment += (weight * np.exp(2j * np.pi * pitch)).sum()
    return float(np.angle(moment) / (2 * np.pi)) if abs(moment) > 0 else 0.0
