"""The control process's side: starts the engine process, watches it, starts it again if it dies."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from engine.clock import Line
from engine.errors import FollowspotError
from engine.events import Event
from engine.live import process, scope
from engine.live.process import Spec
from engine.live.realtime import SINGLE_THREADED
from engine.live.telemetry import Names, Page, Snapshot, new_memory
from engine.params import params_of
from engine.preset import PresetSource

#: Told as (what, state, reason), for people: ("sink osc", "retrying", "no route to host").
Status = Callable[[str, str, str], None]

_FIRST_PAUSE, _LONGEST_PAUSE, _HEALTHY = 0.1, 5.0, 10.0
_START_LIMIT, _HEARTBEAT_LIMIT = 180.0, 10.0
_GIVE_UP = 5  # deaths in a row before it ever ran


class Supervisor:
    """Runs a preset live in an engine process of its own.

    Parameters
    ----------
    source : the preset, loadable in another process.
    device : part of the input device's name; "mic" is the default one; None: what the preset says.
    file : instead, a sound file at the pace of real time.
    replay : instead, the folder of a recorded session at the pace of real time.
    record : folder for the session, or None.
    events : called with every event when it falls due by samples, the same as offline; on the thread that
        watches the engine.
    status : called with every change of health, on the same thread.
    backend : of the audio callback: "auto", "numba", "python".
    view : whether streams are copied to where `reader` sees them.

    Example
    -------
    ::

        supervisor = Supervisor(PresetSource("beats"), device="mic", events=print)
        supervisor.run()            # until Ctrl-C
    """

    def __init__(
        self,
        source: PresetSource,
        *,
        device: str | None = None,
        file: str | Path | None = None,
        replay: str | Path | None = None,
        record: str | Path | None = None,
        events: Callable[[Event], None] | None = None,
        status: Status | None = None,
        backend: str = "auto",
        view: bool = False,
    ) -> None:
        self._spec = Spec(
            source,
            device,
            None if file is None else str(file),
            None if replay is None else str(replay),
            None if record is None else str(record),
            backend=backend,
        )
        self._on_event, self._on_status = events, status
        self._memory = new_memory()
        self._page = Page(self._memory)
        self._scope_memory = scope.new_memory() if view else None
        self._reading = threading.Lock()
        self.names: Names | None = None
        self.restarts = 0
        self.steps: list[Any] = []
        self._process: Any = None
        self._commands: Connection | None = None
        self._uplink: Connection | None = None
        self._running = threading.Event()
        self._done = threading.Event()
        self._stopping = False
        self._fault: Exception | None = None
        self._values: dict[str, Any] = {}
        self._crash = ""
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    # What callers use.

    def run(self) -> None:
        """Start, and wait until the input ends or Ctrl-C; then stop. Raises FollowspotError on a fault."""
        try:
            self.start(wait=False)
            while not self._done.wait(0.2):
                pass
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()

    def start(self, *, wait: bool = True) -> None:
        """Start the engine process; with `wait`, return when it runs. Raises FollowspotError on a fault."""
        self._watcher.start()
        if wait:
            while not self._running.wait(0.05):
                if self._done.is_set():
                    break
            self._raise()

    def stop(self) -> None:
        """End the engine process cleanly, and kill it if it does not within five seconds."""
        self._stopping = True
        self._send("stop", None)
        if self._watcher.is_alive():
            self._watcher.join(8.0)
        self._raise()

    def join(self, seconds: float | None = None) -> bool:
        """Wait for the input to end; True if it has. Raises FollowspotError on a fault."""
        done = self._done.wait(seconds)
        self._raise()
        return done

    def set(self, target: str, value: Any) -> None:
        """Set a live parameter, "node.param" or "sink.param"; a refusal is told through `status`."""
        self._values[target] = value
        self._send("set", (target, value))

    def snapshot(self) -> Snapshot:
        """The engine now. Any thread, any number of times a second; it costs the engine nothing."""
        with self._reading:
            return self._page.read(self.names)

    def now(self) -> float | None:
        """Stream time in seconds of what sounds at the input now; None before the clock runs."""
        line, names = self.snapshot().line, self.names
        if line is None or names is None:
            return None
        sample, ns, period = line
        return float((sample + (time.monotonic_ns() - ns) / period) / names.rate)

    def reader(self) -> scope.Reader | None:
        """Of the streams of the engine process that runs now; None before it does, or without `view`."""
        names = self.names
        if names is None or names.view is None:
            return None
        return scope.Reader(self._scope_memory, names.view)

    @property
    def pid(self) -> int | None:
        """Of the engine process."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # The watching thread.

    def _watch(self) -> None:
        pause, deaths = _FIRST_PAUSE, 0
        try:
            while True:
                self._launch()
                began = time.monotonic()
                ran = self._follow()
                if self._done.is_set() or self._stopping:
                    return
                deaths = 0 if ran else deaths + 1
                if deaths >= _GIVE_UP:
                    raise FollowspotError(
                        f"the engine process fails at every start ({self._crash or self._process.exitcode}); "
                        "run a file with --offline to see where"
                    )
                if ran and time.monotonic() - began > _HEALTHY:
                    pause = _FIRST_PAUSE
                self._tell("engine", "restarting", self._crash or f"exit status {self._process.exitcode}")
                self._prepare_restart()
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        except Exception as error:
            self._fault = error
        finally:
            self._end_process()
            self._done.set()

    def _launch(self) -> None:
        """Start the engine process. It is spawned, because PortAudio and JACK do not survive a fork."""
        context = get_context("spawn")
        self._crash = ""
        self._page.clear()
        commands, self._commands = context.Pipe(duplex=False)
        self._uplink, uplink = context.Pipe(duplex=False)
        self._process = context.Process(
            target=process.main,
            args=(self._spec, commands, uplink, self._memory, self._scope_memory),
            name="followspot engine",
            daemon=True,
        )
        kept = {name: os.environ.get(name) for name in SINGLE_THREADED}
        os.environ.update(SINGLE_THREADED)
        try:
            self._process.start()
        finally:
            for name, value in kept.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        # Our copies of its ends; without this, we would not see it die, nor it us.
        commands.close()
        uplink.close()

    def _follow(self) -> bool:
        """Listen until the process is gone; whether it ever ran."""
        assert self._uplink is not None
        ran = False
        heartbeat, seen = -1, time.monotonic()
        while True:
            try:
                if self._uplink.poll(0.1):
                    if self._receive(*self._uplink.recv()):
                        ran, seen = True, time.monotonic()  # however long the start took
                    if time.monotonic() - seen < 1.0:
                        continue
            except (EOFError, OSError):
                self._process.join(5.0)
                return ran
            beat = self.snapshot().heartbeat
            now = time.monotonic()
            if beat != heartbeat:
                heartbeat, seen = beat, now
            if now - seen > (_HEARTBEAT_LIMIT if ran else _START_LIMIT):
                self._tell("engine", "hanging", "it gave no sign for a while")
                self._process.kill()
            if self._stopping:
                self._send("stop", None)
                if now - seen > 5.0:
                    self._process.kill()

    def _receive(self, kind: str, content: Any) -> bool:
        """One message of the engine; True when it says that it runs."""
        if kind == "event":
            if self._on_event is not None:
                self._on_event(content)
        elif kind == "status":
            self._tell(*content)
        elif kind == "step":
            self.steps.append(content)
            self._tell(content.name, "ok" if content.ok else "not done", content.detail)
        elif kind == "running":
            self.names = content
            if content.device:
                self._spec = replace(self._spec, device=content.device)
            if self.restarts:
                for target, value in self._values.items():
                    if target not in self._momentary:
                        self._send("set", (target, value))
            self._tell("engine", "running", f"process {self.pid}")
            self._running.set()
            return True
        elif kind == "refused":
            self._tell("command", "refused", content)
        elif kind == "crashed":
            self._crash = content
        elif kind in ("fatal", "ended"):
            if content:
                self._fault = FollowspotError(content)
            self._done.set()
        return False

    @cached_property
    def _momentary(self) -> frozenset[str]:
        """Parameters that are acts, not states: a restart does not repeat them."""
        preset = self._spec.source.load()
        return frozenset(
            f"{id}.{name}"
            for id, (kind, _) in {**preset.nodes, **preset.sinks}.items()
            for name, param in params_of(kind).items()
            if param.momentary
        )

    def _prepare_restart(self) -> None:
        """The next process goes on in the time of the one before, and in a new take."""
        self.restarts += 1
        line = self.snapshot().line
        resume = Line(*line) if line is not None else self._spec.resume
        self._spec = replace(self._spec, resume=resume, take=self._spec.take + 1)

    def _end_process(self) -> None:
        if self._process is not None and self._process.pid is not None:
            self._process.join(5.0)
            if self._process.is_alive():
                self._process.kill()
                self._process.join(5.0)

    def _send(self, kind: str, content: Any) -> None:
        commands = self._commands
        try:
            if commands is not None:
                commands.send((kind, content))
        except OSError:
            pass  # the engine is gone; a parameter is set again after the restart

    def _tell(self, what: str, state: str, reason: str) -> None:
        if self._on_status is not None:
            self._on_status(what, state, reason)

    def _raise(self) -> None:
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
