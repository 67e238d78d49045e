"""Receivers that are killed and come back while live input goes on.

    python -m tests.benchmarks.bench_restarts [--restarts 100] [--minutes 60]

Followspot listens to JACK's dummy driver (48 kHz, period 256) and sends a beat four times a second over OSC
and OS2L. The process that receives both is killed and started again, spread evenly over the minutes.
Taken are the time from its start until something arrives, and what the engine lost of its input.
Writes build/benchmarks/restarts.json.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import tempfile
import time
from pathlib import Path

import numpy as np

from engine.live.supervisor import Supervisor
from engine.preset import PresetSource
from tests.benchmarks.bench_light_window import start_jack
from tests.benchmarks.bench_outputs import Receiver, free_port, table

_SHOW = """
preset = 1
wires = ["input -> metronome.audio"]
[nodes.metronome]
type = "metronome"
[sinks.osc]
type = "osc"
from = ["metronome.beats"]
port = {osc}
[sinks.os2l]
type = "os2l"
from = ["metronome.beats"]
port = {os2l}
"""
_PLUGIN = Path(__file__).parents[1] / "live" / "show_plugin.py"
_LISTENS = 2.2  # seconds; what has not come by then is late


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--restarts", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    each = 60 * options.minutes / options.restarts
    ports = {"osc": free_port(socket.SOCK_DGRAM), "os2l": free_port(socket.SOCK_STREAM)}
    back: dict[str, list[float]] = {name: [] for name in ports}
    down = np.random.default_rng(0).uniform(0.1, 1.5, options.restarts)
    server = start_jack(f"followspot-restarts-{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "show.toml"
            path.write_text(_SHOW.format(**ports))
            source = PresetSource(str(path), (), (str(_PLUGIN),))
            receiver = Receiver(**ports)
            with Supervisor(source, device="system") as supervisor:
                for seconds in down:
                    begun = time.monotonic()
                    receiver.kill()
                    time.sleep(seconds)
                    receiver = Receiver(**ports)
                    ready = time.monotonic_ns()
                    time.sleep(_LISTENS)
                    for name, times in receiver.finish().items():
                        back[name].append((times[0] - ready) / 1e6 if len(times) else float("inf"))
                    receiver = Receiver(**ports)
                    time.sleep(max(0.0, begun + each - time.monotonic()))
                end = supervisor.snapshot()
            receiver.kill()
    finally:
        server.terminate()
        server.wait(10)
    rows = {
        name: {
            "restarts": len(times),
            "p50": round(float(np.percentile(times, 50))),
            "max": round(max(times)) if np.isfinite(max(times)) else max(times),
            "within 2 s": int(np.sum(np.array(times) <= 2000)),
        }
        for name, times in back.items()
    }
    result = {
        "minutes": round(end.position / 44100 / 60, 1),
        "lost blocks": round(end.lost / 256),
        "gaps": end.gaps,
        "device xruns": end.xruns,
        "engine restarts": supervisor.restarts,
    }
    table("first message after the receiver is back, ms", rows)
    print(result)
    target = Path("build/benchmarks/restarts.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"back": rows, **result, "load": os.getloadavg()}, indent=1))


if __name__ == "__main__":
    main()
