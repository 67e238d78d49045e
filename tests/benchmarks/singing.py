"""A synthetic singer: notes become vowels, consonants, vibrato and breath, by additive formant synthesis.

Harmonics of a gliding fundamental are weighted by a glottal slope and five formants (Peterson and Barney
1952 for the vowels), consonants are noise in bands, breath is noise through the same formants. No
recording of anybody is used, so that what is learnt from it is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba as nb
import numpy as np

RATE = 44100
STEP = 220  # samples between two sets of harmonic amplitudes (5 ms)
HARMONICS = 90

#: First three formants in Hz of a man; the fourth and fifth are common.
VOWELS = np.array(
    [
        (730, 1090, 2440),  # a
        (570, 840, 2410),  # o
        (300, 870, 2240),  # u
        (530, 1840, 2480),  # e
        (270, 2290, 3010),  # i
        (660, 1720, 2410),  # ae
        (490, 1350, 1690),  # er
        (640, 1190, 2390),  # uh
        (440, 1020, 2240),  # oo
        (390, 1990, 2550),  # ih
    ],
    float,
)
#: Consonants: band of noise in Hz, length in ms, level against the vowel in dB, kind.
FRICATIVES = (
    (4500, 11000, 90, -8),  # s
    (2200, 7500, 90, -8),  # sh
    (1500, 12000, 70, -22),  # f
    (900, 9000, 60, -24),  # h
    (5000, 12000, 60, -16),  # z
)
PLOSIVES = (
    (300, 3000, 12, -14),  # p
    (2500, 9000, 18, -8),  # t
    (1200, 4500, 22, -10),  # k
)

Notes = Sequence[tuple[float, float, int, int]]


@nb.njit(cache=True)
def _harmonics(frequency, amplitudes, out):  # type: ignore[no-untyped-def]
    """Sum of harmonics of `frequency` (samples,), amplitudes (steps, HARMONICS) interpolated in between."""
    phase = 0.0
    for n in range(len(out)):
        phase += 2 * np.pi * frequency[n] / 44100.0
        if phase > np.pi:
            phase -= 2 * np.pi
        step = n // STEP
        part = (n % STEP) / STEP
        count = min(amplitudes.shape[1], int(16000.0 / max(frequency[n], 50.0)))
        before, now, twice = 0.0, np.sin(phase), 2 * np.cos(phase)
        total = 0.0
        for h in range(count):
            a = amplitudes[step, h]
            total += (a + part * (amplitudes[step + 1, h] - a)) * now
            before, now = now, twice * now - before
        out[n] = total


def _formants(frequencies: np.ndarray, centres: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Amplitude (steps, ...) of a cascade of resonances at `frequencies` (steps, ...), centres (steps, 5)."""
    shape = (slice(None), *([None] * (frequencies.ndim - 1)))
    gain = np.ones_like(frequencies)
    for k in range(centres.shape[1]):
        centre, width = centres[:, k][shape], widths[k]
        square = centre**2
        gain *= square / np.sqrt((square - frequencies**2) ** 2 + (width * frequencies) ** 2)
    return gain


