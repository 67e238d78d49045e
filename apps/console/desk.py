"""The desk: a preset that runs live, its parameters with undo, and the change to another preset.

The page, the text view and the API all act through it; it talks to the engine process by its supervisor.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from apps.config import keep_control, with_latencies, with_learnt_controls
from apps.controls import LISTEN, Controls
from engine.errors import FollowspotError, suggestion
from engine.events import Event
from engine.live.supervisor import Supervisor
from engine.live.telemetry import Snapshot
from engine.params import Param, params_of
from engine.preset import PRESETS, Preset, PresetSource, find_preset, preset_names

#: Changes of one parameter that follow each other within so many seconds are undone together.
_ONE_GESTURE = 1.0
_MEMORY = 200


@dataclass
class _Change:
    target: str
    before: Any
    after: Any
    at: float


class Face(Protocol):
    """What shows the desk: a page, a text view, a file of events. Called on the desk's threads."""

    def event(self, event: Event) -> None:
        """An event fell due."""

    def status(self, what: str, state: str, reason: str) -> None:
        """Something changed its health."""

    def changed(self) -> None:
        """Parameters have changed."""


class Desk:
    """Runs a preset and takes what people do to it. Every method may be called on any thread, except `join`.

    Parameters
    ----------
    source : the preset to begin with.
    listen : HOST:PORT where OSC controls come in.
    input : `device`, `file` or `replay`, and `record`, as the supervisor takes them.

    Attributes
    ----------
    preset : what runs. values, initial : of every parameter, "node.param"; now, and at the start.
    health : the last word on everything, as (state, reason).
    faces : told of every event that falls due, of every change of health, and of every change of `values`.
    """

    def __init__(
        self,
        source: PresetSource,
        *,
        listen: str = LISTEN,
        **input: Any,
    ) -> None:
        self.input, self._listen = input, listen
        self.faces: list[Face] = []
        self.health: dict[str, tuple[str, str]] = {}
        self._controls: Controls | None = None
        self._lock = threading.RLock()
        self._next: PresetSource | None = None
        self._first = source
        self._load(source, source.load())

    def _load(self, source: PresetSource, preset: Preset) -> None:
        source, preset = with_latencies(source), with_learnt_controls(preset)
        self.source, self.preset = source, preset
        self._params: dict[str, Param[Any]] = {}
        self.values: dict[str, Any] = {}
        for id, (kind, given) in {**preset.nodes, **preset.sinks}.items():
            for name, param in params_of(kind).items():
                self._params[f"{id}.{name}"] = param
                self.values[f"{id}.{name}"] = given.get(name, param.default)
        self.initial = dict(self.values)
        self._done: list[_Change] = []
        self._undone: list[_Change] = []
        self._supervisor = Supervisor(
            source, events=self._event, status=self._status, view=True, **self.input
        )
        if self._controls is not None:
            self._controls.close()
        self._controls = Controls(preset, self._turn, self._listen, self.now)

    def _event(self, event: Event) -> None:
        for face in self.faces:
            face.event(event)

    def _status(self, what: str, state: str, reason: str) -> None:
        self.health[what] = state, reason
        for face in self.faces:
            face.status(what, state, reason)

    def _changed(self) -> None:
        for face in self.faces:
            face.changed()

    def _turn(self, target: str, value: Any) -> None:
        """A control was moved."""
        try:
            self.set(target, value)
        except FollowspotError as error:
            self._status("command", "refused", str(error))

    # Running.

    def start(self) -> None:
        """Start the engine process. Raises FollowspotError on a fault."""
        self._supervisor.start()

    def join(self, seconds: float) -> bool:
        """Wait for the input to end, and change the preset if that was asked for; True at the end."""
        if self._next is not None:
            self._change_preset(self._next)
        return self._supervisor.join(seconds)

    def stop(self) -> None:
        """End the engine process."""
        if self._controls is not None:
            self._controls.close()
            self._controls = None
        self._supervisor.stop()

    @property
    def restarts(self) -> int:
        """How often the engine process died and was started again."""
        return self._supervisor.restarts

    @property
    def supervisor(self) -> Supervisor:
        """Of the engine process that runs now."""
        return self._supervisor

    def snapshot(self) -> Snapshot:
        """The engine now."""
        return self._supervisor.snapshot()

    def now(self, snapshot: Snapshot | None = None) -> float | None:
        """Stream time in seconds of what sounds at the input now; None before the clock runs."""
        line = (snapshot or self.snapshot()).line
        if line is None:
            return None
        sample, ns, period = line
        return (sample + (time.monotonic_ns() - ns) / period) / self.preset.rate

    def do(self, command: Any) -> None:
        """A command of the API: {"do": "set", "target": ..., "value": ...}, undo, redo, preset,
        {"do": "learn", "target": ...}: the next control that is moved moves that parameter from then on.

        Raises FollowspotError with what is wrong with it.
        """
        what = command.get("do") if isinstance(command, dict) else None
        if what == "set":
            self.set(str(command.get("target")), command.get("value"))
        elif what == "undo":
            self.undo()
        elif what == "redo":
            self.redo()
        elif what == "preset":
            self.switch(str(command.get("name")))
        elif what == "learn":
            self.learn(str(command.get("target")))
        else:
            raise FollowspotError(f"{what!r} is no command: set, undo, redo, preset, learn")

    def learn(self, target: str) -> None:
        """The next control that is moved moves `target`, and is remembered. Raises FollowspotError."""

        def learnt(control: str) -> None:
            try:
                keep_control(self.preset.name, target, control)
            except FollowspotError as error:
                self._status("control", "not kept", str(error))
            self.preset = with_learnt_controls(self.preset)
            self._status("control", "learnt", f"{control} moves {target}")
            self._changed()

        if self._controls is not None:
            self._controls.learn(target, learnt)
            self._status("control", "learning", f"move a control for {target}")

    # Parameters.

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is something to do again."""
        return bool(self._undone)

    def set(self, target: str, value: Any) -> None:
        """Set a live parameter, "node.param". Raises FollowspotError that says what is allowed."""
        value = self._check(target, value)
        with self._lock:
            if self._params[target].momentary:  # an act, not a state: nothing to take back
                self._supervisor.set(target, value)
                return
            before, now = self.values[target], time.monotonic()
            last = self._done[-1] if self._done else None
            if last is not None and last.target == target and now - last.at < _ONE_GESTURE:
                last.after, last.at = value, now
            elif value != before:
                self._done = [*self._done[1 - _MEMORY :], _Change(target, before, value, now)]
            self._undone.clear()
            self._apply(target, value)

    def undo(self) -> None:
        """Take the last change back."""
        with self._lock:
            if self._done:
                change = self._done.pop()
                self._undone.append(change)
                self._apply(change.target, change.before)

    def redo(self) -> None:
        """Do again what was undone last."""
        with self._lock:
            if self._undone:
                change = self._undone.pop()
                self._done.append(replace(change, at=0.0))
                self._apply(change.target, change.after)

    def _check(self, target: str, value: Any) -> Any:
        id, _, name = target.partition(".")
        param = self._params.get(target)
        if param is None:
            if any(known.startswith(id + ".") for known in self._params):
                known = [t.partition(".")[2] for t in self._params if t.startswith(id + ".")]
                raise FollowspotError(f"{id} has no parameter {name!r}; {suggestion(name, known)}")
            ids = [*self.preset.nodes, *self.preset.sinks]
            raise FollowspotError(f"there is no node or sink {id!r}; {suggestion(id, ids)}")
        if not param.live:
            raise FollowspotError(
                f"{target} cannot change while running: set it in the preset and start again"
            )
        try:
            return param.check(value)
        except ValueError as error:
            raise FollowspotError(f"{id}: {error}") from None

    def _apply(self, target: str, value: Any) -> None:
        self.values[target] = value
        self._supervisor.set(target, value)
        self._changed()

    # Presets.

    def presets(self) -> list[str]:
        """What `switch` takes: the presets that come along, and those beside the one at the start."""
        names = preset_names()
        here = find_preset(self._first.preset).resolve().parent
        if here != PRESETS:
            names += sorted(str(path) for path in here.glob("*.toml"))
        if self._first.preset not in names:
            names.insert(0, self._first.preset)
        return names

    def switch(self, name: str) -> None:
        """Run another preset on the same input, as soon as `join` sees it. Raises FollowspotError."""
        if self.input.get("record") or self.input.get("replay"):
            raise FollowspotError("the preset cannot change while a session is recorded or replayed")
        if name not in self.presets():
            raise FollowspotError(f"preset {name}: is not in the list; {suggestion(name, self.presets())}")
        first = self._first
        source = first if name == first.preset else PresetSource(name, (), first.plugins)
        source.load()
        self._next = source

    def _change_preset(self, source: PresetSource) -> None:
        before, self._next = self.source, None
        self._status("preset", "changing", Path(source.preset).stem)
        self._supervisor.stop()
        try:
            self._load(source, source.load())
            self._supervisor.start()
        except FollowspotError as error:
            self._status("preset", "refused", str(error))
            self._supervisor.stop()
            self._load(before, before.load())
            self._supervisor.start()
        self._changed()
