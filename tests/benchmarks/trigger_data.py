"""What the trigger benchmark measures on: evaluation recordings, truths, and the runs of preset and peers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

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


def songs() -> Iterator[tuple[str, dict[str, np.ndarray], list[tuple[float, str]]]]:
    """Name, stems and strokes (seconds, class) of the drum songs."""
    for folder in sorted((DATA / "mdb").iterdir()):
        stems = {file.stem: sf.read(file, dtype="float32")[0] for file in sorted(folder.glob("*.flac"))}
        rows = [line.split() for line in (folder / "drums.txt").read_text().splitlines() if line.strip()]
        yield folder.name, stems, [(float(at), kind) for at, kind in rows]
