"""Runs a preset at the pace of real time in an engine process, and shows how it is doing."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

from apps.beat_view import Beat, BeatLine, bar
from apps.config import with_latencies, with_learnt_controls
from apps.controls import LISTEN, Controls
from apps.offline import event_lines
from apps.terminal import duration, is_terminal, note
from engine.events import Event
from engine.live.supervisor import Supervisor
from engine.live.telemetry import Snapshot
from engine.ports import EventsOut
from engine.preset import Preset, PresetSource

_REDRAW = 0.04  # seconds


def is_file(text: str) -> bool:
    """Whether --input names a file; otherwise it is `mic` or a part of a device's name."""
    if text.startswith("silence:"):
        return True
    return (
        "/" in text or Path(text).exists() or re.search(r"\.[a-z][a-z0-9]{1,4}\Z", text.lower()) is not None
    )


def run_live(source: PresetSource, *, events: str | None = None, listen: str = LISTEN, **input: Any) -> None:
    """Run until the input ends or Ctrl-C.

    Parameters
    ----------
    events : where every event goes as JSON Lines: a file, or "-" for stdout.
    listen : HOST:PORT where OSC controls come in, if the preset has any.
    input : `device`, `file` or `replay`, and `record`, as `engine.live.supervisor.Supervisor` takes them.
    """
    preset = with_learnt_controls(source.load())  # its faults, before a process is started
    if "replay" not in input:
        source = with_latencies(source)
    view = LiveView(preset, shown=is_terminal(sys.stderr) and events != "-")
    with contextlib.ExitStack() as open_things:
        write = open_things.enter_context(event_lines(events, preset.rate)) if events else None

        def listener(event: Event) -> None:
            if write is not None:
                write(event)
            view.event(event)

        supervisor = Supervisor(source, events=listener, status=view.status, **input)
        controls = Controls(preset, supervisor.set, listen, supervisor.now)
        open_things.callback(controls.close)
        watch(supervisor, view)


def watch(supervisor: Any, view: Any) -> None:
    """Run a `Supervisor`, or a `Desk`, until its end, the view redrawn all the while."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` ends it as Ctrl-C does
    try:
        supervisor.start()
        while not supervisor.join(_REDRAW):
            view.draw(supervisor.snapshot())
    except KeyboardInterrupt:
        pass  # the way to end a live run
    finally:
        supervisor.stop()
        if supervisor.snapshot().position:
            view.end(supervisor.snapshot(), supervisor.restarts)


def beat_sources(preset: Preset) -> set[str]:
    """The nodes whose beats count: a tracker whose beats go into a conductor is left out."""
    saying = {
        id
        for id, (kind, _) in preset.nodes.items()
        if any("beat" in port.kinds for port in kind.outputs.values() if isinstance(port, EventsOut))
    }
    ends = [(source.partition(".")[0], target.partition(".")[0]) for source, target in preset.wires]
    return saying - {source for source, target in ends if target in saying}


class LiveView:
    """One line that follows the music, and remarks above it; all on stderr."""

    def __init__(self, preset: Preset, *, shown: bool) -> None:
        self._rate, self._sources = preset.rate, beat_sources(preset)
        self._line = BeatLine(sys.stderr) if shown else None
        self._counts: dict[str, int] = {}

    def event(self, event: Event) -> None:
        """An event fell due. Called on the supervisor's thread."""
        self._counts[event.kind] = self._counts.get(event.kind, 0) + 1
        if event.kind == "beat" and event.source in self._sources and self._line is not None:
            self._line.beat(Beat.of(event, self._rate))

    def status(self, what: str, state: str, reason: str) -> None:
        """Something changed. Called on the supervisor's thread."""
        if state == "ok" and not what.startswith(("device", "sink")):
            return  # a step of the start that went well
        text = f"{what}: {state}" + (f" ({reason})" if reason else "")
        if self._line is None:
            note(text)
        else:
            self._line.above(text)

    def draw(self, snapshot: Snapshot) -> None:
        """Show the engine as it is."""
        if self._line is None or snapshot.line is None:
            return
        sample, ns, period = snapshot.line
        now = (sample + (time.monotonic_ns() - ns) / period) / self._rate
        peak = max((level[0] for level in snapshot.levels), default=0.0)
        trouble = "" if snapshot.overload == "ok" else f"  overload: {snapshot.overload}"
        waiting = "" if snapshot.state == "running" else f"  {snapshot.state}"
        self._line.draw(max(0.0, now), f"in {bar(peak, 6)}{trouble}{waiting}")

    def end(self, snapshot: Snapshot, restarts: int) -> None:
        """The last word: what was heard, and what it cost."""
        if self._line is not None:
            self._line.end()
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self._counts.items())) or "no events"
        note(f"{duration(snapshot.position / self._rate)} heard: {counts}")
        losses = f"{snapshot.xruns} xruns, {snapshot.gaps} gaps, {snapshot.overruns} slow quanta"
        note(losses + (f", engine restarted {restarts} times" if restarts else ""))
        for id, health in snapshot.sinks.items():
            note(
                f"sink {id}: {health.status}, {health.fired} sent, late by {health.late_p99:.1f} ms (99 %), "
                f"{health.failures} failures"
            )
