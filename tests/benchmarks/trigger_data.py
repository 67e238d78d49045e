"""What the trigger benchmark measures on: evaluation recordings, truths, and the runs of preset and peers."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import mido
import numpy as np
import soundfile as sf

from engine.events import Event
from engine.offline import run_offline
from engine.plan import compile_graph
from engine.preset import PresetSource
from engine.runner import Runner

RATE = 44100
DATA = Path(os.environ.get("FOLLOWSPOT_DATA", "../shared/data"))


@dataclass
class Said:
    """A note as it was last said: seconds of its time, of its first and of its last word."""

    time: float
    emitted: float
    confirmed: float
    pitch: float
    label: str
    velocity: int
    first_label: str = ""


@dataclass
class Run:
    """What a tracker said about one recording, and the processor seconds that it took."""

    notes: list[Said] = field(default_factory=list)
    spent: float = 0.0


def play(preset_name: str, audio: np.ndarray, rate: int = RATE, **values: str) -> Run:
    """The notes of a preset."""
    overrides = tuple(f"{name.replace('__', '.')}={value}" for name, value in values.items())
    preset = PresetSource(preset_name, (*overrides, f"engine.rate={rate}")).load()
    plan = compile_graph(preset.build())
    runner = Runner(plan, strict=True)
    events: list[Event] = []
    audio = np.asarray(audio, np.float32)
    blocks = np.pad(audio, (0, -len(audio) % preset.quantum)).reshape(-1, 1, preset.quantum)
    begun = time.process_time()
    run_offline(runner, blocks, events.append)
    spent = time.process_time() - begun
    plan.release()
    notes: dict[int, Said] = {}
    for event in events:
        if event.kind != "note":
            continue
        values_ = event.values
        at, said = event.time / rate, event.emitted / rate
        old = notes.get(event.key)
        label = str(values_.get("label", ""))
        notes[event.key] = Said(
            at, old.emitted if old else said, said, float(values_["pitch"]), label,
            int(values_["velocity"]), old.first_label if old else label,
        )  # fmt: skip
    return Run(list(notes.values()), spent)


def merged(times: np.ndarray, within: float = 0.03) -> np.ndarray:
    """Times of which none follows another by less than `within` seconds."""
    kept: list[float] = []
    for at in np.sort(times):
        if not kept or at - kept[-1] >= within:
            kept.append(float(at))
    return np.array(kept)


def songs(seconds: float) -> Iterator[tuple[str, dict[str, np.ndarray], list[tuple[float, str]]]]:
    """Name, stems and strokes (seconds, class) of the drum songs."""
    for folder in sorted((DATA / "mdb").iterdir()):
        stop = int(seconds * RATE)
        stems = {
            file.stem: sf.read(file, dtype="float32")[0][:stop] for file in sorted(folder.glob("*.flac"))
        }
        rows = [line.split() for line in (folder / "drums.txt").read_text().splitlines() if line.strip()]
        yield folder.name, stems, [(float(at), kind) for at, kind in rows if float(at) < seconds - 0.1]


PARTS = {"violin": 1, "clarinet": 2, "saxophone": 3, "bassoon": 4}


def chorales(seconds: float) -> Iterator[tuple[str, Path, np.ndarray, np.ndarray]]:
    """Name, file, audio and rows of (onset s, MIDI pitch) of every stem of the chorales.

    The onsets are those of the chords: the players of one chord are tens of ms apart.
    """
    for folder in sorted((DATA / "bach10").iterdir()):
        rows = np.loadtxt(folder / "notes.txt")
        for instrument, part in PARTS.items():
            file = folder / f"{instrument}.flac"
            own = rows[(rows[:, 3] == part) & (rows[:, 0] < 1e3 * seconds - 300)][:, [0, 2]] * [1e-3, 1.0]
            audio = sf.read(file, dtype="float32")[0][: int(seconds * RATE)]
            yield f"{folder.name} {instrument}", file, audio, own[own[:, 0].argsort()]


def moved_to_pitch(audio: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows with each onset moved, 0.2 s back to 0.3 s on, to where aubio's YIN reaches the pitch.

    A note of the same pitch as the last, and one whose pitch is not found, stay where they are.
    """
    import aubio

    window, hop = 2048, 256
    yin = aubio.pitch("yinfft", window, hop, RATE)
    track = []
    for start in range(0, len(audio) - hop + 1, hop):
        heard = float(yin(audio[start : start + hop])[0])
        track.append(69 + 12 * np.log2(heard / 440) if heard > 20 else 0.0)
    times = (np.arange(len(track)) + 1) * hop / RATE - window / 2 / RATE
    moved, before = rows.copy(), 0.0
    for row in moved:
        near = np.abs(np.array(track) - row[1]) < 0.6
        first, stop = np.searchsorted(times, [row[0] - 0.2, row[0] + 0.3])
        for k in range(first, min(stop, len(near) - 12)):
            if (
                row[1] != before
                and near[k]
                and near[k : k + 12].mean() > 0.75
                and near[max(0, k - 6) : k].mean() < 0.7
            ):
                row[0] = times[k]
                break
        before = row[1]
    return moved


PIANO_FONT = Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3")


def performances(seconds: float) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, audio and rows of (onset s, MIDI pitch) of the beginning of a performance of every piece."""
    for folder in sorted((DATA / "asap").iterdir()):
        performance = next(f for f in sorted(folder.glob("*.mid")) if f.name != "score.mid")
        track, rows, now = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)]), [], 0.0
        for message in mido.MidiFile(performance):
            now += message.time
            if now > seconds - 0.3:
                break
            if not message.is_meta:
                track.append(message.copy(time=round(message.time * 1000)))
            if message.type == "note_on" and message.velocity:
                rows.append((now, message.note))
        with tempfile.TemporaryDirectory() as place:
            midi, wave = Path(place) / "piece.mid", Path(place) / "piece.wav"
            mido.MidiFile(ticks_per_beat=1000, tracks=[track]).save(midi)
            words = [
                "fluidsynth",
                "-ni",
                "-q",
                "-r",
                str(RATE),
                "-g",
                "0.6",
                "-F",
                str(wave),
                str(PIANO_FONT),
            ]
            subprocess.run([*words, str(midi)], check=True, capture_output=True)
            audio = sf.read(wave, dtype="float32", always_2d=True)[0].mean(axis=1)
        yield folder.name, audio[: int(seconds * RATE)], np.array(rows)
