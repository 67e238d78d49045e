"""`followspot trigger --takes`: a preset that knows a kit, from takes of each drum alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from apps.terminal import note
from engine.audio.files import open_sound
from engine.errors import FollowspotError, suggestion
from engine.events import Event
from engine.offline import quanta, run_offline
from engine.plan import compile_graph
from engine.preset import Preset
from engine.runner import Runner
from nodes.pitch.drum_notes import DELAY, LABELS, DrumNotes
from nodes.pitch.drum_takes import certainties, cut, groove

LONGEST = 60.0  # seconds of a take that are used

Array = np.ndarray


def learn_kit(preset: Preset, base: str, words: list[str], path: str) -> None:
    """Hear the takes ("NAME=FILE") through the preset; write what extends it (`base`) for this kit."""
    id = next((id for id, (kind, _) in preset.nodes.items() if kind is DrumNotes), None)
    if id is None:
        raise FollowspotError(f"--takes: preset {preset.name!r} has no node of type drum_notes")
    strokes = {name: _strokes(preset, id, name, file) for name, file in _files(words).items()}
    audio, times = groove(strokes, preset.rate)
    heard, seconds, _ = _hear(preset, id, audio)
    before = float(preset.nodes[id][1].get("certainty", DrumNotes.certainty.default))
    _write(path, base, id, certainties(heard, seconds, times, before))
    told = ", ".join(f"{name} {len(own)}" for name, own in strokes.items())
    note(f"{path}: strokes of {told}; a drum without a take is never named")


def _files(words: list[str]) -> dict[str, str]:
    """NAME=FILE as a dict, in the order of the labels."""
    files: dict[str, str] = {}
    for word in words:
        name, _, file = word.partition("=")
        if name not in LABELS:
            raise FollowspotError(f"--takes {word}: there is no drum {name!r}; {suggestion(name, LABELS)}")
        if not file or name in files:
            raise FollowspotError(f"--takes {word}: write NAME=FILE, once for each drum")
        files[name] = file
    return {name: files[name] for name in LABELS if name in files}


def _strokes(preset: Preset, id: str, name: str, file: str) -> list[Array]:
    """The strokes of a take, cut out, one channel."""
    sound = open_sound(file, preset.rate, preset.quantum, preset.channels)
    blocks = [block.copy() for block in sound.blocks()]
    take = np.concatenate(blocks, axis=1).mean(axis=0)[: round(LONGEST * preset.rate)]
    _, _, times = _hear(preset, id, take)
    strokes = cut(take, times, preset.rate)
    if not strokes:
        raise FollowspotError(f"--takes {name}={file}: no stroke was heard; record some of this drum alone")
    return strokes


def _hear(preset: Preset, id: str, audio: Array) -> tuple[Array, Array, list[int]]:
    """Logits of the classes by frame, seconds of the stroke that each would tell, samples of the strokes."""
    plan = compile_graph(preset.build())
    blocks = quanta(np.tile(audio, (len(plan.input), 1)), preset.quantum)
    frames = plan.nodes[id].activation
    rows: list[Array] = []
    times: set[int] = set()

    def take_down(_: int) -> None:
        rows.extend(frames.data[: frames.count, 1:].copy())

    def listen(event: Event) -> None:
        if event.kind == "note" and event.revision == 0:
            times.add(event.time)

    try:
        run_offline(Runner(plan), blocks, listen, take_down)
    finally:
        plan.release()
    chance = np.clip(np.array(rows, np.float64), 1e-9, 1.0 - 1e-9)
    samples = frames.format.origin + (np.arange(len(rows)) - (DELAY - 0.5)) * frames.format.hop
    return np.log(chance / (1.0 - chance)), samples / preset.rate, sorted(times)


def _write(path: str, base: str, id: str, found: dict[str, float]) -> None:
    lines = [
        "preset = 1",
        f'extends = "{Path(base).resolve() if Path(base).is_file() else base}"',
        f"[nodes.{id}]  # learnt from takes; 1: not in this kit",
        *(f"{name}_certainty = {value:.3f}" for name, value in found.items()),
    ]
    try:
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise FollowspotError(f"--kit {path}: cannot be written ({error.strerror})") from None
