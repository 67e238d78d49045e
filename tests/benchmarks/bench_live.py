"""The live path under load: wake-up of the engine thread, lost input, lateness of the sinks.

    python -m tests.benchmarks.bench_live --minutes 10

Runs a preset from JACK's dummy driver (48 kHz, period 256, so the resampler is in the way) in the engine
process with five sinks, while in some rows another process computes without pause. Lost input is what
the engine declared as gaps, in blocks of the device. jackd says whether its own clock was late
("driver late") or the callback was not run in time ("client late"); "stolen ms" is what a hypervisor took.
Writes build/benchmarks/live.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from engine.live.supervisor import Supervisor
from engine.preset import PresetSource

_PRESET = """
preset = 1
wires = ["input -> onsets.audio", "input -> metronome.audio"]
[nodes.onsets]
type = "onsets"
[nodes.metronome]
type = "metronome"
"""
_SINK = """
[sinks.out{number}]
type = "lines"
from = ["onsets.events", "metronome.beats", "onsets.level"]
path = "{path}{number}"
"""
_PLUGIN = Path(__file__).parents[1] / "live" / "show_plugin.py"


def _burn() -> None:
    value = 1.0
    while True:
        for _ in range(10_000):
            value = value * 1.0000001 % 10.0


def _start_jack(name: str, log: Path) -> subprocess.Popen[bytes]:
    command = ["jackd", "-R", "-t", "4500", "-n", name, "-d", "dummy", "-r", "48000", "-p", "256"]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
    time.sleep(1.0)
    if server.poll() is not None:
        raise SystemExit("jackd does not start in real-time mode")
    return server


def _stolen() -> int:
    """Milliseconds that the hypervisor has taken from this machine so far, over all cores (Linux)."""
    return int(Path("/proc/stat").read_text().split()[8]) * 10


def measure(source: PresetSource, backend: str, minutes: float, load: int, log: Path) -> dict[str, Any]:
    """One run; the figures as a table's row. `log`: what jackd prints."""
    before, stolen = log.read_text(), _stolen()
    burning = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(load)]
    for process in burning:
        process.start()
    steps: list[str] = []
    try:
        with Supervisor(
            source, device="system", backend=backend, status=lambda *words: steps.append(" ".join(words))
        ) as supervisor:
            time.sleep(60 * minutes)
            end = supervisor.snapshot()
    finally:
        for process in burning:
            process.kill()
    assert end.line is not None
    sample, ns, period = end.line
    behind = sample + (end.ns - ns) / period - end.position
    blocks = end.lost / 256 * 48000 / 44100
    said = log.read_text()[len(before) :]
    return {
        "backend": backend,
        "load": load,
        "minutes": minutes,
        "seconds heard": round(end.position / 44100, 1),
        "wake p50 ms": round(end.wake[0], 3),
        "wake p99 ms": round(end.wake[1], 3),
        "wake max ms": round(end.wake[2], 2),
        "lost blocks": round(blocks),
        "gaps": end.gaps,
        "device xruns": end.xruns,
        "driver late": said.count("Process XRun"),
        "client late": said.count("was not finished") + said.count("not run"),
        "stolen ms": _stolen() - stolen,
        "restarts": supervisor.restarts,
        "behind ms": round(behind / 44.1, 1),
        "clock ppm": round(end.ppm, 1),
        "jitter ms": round(end.jitter, 3),
        "overload": end.entered,
        "quantum p99 us": round(end.loads["quantum"][2], 1),
        "sinks late p50 ms": round(max(sink.late_p50 for sink in end.sinks.values()), 3),
        "sinks late p99 ms": round(max(sink.late_p99 for sink in end.sinks.values()), 3),
        "sinks late max ms": round(max(sink.late_max for sink in end.sinks.values()), 2),
        "dropped": sum(sink.dropped for sink in end.sinks.values()),
        "set-up": [step for step in steps if "priority" in step or "memory" in step],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="for the compiled callback under load")
    parser.add_argument("--others", type=float, default=0.5, help="minutes for each of the other rows")
    parser.add_argument("--preset", default="", help="preset to run (default: a small one of the tests)")
    arguments = parser.parse_args()
    name = f"followspot-bench-{os.getpid()}"
    os.environ.update(JACK_DEFAULT_SERVER=name, JACK_NO_START_SERVER="1")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "show.toml"
        sinks = (_SINK.format(path=f"{folder}/lines", number=number) for number in range(5))
        path.write_text(_PRESET + "".join(sinks))
        source = PresetSource(str(path), (), (str(_PLUGIN),))
        if arguments.preset:
            source = PresetSource(arguments.preset)
        log = Path(folder) / "jackd"
        server = _start_jack(name, log)
        try:
            for backend, load, minutes in (
                ("numba", 0, arguments.others),
                ("python", 0, arguments.others),
                ("python", 1, arguments.others),
                ("numba", 1, arguments.minutes),
            ):
                rows.append(measure(source, backend, minutes, load, log))
                print(json.dumps(rows[-1], indent=1))
        finally:
            server.terminate()
            server.wait(10)
    shown = ["backend", "load", "minutes", "wake p50 ms", "wake p99 ms", "wake max ms", "lost blocks"]
    shown += ["driver late", "client late", "stolen ms", "sinks late p50 ms", "sinks late p99 ms"]
    print(" | ".join(f"{key:>{max(len(key), 7)}}" for key in shown))
    for row in rows:
        print(" | ".join(f"{row[key]!s:>{max(len(key), 7)}}" for key in shown))
    target = Path("build/benchmarks/live.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
