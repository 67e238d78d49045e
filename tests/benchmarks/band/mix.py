"""From stems to a mix as a room, a desk or a cheap microphone would give it."""

from __future__ import annotations

import numpy as np
import soxr
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import fftconvolve, lfilter

from .bank import RATE


def room(seconds: float, rng: np.random.Generator, rate: int = RATE) -> np.ndarray:
    """A synthetic impulse response: the direct sound, then noise that decays by 60 dB in `seconds`."""
    n = int(seconds * rate)
    tail = rng.normal(size=n) * 10 ** (-3 * np.arange(n) / n)
    tail = lfilter([0.3], [1, -0.7], tail)
    tail[: int(0.004 * rate)] = 0.0
    tail *= rng.uniform(0.2, 0.9) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail.astype(np.float32)


def tilt(wave: np.ndarray, db_per_octave: float) -> np.ndarray:
    """Tilt the spectrum around 1 kHz."""
    size = next_fast_len(len(wave), real=True)
    spectrum = rfft(wave, size)
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 20.0).astype(np.float32)
    return irfft(spectrum * (frequency / 1000.0) ** np.float32(db_per_octave / 6.02), size)[
        : len(wave)
    ].astype(np.float32)


def compress(wave: np.ndarray, ratio: float) -> np.ndarray:
    """A feed-forward compressor (10 ms attack and release together) around the mean level."""
    power = lfilter([np.float32(0.002)], [1, np.float32(-0.998)], wave**2) + 1e-9
    gain = (power / power.mean()) ** (0.5 * (1.0 / ratio - 1.0))
    return (wave * np.clip(gain, 0.1, 4.0)).astype(np.float32)


def normalise(wave: np.ndarray) -> np.ndarray:
    return wave / max(1e-6, float(np.sqrt(np.mean(wave**2))))


def mix(
    stems: dict[str, np.ndarray],
    rng: np.random.Generator,
    speed: float = 1.0,
    drop_drums: bool = False,
    clean: bool = False,
) -> np.ndarray:
    """A mono mix, peak 0.05 .. 1. `speed` plays it faster (times divide by it); `clean` leaves out the
    wear."""
    total = np.zeros(len(next(iter(stems.values()))), dtype=np.float32)
    for name, wave in stems.items():
        if name == "drums" and drop_drums and len(stems) > 1:
            continue
        level = (
            10 ** (rng.normal(0, 2 if clean else 5) / 20)
            * {"drums": 1.1, "bass": 0.8, "other": 0.7, "vocals": 0.7}[name]
        )
        part = normalise(wave) * level
        if not clean and rng.random() < 0.4:
            part = tilt(part, rng.uniform(-3, 3))
        total += part.astype(np.float32)
    if speed != 1.0:
        total = soxr.resample(total, RATE, RATE / speed, quality="MQ").astype(np.float32)
    if not clean:
        if rng.random() < 0.35:
            total = fftconvolve(total, room(rng.uniform(0.15, 1.2), rng))[: len(total)].astype(np.float32)
        if rng.random() < 0.5:
            total = tilt(total, rng.uniform(-3, 3))
        if rng.random() < 0.5:
            total = compress(normalise(total), rng.uniform(1.5, 5))
        total = normalise(total)
        if rng.random() < 0.3:
            total = np.tanh(total * rng.uniform(0.5, 2.5))
        if rng.random() < 0.4:
            noise = rng.normal(size=len(total)).astype(np.float32)
            total = normalise(total) + tilt(noise, rng.uniform(-6, 0)) * 10 ** (-rng.uniform(18, 45) / 20)
    peak = 1.0 if clean else 10 ** (-rng.uniform(0, 26) / 20)
    return (total / max(1e-6, float(np.max(np.abs(total)))) * 0.98 * peak).astype(np.float32)
