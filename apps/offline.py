"""Runs a preset over a file as fast as it can, with a progress bar where someone watches."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from time import perf_counter

from tqdm import tqdm

from apps.terminal import is_terminal, note
from engine.audio.files import AudioFile, Silence, open_sound
from engine.errors import FollowspotError
from engine.events import Event
from engine.offline import run_offline
from engine.plan import compile_graph
from engine.preset import Preset
from engine.runner import Runner


def open_file(path: str, preset: Preset) -> AudioFile | Silence:
    """An audio file, or `silence:SECONDS`, as the preset wants its input."""
    return open_sound(path, preset.rate, preset.quantum, preset.channels)


def run_file(
    preset: Preset, path: str, listener: Callable[[Event], None], *, progress: bool = True
) -> tuple[float, float]:
    """Put a file through a preset; returns the seconds of sound and the seconds that took.

    The preset's sinks that make sense offline (files) are fed as well. A node that fails is reported on
    stderr; the rest goes on.
    """
    file = open_file(path, preset)
    plan = compile_graph(preset.build())
    for id, sink in plan.sinks.items():
        if not sink.offline:
            note(f"sink {id} stays shut: it works live only (--realtime feeds it)")
    runner = Runner(plan)
    begun = perf_counter()
    try:
        with bar(file.seconds, preset.rate, shown=progress) as moved:
            run_offline(runner, file.blocks(), listener, moved)
    finally:
        plan.release()
        for node, reason in runner.faults.items():
            note(f"node {node} failed and was taken out: {reason}")
    return file.seconds, perf_counter() - begun


@contextlib.contextmanager
def bar(seconds: float, rate: int, *, shown: bool = True) -> Iterator[Callable[[int], None] | None]:
    """A progress bar in seconds of sound, moved by samples; nothing where nobody watches."""
    if not (shown and is_terminal(sys.stderr)):
        yield None
        return
    layout = "{percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} s of sound, {remaining} left"
    with tqdm(total=seconds, bar_format=layout, leave=False) as shown_bar:

        def moved(samples: int) -> None:
            shown_bar.update(min(seconds, samples / rate) - shown_bar.n)

        yield moved


@contextlib.contextmanager
def event_lines(path: str, rate: int) -> Iterator[Callable[[Event], None]]:
    """Writes events as JSON Lines to a file, or to stdout for "-", each flushed at once."""
    if path == "-":
        yield lambda event: print(event.to_line(rate), flush=True)
        return
    try:
        file = open(path, "w", encoding="utf-8")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise FollowspotError(f"--events {path}: cannot be written ({error.strerror})") from None
    with file:
        yield lambda event: print(event.to_line(rate), file=file, flush=True)
