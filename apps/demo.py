"""A short piece that Followspot makes itself is played to it, and the beats that it hears are shown.

Nothing is known to it beforehand: the music goes in quantum by quantum at its own pace, and each beat is
shown when it is due. If there is a loudspeaker, you hear the music with a click on every beat heard.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from time import perf_counter, sleep
from typing import Any

import numpy as np

from apps.beat_view import Beat, BeatLine
from apps.demo_music import Piece, compose
from apps.terminal import duration, is_terminal, note, quietly
from engine.events import Event
from engine.offline import Block, quanta, run_offline
from engine.plan import compile_graph
from engine.preset import PresetSource
from engine.runner import Runner

#: The engine hears the music so much before the loudspeaker plays it, so that the click can be mixed in.
LEAD = 0.25
_TOLERANCE = 0.07  # seconds; the usual window of beat evaluation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--offline", action="store_true", help="as fast as it can, silently")


def run(args: argparse.Namespace) -> None:
    preset = PresetSource("beats").load()
    note("Composing, and compiling the beat tracker ...")
    piece = compose(preset.rate)
    runner = Runner(compile_graph(preset.build()))
    runner.warm_up()
    demo = Demo(piece, shown=is_terminal(sys.stdout))
    blocks = quanta(piece.samples, preset.quantum)
    if args.offline:
        run_offline(runner, blocks, demo.hear)
    else:
        note(f"{duration(piece.seconds)} of music that nobody told the tracker about. Ctrl-C stops.\n")
        playback = loudspeaker(demo.mix, piece.rate) or SilentPlayback(piece.rate)
        try:
            run_offline(runner, paced(blocks, piece.rate, playback.position, demo.draw), demo.hear)
            while playback.position() < len(piece.samples):
                demo.draw(playback.position())
                sleep(0.02)
        finally:
            playback.stop()
            demo.end()
        if isinstance(playback, SilentPlayback):
            note("(there is no loudspeaker here, so it played in silence)")
    note("\n" + score(piece, demo.times, demo.leads))
    note("\nNow your own music:\n  followspot beats song.wav\n  followspot beats mic")


class Demo:
    """Collects the beats, shows them, and clicks on them."""

    def __init__(self, piece: Piece, *, shown: bool) -> None:
        self.rate = piece.rate
        self.mix = 0.7 * piece.samples
        self.times: list[float] = []
        self.leads: list[float] = []  # seconds by which each beat was said before it fell
        self._seconds = piece.seconds
        self._waiting: list[Beat] = []
        self._line = BeatLine(sys.stdout) if shown else None
        t = np.arange(round(0.03 * piece.rate)) / piece.rate
        self._click = (0.5 * np.sin(2 * np.pi * 1760 * t) * np.exp(-t * 120)).astype(np.float32)

    def hear(self, event: Event) -> None:
        """Take an event that is due."""
        if event.kind != "beat":
            return
        beat = Beat.of(event, self.rate)
        self.times.append(beat.time)
        self.leads.append((event.time - event.emitted) / self.rate)
        place = self.mix[event.time : event.time + len(self._click)]
        place += self._click[: len(place)]
        if self._line is None:
            print(beat.columns(), flush=True)
        else:
            self._waiting.append(beat)

    def draw(self, position: int) -> None:
        """Show what has been heard of the music up to `position`, in samples."""
        if self._line is None:
            return
        now = position / self.rate
        while self._waiting and self._waiting[0].time <= now:
            self._line.beat(self._waiting.pop(0))
        self._line.draw(now, f"of {duration(self._seconds)}")

    def end(self) -> None:
        """The music is over."""
        if self._line is not None:
            self._line.end()


class SilentPlayback:
    """Time passes as if the music played."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._begun = perf_counter()

    def position(self) -> int:
        """Samples played so far."""
        return round((perf_counter() - self._begun - LEAD) * self._rate)

    def stop(self) -> None:
        """Nothing to stop."""


class Loudspeaker:
    """Plays `mix` through the default output while it is still being written."""

    def __init__(self, open_stream: Callable[..., Any], mix: Block, rate: int) -> None:
        self._mix = mix
        self._position = -round(LEAD * rate)
        self._stream = open_stream(samplerate=rate, channels=1, dtype="float32", callback=self._callback)
        self._latency = round(self._stream.latency * rate)
        self._stream.start()

    def position(self) -> int:
        """Samples heard so far."""
        return self._position - self._latency

    def stop(self) -> None:
        """Fall silent."""
        self._stream.close()

    def _callback(self, out: Any, frames: int, time: Any, status: Any) -> None:
        start, stop = self._position, self._position + frames
        self._position = stop
        out[:] = 0.0
        first = max(0, -start)
        block = self._mix[max(0, start) : max(0, stop)]
        out[first : first + len(block), 0] = block


def loudspeaker(mix: Block, rate: int) -> Loudspeaker | None:
    """The default output of this machine, playing; None where there is none."""
    os.environ.setdefault("JACK_NO_START_SERVER", "1")  # looking for devices must not start a server
    with quietly():
        try:
            import sounddevice
        except OSError:  # PortAudio is not installed
            return None
        try:
            return Loudspeaker(sounddevice.OutputStream, mix, rate)
        except sounddevice.PortAudioError:
            return None


def paced(
    blocks: Iterator[Block], rate: int, position: Callable[[], int], draw: Callable[[int], None]
) -> Iterator[Block]:
    """`blocks`, each when `position` has come within LEAD of it; draws while it waits."""
    start = 0
    for block in blocks:
        stop = start + block.shape[1]
        while (ahead := stop - position() - round(LEAD * rate)) > 0:
            draw(position())
            sleep(min(0.02, ahead / rate))
        start = stop
        yield block


def score(piece: Piece, heard: list[float], leads: list[float]) -> str:
    """How well the beats were heard, in words."""
    if not heard:
        return f"It heard none of the {len(piece.beats)} beats."
    times = np.array(heard)
    nearest = times[np.abs(piece.beats[:, None] - times).argmin(axis=1)]
    errors = nearest - piece.beats
    hits = np.abs(errors) <= _TOLERANCE
    text = f"It heard {hits.sum()} of {len(piece.beats)} beats within {_TOLERANCE * 1000:.0f} ms"
    if hits.any():
        first = piece.beats[hits][0] - piece.beats[0]
        text += (
            f" (median {np.median(errors[hits]) * 1000:+.0f} ms), "
            f"the first {first:.1f} s after the music began"
        )
    more = len(times) - hits.sum()
    text += f", and {more} that were not there.\n" if more else ".\n"
    return text + f"Half of them were said {np.median(leads) * 1000:.0f} ms or more before they fell."
