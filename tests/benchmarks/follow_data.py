"""Performances with known beats for the follower's benchmark: where to find them and how to make their sound.

Piano performances are MIDI and become audio with FluidSynth, a different sound font for each; chorales are
recordings. Nothing of the data is kept in the repository.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("FOLLOWSPOT_DATA", ROOT / "../shared/data"))
BUILD = ROOT / "build" / "benchmarks" / "follow"
FONTS = [
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3"),
    Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
]


@dataclass(frozen=True)
class Performance:
    """`score`: file of the reference; `beats`: (reference s, performance s) pairs; `audio`, `midi`: files.

    `firsts`: like `beats`, but with the first note of each chord instead of its median.
    """

    name: str
    score: Path
    beats: np.ndarray
    audio: Path
    midi: Path | None = None
    firsts: np.ndarray | None = None


def render(midi: Path, name: str, turn: int) -> Path:
    """The sound of a MIDI file, rendered once."""
    BUILD.mkdir(parents=True, exist_ok=True)
    out = BUILD / f"{name}.flac"
    if not out.exists():
        fonts = [font for font in FONTS if font.exists()]
        raw = BUILD / f"{name}.wav"
        font = str(fonts[turn % len(fonts)])
        command = ["fluidsynth", "-ni", "-q", "-r", "44100", "-g", "0.6", "-F", str(raw), font, str(midi)]
        subprocess.run(command, check=True, capture_output=True)
        sound, rate = soundfile.read(raw, dtype="float32")
        soundfile.write(out, sound.mean(axis=1), rate)
        raw.unlink()
    return out


def asap(pianists: int) -> list[Performance]:
    """The first so many pianists of every piece; the reference is the score's MIDI file."""
    found = []
    for turn, folder in enumerate(sorted((DATA / "asap").iterdir())):
        players = sorted(p.stem for p in folder.glob("*.mid") if p.stem != "score")
        for k, player in enumerate(players[:pianists]):
            rows = [_lines(folder / f"{stem}_beats.txt") for stem in ("score", player)]
            pairs = [
                (float(a[0]), float(b[0]))
                for a, b in zip(*rows, strict=False)
                if "bR" not in a[2] and "bR" not in b[2]
            ]
            name = f"asap-{folder.name}-{player}"
            audio = render(folder / f"{player}.mid", name, turn + k)
            midi = folder / f"{player}.mid"
            found.append(Performance(name, folder / "score.mid", np.array(pairs), audio, midi))
    return found


def _lines(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines() if line.strip()]


_NOTE = re.compile(
    r"snote\([^,]*,\[(.),(.*?)\],(-?\d+),[^,]*,[^,]*,[^,]*,(-?[\d.]+),(-?[\d.]+),.*?\)-(?:note\([^,]*,\d+,(\d+),)?"
)


def vienna() -> list[Performance]:
    """All excerpts; the reference is the aligned score at the mean tempo rounded to 20 beats a minute."""
    import mido
    import partitura

    found = []
    for turn, match in enumerate(sorted((DATA / "vienna4x22").glob("*.match"))):
        rows = []
        for line in match.read_text().splitlines():
            note = _NOTE.match(line)
            if note and note[1] in "CDEFGAB":
                alter = {"#": 1, "b": -1, "##": 2, "x": 2, "bb": -2}.get(note[2], 0)
                pitch = 12 * (int(note[3]) + 1) + "C D EF G A B".index(note[1]) + alter
                played = int(note[6]) / 960 if note[6] else np.nan
                rows.append((float(note[4]), float(note[5]), pitch, played))
        notes = np.array(sorted(rows))
        onsets = np.unique(notes[~np.isnan(notes[:, 3]), 0])
        times = np.array([np.nanmedian(notes[notes[:, 0] == onset, 3]) for onset in onsets])
        first_notes = np.array([np.nanmin(notes[notes[:, 0] == onset, 3]) for onset in onsets])
        all_onsets = onsets
        keep = np.concatenate([[True], np.diff(np.maximum.accumulate(times)) > 0])
        onsets, times = onsets[keep], times[keep]
        bpm = max(20.0, 20.0 * round(3.0 * (onsets[-1] - onsets[0]) / (times[-1] - times[0])))
        first = notes[:, 0].min()
        BUILD.mkdir(parents=True, exist_ok=True)
        score = BUILD / f"vienna-{match.stem}-score.mid"
        file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
        track.append(mido.MetaMessage("set_tempo", tempo=round(6e7 / bpm), time=0))
        edges = []
        for start, stop, pitch, _ in notes:
            edges += [
                (round(480 * (start - first)), 1, int(pitch)),
                # A grace note has no length: a tick, lest it be let go before it is struck.
                (max(round(480 * (stop - first)), round(480 * (start - first)) + 1), 0, int(pitch)),
            ]
        last = 0
        for tick, on, pitch in sorted(edges):
            track.append(mido.Message("note_on", note=pitch, velocity=64 * on, time=tick - last))
            last = tick
        file.tracks.append(track)
        file.save(score)
        midi = BUILD / f"vienna-{match.stem}.mid"
        if not midi.exists():
            partitura.save_performance_midi(partitura.load_match(str(match))[0], str(midi))
        audio = render(midi, f"vienna-{match.stem}", turn)
        beats = np.stack([(onsets - first) * 60.0 / bpm, times], 1)
        firsts = np.stack([(all_onsets - first) * 60.0 / bpm, first_notes], 1)
        found.append(Performance(f"vienna-{match.stem}", score, beats, audio, midi, firsts))
    return found


def bach10() -> list[Performance]:
    """All chorales, real recordings; a chord sounds at the median of its four players."""
    found = []
    for folder in sorted((DATA / "bach10").iterdir()):
        notes = np.loadtxt(folder / "notes.txt")
        onsets = np.unique(notes[:, 1])
        times = [np.median(notes[notes[:, 1] == onset, 0]) for onset in onsets]
        beats = np.stack([onsets, times], 1) / 1000.0
        found.append(Performance(f"bach10-{folder.name}", folder / "score.mid", beats, folder / "mix.flac"))
    return found