def _curves(notes: Notes, samples: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Pitch, loudness and formants of one singer, one value every STEP samples."""
    steps = samples // STEP + 2
    second = RATE / STEP
    pitch, loud = np.full(steps, np.nan), np.zeros(steps)
    size = rng.uniform(0.95, 1.3)  # formants of a man, of a woman, of a child
    singing = VOWELS[rng.permutation(len(VOWELS))[: rng.integers(4, 10)]]
    formants = np.zeros((steps, 3))
    vibrato = rng.uniform(4.8, 6.8), rng.uniform(0, 0.7), rng.uniform(0.1, 0.5)
    portamento, scoop = rng.uniform(0.02, 0.09), rng.uniform(0, 1.5)
    for onset, length, note, velocity in notes:
        first, last = int(onset * second), min(steps, int((onset + length) * second))
        if last - first < 4:
            continue
        t = np.arange(last - first) / second
        depth = vibrato[1] * np.clip((t - vibrato[2]) / 0.3, 0, 1) * rng.uniform(0.3, 1.0)
        bend = -scoop * rng.uniform(0, 1) * np.exp(-t / rng.uniform(0.03, 0.1))
        rate = vibrato[0] * rng.uniform(0.93, 1.07)
        pitch[first:last] = note + depth * np.sin(2 * np.pi * rate * t + rng.uniform(0, 6.28)) + bend
        attack, release = rng.uniform(0.02, 0.09), rng.uniform(0.03, 0.12)
        swell = 1 + rng.uniform(-0.3, 0.5) * t / max(t[-1], 0.1)
        shape = np.minimum(1, t / attack) * np.minimum(1, (t[-1] - t) / release + 0.02) * swell
        loud[first:last] = np.maximum(loud[first:last], (velocity / 100) ** 1.5 * np.maximum(0, shape))
        syllables = max(1, round(t[-1] / rng.uniform(0.2, 0.9)))
        for part in np.array_split(np.arange(first, last), syllables):
            if len(part):
                formants[part] = singing[rng.integers(len(singing))] * size
                if part[0] > first:
                    loud[part[: rng.integers(3, 9)]] *= rng.uniform(0.1, 0.7)
    known = ~np.isnan(pitch)
    if not known.any():
        return pitch, loud, formants, known
    place = np.arange(steps)
    pitch = np.interp(place, place[known], pitch[known])
    held = formants[:, 0] > 0
    formants = np.stack([np.interp(place, place[held], formants[held, k]) for k in range(3)], 1)
    return (
        _smooth(pitch, portamento * second),
        _smooth(loud, 0.012 * second),
        np.stack([_smooth(formants[:, k], rng.uniform(0.02, 0.05) * second) for k in range(3)], 1),
        known,
    )


def _smooth(curve: np.ndarray, length: float) -> np.ndarray:
    size = max(1, int(length)) | 1
    window = np.hanning(size + 2)[1:-1]
    padded = np.pad(curve, size // 2, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")


def _band_noise(samples: int, low: float, high: float, rng: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft(rng.normal(size=samples))
    frequency = np.fft.rfftfreq(samples, 1 / RATE)
    spectrum *= 1 / (1 + (low / np.maximum(frequency, 1)) ** 6) / (1 + (frequency / high) ** 6)
    wave = np.fft.irfft(spectrum, samples)
    return wave / (np.sqrt(np.mean(wave**2)) + 1e-9)


def _breath(loud: np.ndarray, centres: np.ndarray, widths: np.ndarray, samples: int, rng) -> np.ndarray:
    """Noise through the formants, by overlap-add of windows twice STEP long."""
    size = 2 * STEP
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    gain = _formants(np.broadcast_to(frequency, (len(loud), len(frequency))).copy(), centres, widths)
    noise = rng.normal(size=(len(loud), size)) * np.hanning(size)
    shaped = np.fft.irfft(np.fft.rfft(noise) * gain, size) * (loud[:, None] * np.hanning(size))
    out = np.zeros((len(loud) + 2) * STEP)
    out[: len(loud) * STEP] += shaped[:, :STEP].ravel()
    out[STEP : (len(loud) + 1) * STEP] += shaped[:, STEP:].ravel()
    return out[STEP // 2 : STEP // 2 + samples]


def sing(notes: Notes, samples: int, rng: np.random.Generator) -> np.ndarray:
    """A voice singing `notes` (onset s, length s, MIDI pitch, velocity), mono, 44.1 kHz, RMS about 0.1."""
    pitch, loud, formants, known = _curves(notes, samples, rng)
    if not known.any():
        return np.zeros(samples, np.float32)
    steps = len(pitch)
    wander = _smooth(rng.normal(size=steps), 8) * rng.uniform(0.02, 0.12)
    wander += _smooth(rng.normal(size=steps), 80) * rng.uniform(0.1, 0.6)
    frequency = 440 * 2 ** ((pitch + wander - 69) / 12)
    size = float(np.median(formants[:, 2])) / 2450
    upper = np.array([3400.0, 4400.0]) * size * rng.uniform(0.92, 1.08, 2)
    centres = np.concatenate([formants, np.broadcast_to(upper, (steps, 2))], axis=1)
    # The first formant follows the fundamental of high notes: singers open the mouth.
    centres[:, 0] = np.maximum(centres[:, 0], 0.98 * frequency)
    widths = np.array([70.0, 90.0, 130.0, 200.0, 280.0]) * rng.uniform(0.7, 1.6)
    number = np.arange(1, HARMONICS + 1)
    partials = frequency[:, None] * number
    # A loud voice has a flatter slope: 6 dB an octave more or less over its range.
    slope = rng.uniform(0.4, 1.4) + rng.uniform(0, 0.5) * (1 - np.clip(loud, 0, 1))
    amplitudes = _formants(partials, centres, widths) * number ** -slope[:, None]
    shimmer = 1 + rng.uniform(0.02, 0.15) * _smooth(rng.normal(size=steps), 2)
    amplitudes *= (loud * shimmer)[:, None]
    at = np.arange(samples)
    fine = np.interp(at, np.arange(steps) * STEP, frequency)
    fine *= 1 + rng.uniform(0.0005, 0.003) * rng.normal(size=samples)
    voice = np.zeros(samples)
    _harmonics(fine, np.concatenate([amplitudes, amplitudes[-1:]]), voice)
    power = np.sqrt(np.mean(voice**2) / max(0.02, np.mean(loud > 0.05)))
    voice += _breath(loud, centres, widths, samples, rng) * power * rng.uniform(0.003, 0.05)
    _add_consonants(voice, notes, power, rng)
    return (0.1 * voice / max(power, 1e-9)).astype(np.float32)


def _add_consonants(voice: np.ndarray, notes: Notes, power: float, rng: np.random.Generator) -> None:
    """Fricatives and plosives before a part of the notes and between some; breathing in before phrases."""
    share, last = rng.uniform(0.3, 0.8), 0.0
    gain = 10 ** (rng.uniform(-6, 6) / 20)
    for onset, length, _, velocity in notes:
        places = [onset, *([onset + length] if rng.random() < 0.25 else [])]
        for at in places:
            if rng.random() > share:
                continue
            plosive = rng.random() < 0.4
            low, high, ms, db = (PLOSIVES if plosive else FRICATIVES)[rng.integers(3 if plosive else 5)]
            count = int(ms * rng.uniform(0.6, 1.6) * RATE / 1000)
            start = int(at * RATE) - count // 2
            if start < 0 or start + count > len(voice) or count < 64:
                continue
            level = power * gain * 10 ** (db / 20) * (velocity / 100) ** 1.5 * rng.uniform(0.6, 1.6)
            shape = np.exp(-np.arange(count) / (0.3 * count)) if plosive else np.hanning(count)
            voice[start : start + count] += level * shape * _band_noise(count, low, high, rng)
        if onset - last > 0.5 and rng.random() < 0.5:
            count = int(rng.uniform(0.15, 0.35) * RATE)
            start = int(onset * RATE) - count - 2000
            if start > 0:
                breath = _band_noise(count, 700, 7000, rng) * np.hanning(count)
                voice[start : start + count] += power * gain * 0.03 * breath
        last = onset + length
