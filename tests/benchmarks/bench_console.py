"""What the console and ten browsers cost the engine process.

    python -m tests.benchmarks.bench_console [--seconds 20] [--rounds 3]

The preset `monitor` runs on a file at its own pace, with five sinks whose receivers are one more process:
without the console, with the console and no browser, and with ten WebSocket clients that watch every stream
at 30 pictures a second from a process of their own. The rounds are interleaved. CPU is from the system's
accounts of each process; late is the end of the call that sends after the moment when the event was due.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from apps.console.desk import Desk
from apps.console.server import Console
from apps.demo_music import compose
from apps.terminal import note, table
from engine.live.scope import Scope, new_memory
from engine.live.supervisor import Supervisor
from engine.plan import compile_graph
from engine.preset import PresetSource
from engine.runner import Runner
from tests.benchmarks.bench_outputs import Receiver, free_port

CASES = {"no console": None, "console, no browser": 0, "ten browsers": 10}
WARM = 4.0  # seconds before anything is counted

_SHOW = """
extends = "monitor"
[sinks.osc]
type = "osc"
port = {osc}
from = ["tracker.beats", "plp.alpha_lfo"]
[sinks.vj]
type = "osc"
port = {vj}
aliases = "resolume"
from = ["tracker.beats"]
[sinks.wled]
type = "wled"
port = {wled}
from = ["stft.magnitude", "tracker.beats"]
[sinks.os2l]
type = "os2l"
port = {os2l}
from = ["tracker.beats"]
[sinks.rig]
type = "artnet"
patch = "lamp -> 1 d"
cues = "beat -> flash lamp white 50ms"
from = ["tracker.beats"]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--watch", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.watch:
        asyncio.run(watch(args.watch, 10, args.seconds))
        return
    results: dict[str, list[dict[str, float]]] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory() as folder:
        ports = {name: free_port(socket.SOCK_DGRAM) for name in ("osc", "vj", "wled")} | {"artnet": 6454}
        ports["os2l"] = free_port(socket.SOCK_STREAM)
        receiver = Receiver(**ports)
        source, file = prepare(Path(folder), args.seconds + 3 * WARM, ports)
        copies = copying(source)
        print("copying, us a quantum:", ", ".join(f"{key} {value:.3g}" for key, value in copies.items()))
        for round in range(args.rounds):
            for case, browsers in CASES.items():
                results[case].append(measure(source, file, browsers, args.seconds))
                note(f"round {round + 1}, {case}: {results[case][-1]}")
        receiver.kill()
    median = {
        case: {key: float(np.median([row[key] for row in rows])) for key in rows[0]}
        for case, rows in results.items()
    }
    keys = list(next(iter(median.values())))
    print(table(("", *keys), [(case, *(f"{row[key]:.3g}" for key in keys)) for case, row in median.items()]))
    out = Path("build/benchmarks/console.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps(
            {"load": os.getloadavg(), "copying_us": copies, "median": median, "rounds": results}, indent=1
        )
        + "\n"
    )


def copying(source: PresetSource, quanta: int = 4000) -> dict[str, float]:
    """Microseconds a quantum that the engine thread spends copying streams to where monitors see them."""
    plan = compile_graph(source.load().build())
    runner, scope = Runner(plan), Scope(new_memory(), plan)
    runner.warm_up()
    noise = np.random.default_rng(0).standard_normal((quanta, *plan.input.shape)).astype(np.float32)
    spent = np.zeros(quanta)
    for n, block in enumerate(0.1 * noise):
        events = runner.tick(block)
        began = time.perf_counter_ns()
        scope.take(plan.clock.start, events)
        spent[n] = (time.perf_counter_ns() - began) / 1e3
    return {
        "streams": len(scope.view.tracks),
        **dict(zip(("p10", "p50", "p99"), np.percentile(spent, (10, 50, 99)), strict=True)),
    }


def prepare(folder: Path, seconds: float, ports: dict[str, int]) -> tuple[PresetSource, Path]:
    """The preset with five sinks that send to these ports, and music that lasts."""
    piece = compose()
    file = folder / "music.wav"
    soundfile.write(file, np.tile(piece.samples, int(seconds / piece.seconds) + 1), piece.rate)
    preset = folder / "bench.toml"
    preset.write_text(_SHOW.format(**ports))
    return PresetSource(str(preset)), file


def measure(source: PresetSource, file: Path, browsers: int | None, seconds: float) -> dict[str, float]:
    """One run; see the keys."""
    console = clients = None
    runs: Any = Supervisor(source, file=file) if browsers is None else Desk(source, file=file)
    if browsers is not None:
        console = Console(runs, "127.0.0.1:0")
    runs.start()
    pid = runs.pid if browsers is None else runs.supervisor.pid
    if browsers:
        clients = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, "--watch", console.urls[0], "--seconds", str(seconds)],
            stdout=subprocess.PIPE,
        )
    time.sleep(WARM)
    cpu, own, began = cpu_seconds(pid), cpu_seconds(os.getpid()), time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    cpu, own = cpu_seconds(pid) - cpu, cpu_seconds(os.getpid()) - own
    snapshot = runs.snapshot()
    pictures = float("nan")
    if clients is not None:
        pictures = float(clients.communicate()[0])
    runs.stop()
    if console is not None:
        console.close()
    mean, p50, p99, _ = snapshot.loads["quantum"]
    return {
        "engine CPU %": 100 * cpu / passed,
        "control CPU %": 100 * own / passed,
        "quantum mean us": mean,
        "p50 us": p50,
        "p99 us": p99,
        "wake-up p99 ms": snapshot.wake[1],
        "sinks late p99 ms": max(sink.late_p99 for sink in snapshot.sinks.values()),
        "not sent": sum(sink.failures + sink.dropped for sink in snapshot.sinks.values()),
        "slow quanta": snapshot.overruns,
        "pictures/s each": pictures,
    }


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def watch(url: str, browsers: int, seconds: float) -> None:
    """So many clients that watch all there is; prints the pictures a second that the slowest got."""
    import aiohttp

    async def one(session: aiohttp.ClientSession) -> float:
        async with session.ws_connect(url + "api/ws") as socket:
            began, pictures = 0.0, 0
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    began = began or time.monotonic()
                    pictures += 1
                    if time.monotonic() - began > seconds:
                        break
                elif not began and (about := json.loads(message.data))["type"] == "about":
                    await socket.send_json(
                        {"do": "watch", "streams": [s["output"] for s in about["streams"]]}
                    )
            return pictures / (time.monotonic() - began)

    async with aiohttp.ClientSession() as session:
        print(min(await asyncio.gather(*(one(session) for _ in range(browsers)))))


if __name__ == "__main__":
    main()
