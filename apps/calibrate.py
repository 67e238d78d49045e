"""Measure what outputs take, so that their events leave that much ahead. Kept per device, for every run.

    followspot calibrate audio                      clicks out of the speaker, heard at the microphone
    followspot calibrate tap lights rig             the rig flashes once a second; tap Space to what you see
    followspot calibrate list                       what has been measured

A run uses a measured latency where its preset says neither `latency_ms` nor `offset_ms` for a sink. People
tap 20 to 80 ms early on a steady pulse, so a tap test is a beginning: trim with `offset_ms` to taste.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator

import numpy as np

from apps.arguments import add_plugin
from apps.config import LATENCIES, device_name, keep_latency, read
from apps.loopback import measure
from apps.terminal import note, quietly
from engine.clock import Line, StreamClock, WallClock
from engine.errors import FollowspotError, suggestion
from engine.events import Event
from engine.live.dispatcher import Outlet
from engine.plan import compile_graph
from engine.preset import PresetSource
from engine.routes import route

PERIOD = 1.0  # seconds between two flashes
TAPS, FIRST = 12, 4  # taps that count, and flashes to get into it
EARLIEST = -0.2  # seconds: an answer comes from here to here + PERIOD around its flash
SCATTER = 60.0  # ms; taps that lie about more say nothing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    jobs = parser.add_subparsers(metavar="WAY", required=True)
    audio = jobs.add_parser("audio", help="by audio loopback: a speaker is heard at a microphone")
    audio.add_argument("--output", default="", metavar="NAME", help="a part of the output's name")
    audio.add_argument("--input", default="mic", metavar="NAME", help="a part of the input's name")
    audio.set_defaults(job=by_loopback)
    tap = jobs.add_parser("tap", help="by tapping to what a sink of a preset makes its receiver do")
    tap.add_argument("preset", metavar="PRESET", help="a preset's file or name")
    tap.add_argument("sink", metavar="SINK", help="the sink's name in it")
    add_plugin(tap)
    tap.set_defaults(job=by_tapping)
    jobs.add_parser("list", help="what has been measured").set_defaults(job=show)


def run(args: argparse.Namespace) -> None:
    args.job(args)


def by_loopback(args: argparse.Namespace) -> None:
    """`calibrate audio`."""
    note("playing clicks, about seven seconds")
    with quietly():
        loop = measure(args.output, args.input)
    print(
        f"{loop.device}: there and back {loop.round_trip_ms:.1f} ms (single clicks +-{loop.spread_ms:.1f}), "
        f"of which the input says {loop.input_ms:.1f}: output {loop.output_ms:.1f} ms"
    )
    note(f"kept in {keep_latency(loop.device, loop.output_ms)}")


def show(args: argparse.Namespace) -> None:
    """`calibrate list`."""
    for device, ms in read(LATENCIES).get("latency_ms", {}).items():
        print(f"{device:40} {ms:8.1f} ms")


def by_tapping(args: argparse.Namespace) -> None:
    """`calibrate tap`."""
    preset = PresetSource(args.preset, (), tuple(args.plugins)).load()
    if args.sink not in preset.sinks:
        raise FollowspotError(f"there is no sink {args.sink!r}; {suggestion(args.sink, preset.sinks)}")
    kind, values = preset.sinks[args.sink]
    plan = compile_graph(preset.build())
    sink = plan.sinks[args.sink]
    sink.id, sink.rate, sink.latency_ms, sink.offset_ms = args.sink, plan.rate, 0.0, 0.0
    clock = StreamClock(plan.rate)
    clock.line = line = Line(0.0, time.monotonic_ns(), 1e9 / plan.rate)
    outlet = Outlet(args.sink, sink, route(plan, args.sink), clock, WallClock(), _report)
    source = next(s.partition(".")[0] for s, target in preset.wires if target == args.sink)
    note(f"{args.sink} acts once a second: press Space (or Enter) each time you see or hear it; q ends")
    outlet.start()
    try:
        with _keys() as key:
            taps = _conduct(outlet, source, plan.rate, line, key)
    finally:
        outlet.stop()
        plan.release()
    ms, scatter = answer(np.array(taps))
    device = device_name(kind, values)
    print(f"{device}: {ms:.0f} ms (single taps +-{scatter:.0f}, {len(taps)} of them)")
    note(f"kept in {keep_latency(device, ms)}")


def answer(taps: np.ndarray) -> tuple[float, float]:
    """Median and scatter in ms of taps, in seconds since flash 0; FollowspotError if they say nothing."""
    if len(taps) < TAPS // 2:
        raise FollowspotError(f"only {len(taps)} taps; {TAPS // 2} are needed at least")
    late = 1000.0 * ((taps - EARLIEST) % PERIOD + EARLIEST)
    middle = float(np.median(late))
    scatter = float(1.48 * np.median(np.abs(late - middle)))
    if scatter > SCATTER:
        raise FollowspotError(f"the taps lie about by {scatter:.0f} ms; try again, with every flash")
    return middle, scatter


def _report(what: str, state: str, reason: str) -> None:
    if state != "ok":
        note(f"{what}: {state} ({reason})")


def _conduct(
    outlet: Outlet, source: str, rate: int, line: Line, key: Callable[[float], tuple[float, str] | None]
) -> list[float]:
    """Beats once a second, of which every one is a downbeat, and the taps in seconds since the first."""
    first = line.ns + int(PERIOD * 1e9)
    number, taps = 0, []
    while len(taps) < TAPS:
        now = time.monotonic_ns()
        if now > first + (number - 0.5) * PERIOD * 1e9:
            at = round((number + 1) * PERIOD * rate)
            values = {
                "bpm": 60.0 / PERIOD,
                "confidence": 1.0,
                "number": number,
                "beat": 1,
                "bar": number,
                "meter": 1,
            }
            outlet.put(
                [Event(kind, at, at, source, number, values=values) for kind in ("beat", "downbeat")], at
            )
            number += 1
        if number > 5 * TAPS:
            break
        pressed = key(0.05)
        if pressed is None:
            continue
        at_ns, letter = pressed
        if letter in ("q", ""):
            break
        if at_ns > first + (FIRST - 0.5) * PERIOD * 1e9:
            taps.append((at_ns - first) / 1e9)
    return taps


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], tuple[float, str] | None]]:
    """Keys as (monotonic ns at which they came, letter), read on a thread of their own."""
    terminal = sys.stdin.isatty()
    kept = termios.tcgetattr(sys.stdin) if terminal else None
    came: list[tuple[float, str]] = []
    news = threading.Event()

    def read_keys() -> None:
        while True:
            letter = sys.stdin.read(1) if terminal else sys.stdin.readline()
            came.append((time.monotonic_ns(), letter if letter in (" ", "\n") else letter.strip()))
            news.set()
            if not letter:
                return

    def key(seconds: float) -> tuple[float, str] | None:
        if not came:
            news.wait(seconds)
        news.clear()
        return came.pop(0) if came else None

    if kept is not None:
        tty.setcbreak(sys.stdin)
    threading.Thread(target=read_keys, name="keys", daemon=True).start()
    try:
        yield key
    finally:
        if kept is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, kept)
