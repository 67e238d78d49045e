"""The recording whose sounds a mosaic is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from engine.errors import FollowspotError
from nodes.spectral.tapers import taper

WINDOW, HOP = 2048, 1024  # samples at 44.1 and 48 kHz
SILENT = 0.01  # frames below this share of the loudest are left out: they would be noise, amplified

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Source:
    """Frame k is samples[:, k * hop : k * hop + window].

    Attributes
    ----------
    samples : (channels, (frames - 1) * hop + window).
    magnitudes : (bins, frames), the mean over the channels in power; a frame that is silent is 0.
    rate, window, hop : Hz, samples, samples.
    """

    samples: Array
    magnitudes: Array
    rate: int
    window: int
    hop: int


def framing_at(rate: int) -> tuple[int, int]:
    """Window and hop in samples: the powers of two nearest to 46 and 23 ms."""
    scale = 2.0 ** round(np.log2(rate / 44100))
    return int(WINDOW * scale), int(HOP * scale)


def load_source(path: str | Path, rate: int | None = None, longest: float = np.inf) -> Source:
    """Read the first `longest` seconds of a sound file, resampled to `rate` (None: as it is).

    Raises FollowspotError, one line, if it is missing, no sound, shorter than a window or silent.
    """
    samples, own_rate = read_sound(path, "source")
    samples = samples[:, : int(min(longest * own_rate, samples.shape[1]))]
    if rate is None:
        rate = own_rate
    elif rate != own_rate:
        samples = np.ascontiguousarray(soxr.resample(samples.T, own_rate, rate).T)
    window, hop = framing_at(rate)
    frames = (samples.shape[1] - window) // hop + 1
    if frames < 2:
        raise FollowspotError(f"source {path}: is shorter than a tenth of a second; give a longer one")
    samples = np.ascontiguousarray(samples[:, : (frames - 1) * hop + window])
    magnitudes = magnitudes_of(samples, window, hop)
    loudness = magnitudes.sum(axis=0)
    if loudness.max() < 1e-3:
        raise FollowspotError(f"source {path}: is silent; give one with sound")
    magnitudes[:, loudness < SILENT * loudness.max()] = 0.0
    return Source(samples, magnitudes, rate, window, hop)


def read_sound(path: str | Path, what: str) -> tuple[Array, int]:
    """Samples (channels, n) and rate of a sound file; `what` names it in a fault."""
    if not Path(path).is_file():
        raise FollowspotError(f"{what} {path}: there is no such file; check the path")
    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        reason = str(getattr(error, "error_string", error)).rstrip(". ")
        raise FollowspotError(
            f"{what} {path}: cannot be read as sound ({reason}); give a WAV, FLAC, Ogg, MP3 or AIFF file"
        ) from None
    return np.ascontiguousarray(samples.T), rate


def magnitudes_of(samples: Array, window: int, hop: int) -> Array:
    """Magnitudes (bins, frames) under a Hann window: the root of the mean power of the channels."""
    shape = taper("hann", window)
    frames = (samples.shape[1] - window) // hop + 1
    power = np.zeros((window // 2 + 1, frames), np.float32)
    for channel in samples:
        windows = np.lib.stride_tricks.sliding_window_view(channel, window)[::hop]
        power += np.abs(np.fft.rfft(windows * shape, axis=1).astype(np.complex64)).T ** 2
    return np.sqrt(power / len(samples))
