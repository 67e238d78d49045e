"""Jitter of MIDI clock ticks at a receiver on JACK's dummy driver.

    python -m tests.benchmarks.bench_midi_clock [--seconds 60] [--bpm 128]

Beats are told to the sink as a tracker would, with 5 ms of jitter; a thread calls `tick` when the sink asks
for it, as the dispatcher does. Jitter is the distance of each tick that arrives from a straight line through
its neighbours (a sixteenth to either side), so that slow steering does not count and unevenness does; the
interval row is the distance of each interval from the median one.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from engine.events import Event
from engine.live.realtime import SINK_PRIORITY, raise_priority
from nodes.outputs.midi_clock import MidiClock
from tests.live.midi import RATE, Receiver, jack_server

PERIOD = 64  # samples of JACK: the least jitter that can be seen


def drive(sink, seconds, bpm, seed=0):
    """Tell the sink beats and let it tick, for `seconds`; returns the lateness of each call in ns."""
    raise_priority(SINK_PRIORITY)  # as the dispatcher does
    rng = np.random.default_rng(seed)
    period = 60e9 / bpm
    begun = time.monotonic_ns()
    beat, late = 0, []
    due = begun
    wake = begun
    while (now := time.monotonic_ns()) < begun + seconds * 1e9:
        if now >= due:
            sink.send_event(Event("beat", 0, 0, "beats", key=beat, values={"bpm": bpm}), due, 1)
            beat += 1
            due = int(begun + beat * period + rng.normal(0, 5e6))
        if now >= wake:
            late.append(now - wake)
            wake = sink.tick(now)
        time.sleep(max(0, min(wake, due) - time.monotonic_ns()) / 1e9)
    return np.array(late)


def jitter(ticks, reach=6):
    """Distance in ms of each tick from the line fitted to the `reach` ticks on either side."""
    windows = np.lib.stride_tricks.sliding_window_view(ticks / 1e6, 2 * reach + 1)
    return windows[:, reach] - windows.mean(1)  # a fitted line passes the mean in its middle


def measure(seconds, bpm):
    with jack_server("followspot-bench", period=PERIOD):
        receiver = Receiver("Bench")
        sink = MidiClock(port="Bench")
        sink.open({})
        late = drive(sink, seconds, bpm)
        sink.close()
        receiver.close()
    ticks = np.array([at for at, message in receiver.heard if message == (0xF8,)])
    others = [message for _, message in receiver.heard if message != (0xF8,)]
    steps = np.diff(ticks) / 1e6
    return {
        "seconds": seconds,
        "bpm": bpm,
        "ticks": len(ticks),
        "other_messages": [list(m) for m in others],
        "jitter_ms": percentiles(np.abs(jitter(ticks))),
        "interval_ms": percentiles(np.abs(steps - np.median(steps))),
        "wake_ms": percentiles(late / 1e6),
        "shortest_interval_ms": float(steps.min()),
        "histogram_ms": histogram(jitter(ticks)),
    }


def percentiles(values):
    return {name: float(np.percentile(values, q)) for name, q in [("p50", 50), ("p99", 99), ("max", 100)]}


def histogram(values):
    counts, edges = np.histogram(values, bins=np.arange(-3, 3.25, 0.25))
    return [[float(edge), int(count)] for edge, count in zip(edges, counts, strict=False)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--bpm", type=float, default=128)
    options = parser.parse_args()
    result = measure(options.seconds, options.bpm)
    result["jack_period_ms"] = PERIOD / RATE * 1e3
    print(f"{result['ticks']} ticks at {options.bpm:g} BPM, JACK period {result['jack_period_ms']:.2f} ms")
    print(f"{'ms':24}{'p50':>8}{'p99':>8}{'max':>8}")
    for name, title in [
        ("jitter_ms", "tick off its line"),
        ("interval_ms", "interval"),
        ("wake_ms", "tick called late"),
    ]:
        print(f"{title:24}" + "".join(f"{value:8.3f}" for value in result[name].values()))
    print(f"shortest interval {result['shortest_interval_ms']:.3f} ms; others: {result['other_messages']}")
    top = max(count for _, count in result["histogram_ms"])
    for edge, count in result["histogram_ms"]:
        if count:
            print(f"{edge:6.2f} {count:6} {'#' * round(50 * count / top)}")
    path = Path("build/benchmarks/midi_clock.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
