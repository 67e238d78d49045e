"""Music for the matcher's benchmark: real pianists, rendered, and made-up documents to fill a library up.

Renders and features are kept under build/benchmarks/match; `--renders` names another folder of renders
(asap__PIECE__PIANIST.wav).
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.audio.files import AudioFile
from nodes.match import features
from nodes.match.chroma_kernels import FINE, fold
from nodes.match.scan import Part

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("FOLLOWSPOT_DATA", ROOT.parent / "shared" / "data"))
CACHE = ROOT / "build" / "benchmarks" / "match"
FONTS = (
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
    "/usr/share/sounds/sf2/TimGM6mb.sf2",
)


@dataclass(frozen=True)
class Performance:
    """One pianist playing one piece.

    Parameters
    ----------
    fine : (n, 120) fine chroma at 10 Hz.
    beats : seconds of the beats; beat i is the same beat in all performances of the piece.
    """

    piece: str
    pianist: str
    sound: Path
    fine: Any
    beats: Any


def pieces() -> list[str]:
    """The names of all pieces; the even ones were used to choose parameters, the odd ones are reported."""
    return sorted(path.name for path in (DATA / "asap").iterdir() if path.is_dir())


def performances(piece: str, renders: Path) -> list[Performance]:
    """All performances of a piece, each rendered with another sound font than the one before."""
    found = []
    midis = sorted(file for file in (DATA / "asap" / piece).glob("*.mid") if file.stem != "score")
    for n, midi in enumerate(midis):
        sound = renders / f"asap__{piece}__{midi.stem}.wav"
        if not sound.exists():
            _render(midi, sound, FONTS[(len(piece) + n) % len(FONTS)])
        lines = (midi.parent / f"{midi.stem}_beats.txt").read_text().splitlines()
        beats = np.array([float(line.split()[0]) for line in lines])
        found.append(Performance(piece, midi.stem, sound, fine_chroma(sound), beats))
    return found


def _render(midi: Path, sound: Path, font: str) -> None:
    sound.parent.mkdir(parents=True, exist_ok=True)
    command = ["fluidsynth", "-ni", "-q", "-r", "44100", "-g", "0.6", "-F", str(sound), font, str(midi)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def fine_chroma(sound: Path) -> Any:
    """Fine chroma (n, 120) of a recording, cached."""
    cache = CACHE / f"{sound.stem}.npy"
    if cache.exists():
        return np.load(cache).astype(np.float32)
    chroma = features.FineChroma()
    rows = []
    for block in AudioFile(sound, features.RATE, features.HOP).blocks():
        rows.append(np.zeros(FINE, np.float32))
        chroma.push(block[0], rows[-1])
    CACHE.mkdir(parents=True, exist_ok=True)
    np.save(cache, np.array(rows, np.float16))
    return np.load(cache).astype(np.float32)


def plain_chroma(fine: Any, keep: float = 1.0) -> Any:
    """Chroma (n, 12), tuned by the whole recording, or (keep < 1) by what was heard so far."""
    tuning = features.Tuning(keep)
    chroma = np.zeros((len(fine), 12), np.float32)
    if keep == 1.0:
        for row in fine:
            tuning.push(row)
    for row, out in zip(fine, chroma, strict=True):
        if keep < 1.0 and row.any():
            tuning.push(row)
        fold(row, tuning.value, out)
    return chroma


def query_frames(fine: Any) -> Any:
    """The frames that `features.QueryFrames` makes of music that begins with `fine`."""
    chroma = plain_chroma(fine, keep=0.99)
    known = (len(chroma) - 1 - features.SMOOTH // 2) // features.DECIMATION + 1
    return features.smoothed(chroma)[:known]


def scrambled(sources: list[Any], seconds: float, noise: np.random.Generator) -> Any:
    """A document cut from real chroma: stretches of 4 to 12 s, each in another key and at another speed."""
    parts: list[Any] = []
    while sum(map(len, parts)) < seconds * 10:
        source = sources[noise.integers(len(sources))]
        length = int(noise.integers(40, 120))
        start = int(noise.integers(0, max(1, len(source) - length)))
        cut = np.roll(source[start : start + length], noise.integers(1, 12), axis=1)
        at = np.arange(0.0, len(cut) - 1, noise.uniform(0.75, 1.33))
        below = at.astype(int)
        share = (at - below)[:, None]
        parts.append(cut[below] * (1 - share) + cut[below + 1] * share)
    return np.concatenate(parts).astype(np.float32)


def composed(seconds: float, noise: np.random.Generator) -> Any:
    """A document of made-up chords and melody notes in one key, as chroma at 10 Hz."""
    triads = np.array([[0, 4, 7], [2, 5, 9], [4, 7, 11], [5, 9, 0], [7, 11, 2], [9, 0, 4], [11, 2, 5]])
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    count, key = int(seconds * 10), int(noise.integers(12))
    balance = noise.uniform(0.3, 1.0, 12)
    chroma = np.zeros((count, 12))
    at = 0
    while at < count:
        chord = np.zeros(12)
        chord[(triads[noise.integers(7)] + key) % 12] = noise.uniform(0.3, 1.0, 3)
        end = at + int(noise.integers(4, 20))
        while at < end:
            frame = chord.copy()
            frame[(scale[noise.integers(7)] + key) % 12] += noise.uniform(0.3, 1.5)
            length = int(noise.integers(1, 6))
            chroma[at : at + length] = (frame + 0.25 * np.roll(frame, 7)) * balance
            at += length
    chroma += 0.08 * noise.random((count, 12))
    decay = np.exp(-np.arange(8) / 2.5)
    return np.stack([np.convolve(chroma[:, c], decay)[:count] for c in range(12)], axis=1).astype(np.float32)


def fillers(hours: float, sources: list[Any], seed: int = 1) -> list[Any]:
    """Documents (n, 12) int8 of `hours` in all, half of them scrambled, half composed; cached by hours."""
    cache = CACHE / f"fillers-{hours:g}-{seed}.npz"
    if cache.exists():
        kept = np.load(cache)
        return np.split(kept["frames"], np.cumsum(kept["lengths"])[:-1])
    noise = np.random.default_rng(seed)
    documents: list[Any] = []
    total = 0
    while total < hours * 3600 * features.FRAME_RATE:
        seconds = float(noise.uniform(180, 360))
        odd = len(documents) % 2
        chroma = composed(seconds, noise) if odd else scrambled(sources, seconds, noise)
        documents.append(features.as_bytes(features.smoothed(chroma)))
        total += len(documents[-1])
    CACHE.mkdir(parents=True, exist_ok=True)
    np.savez(cache, frames=np.concatenate(documents), lengths=[len(d) for d in documents])
    return documents


def part_of(documents: list[Any]) -> Part:
    """Documents (n, 12) int8 as something to search."""
    lengths = np.array([len(document) for document in documents], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    return Part(np.ascontiguousarray(np.concatenate(documents).T), starts, lengths)


class Corpus:
    """The performances, the references among them and the fillers."""

    def __init__(self, renders: Path, hours: float) -> None:
        self.players = {piece: performances(piece, renders) for piece in pieces()}
        self.names = list(self.players)
        self.references = [players[0] for players in self.players.values()]
        even = [player for piece in self.names[::2] for player in self.players[piece]]
        # Scrambled from even pieces only: a cut of a queried piece in another key would be a true match.
        self.fillers = fillers(hours, [plain_chroma(player.fine) for player in even])

    def documents(self) -> list[Any]:
        """Reference i is the i-th piece; behind them the fillers."""
        real = [features.as_bytes(features.reference_frames(p.fine)[0]) for p in self.references]
        return real + self.fillers

    def queries(self, count: int, seconds: float, seed: int) -> list[tuple[int, Performance, int, Any]]:
        """(number of the piece, performance, first chroma frame, query frames), over the odd pieces."""
        noise = np.random.default_rng(seed)
        found = []
        for n in range(count):
            number = 1 + 2 * (n % (len(self.names) // 2))
            players = self.players[self.names[number]][1:]
            player = players[noise.integers(len(players))]
            length = round(seconds * 10)
            start = int(noise.integers(0, len(player.fine) - length))
            found.append((number, player, start, query_frames(player.fine[start : start + length])))
        return found

    def truth(self, number: int, player: Performance, seconds: float) -> float:
        """Seconds of the reference that sound at so many seconds of a performance."""
        reference = self.references[number]
        n = min(len(player.beats), len(reference.beats))
        return float(np.interp(seconds, player.beats[:n], reference.beats[:n]))
