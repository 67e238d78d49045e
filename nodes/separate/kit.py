"""Kits: spectral templates learnt at the sound check, from takes of one part alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.errors import FollowspotError
from nodes.separate.masked import framing_of
from nodes.spectral.tapers import taper

ITERATIONS = 60
#: Templates of a part. More for the pitched parts, and they explain the strokes away.
STRUCK, PITCHED, BASS = 30, 30, 15
VOICES = ("vocal", "voice", "vox", "sing", "choir", "speech")
DRUMS = ("drum", "kick", "snare", "hihat", "hi-hat", "hat", "tom", "cymbal", "perc", "clap")
DRUM, VOICE, LOW, REST = range(4)  # what a part is
FORMAT = 1

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """One part of a kit: its name, whether it is struck, and its templates (bins, count)."""

    name: str
    struck: bool
    templates: Array


@dataclass(frozen=True)
class Kit:
    """What the sound check learnt; parts in the order of the outputs, the last is the rest."""

    rate: int
    mode: str
    parts: tuple[Part, ...]

    def save(self, path: str | Path) -> None:
        """Write a .npz; FollowspotError if it cannot be written."""
        arrays = {f"templates{k}": part.templates.astype(np.float16) for k, part in enumerate(self.parts)}
        names = np.array([part.name for part in self.parts])
        struck = np.array([part.struck for part in self.parts])
        try:
            with open(path, "wb") as file:
                np.savez_compressed(
                    file, format=FORMAT, rate=self.rate, mode=self.mode, names=names, struck=struck, **arrays
                )
        except OSError as error:
            raise FollowspotError(f"kit {path}: cannot be written ({error.strerror})") from None

    @classmethod
    def load(cls, path: str | Path) -> Kit:
        """Read what `save` wrote; FollowspotError, one line, if it is missing or no kit."""
        try:
            with np.load(path, allow_pickle=False) as file:
                if int(file["format"]) != FORMAT:
                    raise FollowspotError(f"kit {path}: is of another version; learn it again")
                parts = tuple(
                    Part(str(name), bool(struck), file[f"templates{k}"].astype(np.float32))
                    for k, (name, struck) in enumerate(zip(file["names"], file["struck"], strict=True))
                )
                return cls(int(file["rate"]), str(file["mode"]), parts)
        except FileNotFoundError:
            raise FollowspotError(f"kit {path}: there is no such file; learn one first") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FollowspotError(f"kit {path}: is no kit ({error}); learn it again") from None

    def templates_at(self, rate: int) -> list[Array]:
        """Templates of each part (bins, count) for another sample rate."""
        if rate == self.rate:
            return [part.templates for part in self.parts]
        window, _, _ = framing_of(self.mode, rate)
        wanted = np.arange(window // 2 + 1) * rate / window
        out = []
        for part in self.parts:
            bins = len(part.templates)
            own = np.arange(bins) * self.rate / (2 * (bins - 1))
            columns = [np.interp(wanted, own, column, right=0.0) for column in part.templates.T]
            out.append(np.stack(columns, axis=1).astype(np.float32))
        return out


def stem_of(part: Part) -> int:
    """What a part is, by its name: `DRUM`, `VOICE`, `LOW` (bass) or `REST`."""
    name = part.name.lower()
    if part.struck:
        return DRUM
    return VOICE if any(word in name for word in VOICES) else LOW if "bass" in name else REST


def learn(takes: Mapping[str, Array], rate: int, mode: str = "studio") -> Kit:
    """A kit from takes (samples,) of each part alone, by name, in the order of the outputs.

    A name that tells a drum (kick, snare, hi-hat, drums ...) makes a struck part. Raises FollowspotError for
    a take that is shorter than a quarter of a second or silent.
    """
    parts = []
    for name, take in takes.items():
        struck = any(word in name.lower() for word in DRUMS)
        magnitudes = _magnitudes(name, take, rate, mode)
        count = STRUCK if struck else BASS if "bass" in name.lower() else PITCHED
        count = min(count, magnitudes.shape[1])
        parts.append(Part(name, struck, factorise(magnitudes, count)))
    return Kit(rate, mode, tuple(parts))


def _magnitudes(name: str, take: Array, rate: int, mode: str) -> Array:
    """Frames (bins, frames) of a take that are not silent."""
    window, hop, _ = framing_of(mode, rate)
    if len(take) < rate // 4:
        raise FollowspotError(f"take {name}: is shorter than a quarter of a second; record a bar at least")
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(take, np.float32), window)[:: hop // 2]
    shape = taper("sine" if 2 * hop == window else "hann", window)
    magnitudes = np.abs(np.fft.rfft(windows * shape, axis=1)).astype(np.float32).T
    loud = magnitudes.sum(axis=0)
    if loud.max() < 1e-3:
        raise FollowspotError(f"take {name}: is silent; check the microphone and record it again")
    return np.ascontiguousarray(magnitudes[:, loud > 1e-3 * loud.max()])


def factorise(magnitudes: Array, count: int) -> Array:
    """Templates (bins, count) of sum 1: multiplicative updates for the KL divergence from frames of it."""
    frames = magnitudes.shape[1]
    chosen = np.linspace(0, frames - 1, count).astype(int)
    templates = magnitudes[:, chosen] + 1e-3 * magnitudes.mean(axis=1, keepdims=True) + 1e-9
    templates /= templates.sum(axis=0)
    activations = np.full((count, frames), 1.0, np.float32) * magnitudes.sum(axis=0) / count
    for _ in range(ITERATIONS):
        ratio = magnitudes / (templates @ activations + 1e-9)
        activations *= templates.T @ ratio
        ratio = magnitudes / (templates @ activations + 1e-9)
        templates *= (ratio @ activations.T) / (activations.sum(axis=1) + 1e-9)
        templates /= templates.sum(axis=0) + 1e-12
    return np.asarray(templates, np.float32)
