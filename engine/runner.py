"""Executes a plan, quantum by quantum. Files, live input, tests and benchmarks all use this one."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

from engine.budget import Budget
from engine.errors import FollowspotError, suggestion
from engine.events import Event
from engine.graph import Input
from engine.node import Node
from engine.params import params_of
from engine.plan import Plan
from engine.ports import Emitter, Frames, FramesOut


@nb.njit("int64(float32[:, :], float32[:, ::1])", nogil=True, cache=True)
def _take_in(block, out):  # type: ignore[no-untyped-def]
    """Copy a block, writing 0 for what is not finite; returns how many samples that were."""
    bad = 0
    for c in range(out.shape[0]):
        for n in range(out.shape[1]):
            x = block[c, n]
            if np.isfinite(x):
                out[c, n] = x
            else:
                out[c, n] = 0.0
                bad += 1
    return bad


@nb.njit(["boolean(float32[::1])", "boolean(float64[::1])"], nogil=True, cache=True)
def _all_finite(x):  # type: ignore[no-untyped-def]
    total = 0.0
    for value in x:
        total += value * 0.0  # NaN once a value is not finite
    return total == 0.0


def _as_numbers(stream: object) -> npt.NDArray[Any] | None:
    """The buffer of a stream as a flat array of float32 or float64, or None if it holds no such numbers."""
    data = stream.data if isinstance(stream, Frames) else stream
    if not isinstance(data, np.ndarray) or data.dtype.kind not in "fc":
        return None
    return data.reshape(-1).view(data.real.dtype)


class Runner:
    """Runs a plan.

    Parameters
    ----------
    plan : from `engine.plan.compile_graph`.
    strict : a node that fails raises, and every output is checked to be finite in every quantum
        (tests). Otherwise the node is isolated: its outputs follow their port's policy, a "fault"
        event names it, the rest plays on.
    """

    def __init__(self, plan: Plan, *, strict: bool = False) -> None:
        self.plan = plan
        self.strict = strict
        self._nodes = [node for node in plan.steps if not isinstance(node, Input)]
        self.budget = Budget([node.id for node in self._nodes], plan.quantum / plan.rate)
        self._frames = [s for s in plan.streams.values() if isinstance(s, Frames)]
        self._emitters = [s for s in plan.streams.values() if isinstance(s, Emitter)]
        self._engine = Emitter("engine", ("gap", "fault"), plan.clock)
        self._emitters.append(self._engine)
        self._events: list[Event] = []
        self._shape = plan.input.shape
        self._guarded = [
            (node, name, flat)
            for node in self._nodes
            for name in node.outputs
            if (flat := _as_numbers(node.__dict__[name])) is not None
        ]
        self._guard = 0
        self._held = {
            (node.id, name): (stream, np.zeros_like(stream.slots[0]))
            for node in self._nodes
            for name, port in node.outputs.items()
            if isinstance(port, FramesOut)
            and port.on_fault == "hold"
            and isinstance(stream := node.__dict__[name], Frames)
        }
        self.faults: dict[str, str] = {}
        self._steps: list[Callable[[], None]] = []
        self._start = 0
        self._input_bad = False
        self.reset()

    @property
    def position(self) -> int:
        """Input samples consumed so far."""
        return self._start

    def tick(self, block: npt.NDArray[np.float32]) -> list[Event]:
        """Process one quantum of input, shape (channels, quantum), float32.

        Returns the events said in it; the list is reused by the next call.
        """
        if block.shape != self._shape:
            raise FollowspotError(f"a block is {block.shape}, not {self._shape}: (channels, quantum)")
        plan = self.plan
        clock = plan.clock
        clock.start = self._start
        clock.stop = self._start = self._start + plan.quantum
        for frames in self._frames:
            frames.count = 0
        for emitter in self._emitters:
            if emitter.events:
                emitter.events.clear()
        self._check_input(_take_in(block, plan.input))
        self._run_steps()
        self.budget.observe()
        self._check_outputs()
        for stream, last in self._held.values():
            if stream.count:
                last[...] = stream.slots[stream.count - 1]
        return self._collect()

    def _run_steps(self) -> None:
        steps, stamps, now = self._steps, self.budget.stamps, perf_counter_ns
        i = 0
        stamps[0] = now()
        while i < len(steps):
            try:
                for step in steps if i == 0 else steps[i:]:
                    step()
                    i += 1
                    stamps[i] = now()
            except Exception as error:
                self._fault(i, error)  # and go on behind it
                i += 1
                stamps[i] = now()

    def set(self, target: str, value: Any) -> None:
        """Change a live parameter, "node.param", from the next quantum on."""
        node, name = self._find(target)
        if not params_of(type(node))[name].live:
            raise FollowspotError(
                f"{target} cannot change while running: set it in the preset and start again"
            )
        try:
            setattr(node, name, value)
        except ValueError as error:
            raise FollowspotError(f"{node.id}: {error}") from None
        self._attempt(node, node.changed, name)

    def _find(self, target: str) -> tuple[Node, str]:
        id, _, name = target.partition(".")
        nodes = self.plan.nodes
        if id not in nodes:
            raise FollowspotError(f"there is no node {id!r}; {suggestion(id, nodes)}")
        known = params_of(type(nodes[id]))
        if name not in known:
            raise FollowspotError(f"{id} has no parameter {name!r}; {suggestion(name, known)}")
        return nodes[id], name

    def gap(self, quanta: int) -> list[Event]:
        """So many quanta of input were lost: time moves on, nodes are told, a "gap" event says so."""
        start, length = self._start, quanta * self.plan.quantum
        self._start = self.plan.clock.start = self.plan.clock.stop = start + length
        for frames in self._frames:
            frames.count = 0
        for emitter in self._emitters:
            emitter.events.clear()
        for node in self._nodes:
            self._attempt(node, node.gap, start, length)
        self._engine.emit("gap", start, length=length / self.plan.rate)
        return self._collect()

    def set_quality(self, level: int) -> None:
        """Ask every node that has quality levels for this one (0 best)."""
        for node in self._nodes:
            if node.quality_levels > 1:
                self._attempt(node, node.set_quality, min(level, node.quality_levels - 1))

    def finish(self) -> list[Event]:
        """The input has ended: the last words of every node."""
        for emitter in self._emitters:
            emitter.events.clear()
        for node in self._nodes:
            self._attempt(node, node.finish)
        return self._collect()

    def reset(self) -> None:
        """Back to sample 0 with every node as new; failed nodes get another chance."""
        self._steps = [node.process for node in self._nodes]
        self.faults.clear()
        self._start = self.plan.clock.start = self.plan.clock.stop = 0
        self._guard = 0
        self._input_bad = False
        for stream in self.plan.streams.values():
            if isinstance(stream, np.ndarray):
                stream[:] = 0.0
            elif isinstance(stream, Emitter):
                stream.events.clear()
            else:
                stream.count = 0
        for node in self._nodes:
            node.reset()

    def warm_up(self, quanta: int = 200) -> None:
        """Run noise through the plan so that every kernel is compiled and every page touched; then reset."""
        noise = np.random.default_rng(0)
        for _ in range(quanta):
            self.tick((0.1 * noise.standard_normal(self.plan.input.shape)).astype(np.float32))
        self.reset()
        self.budget.reset()

    def _attempt(self, node: Node, call: Callable[..., None], *args: Any) -> None:
        """Call a method of a node outside `process`: if it fails, the node is isolated like there."""
        if node.id in self.faults:
            return
        try:
            call(*args)
        except Exception as error:
            self._fault(self._nodes.index(node), error)

    def _collect(self) -> list[Event]:
        events = self._events
        events.clear()
        for emitter in self._emitters:
            if emitter.events:
                events.extend(emitter.events)
        return events

    def _check_input(self, bad: int) -> None:
        """Samples that are not numbers became silence; say so once per run of them."""
        if bad and not self._input_bad:
            self._engine.emit(
                "fault", self.plan.clock.start, node="input", error="samples that are not finite"
            )
        self._input_bad = bad > 0

    def _check_outputs(self) -> None:
        """Isolate a node whose output is not finite: one output a quantum in turn, or all in strict mode."""
        if not self._guarded:
            return
        if self.strict:
            for node, name, flat in self._guarded:
                self._check_output(node, name, flat)
        else:
            self._guard = (self._guard + 1) % len(self._guarded)
            self._check_output(*self._guarded[self._guard])

    def _check_output(self, node: Node, name: str, flat: npt.NDArray[Any]) -> None:
        if _all_finite(flat) or node.id in self.faults:
            return
        # What is not finite spreads: to blame is the first node, in the order of execution, that gives it.
        for culprit, output, numbers in self._guarded:
            if culprit.id not in self.faults and not _all_finite(numbers):
                at = self._nodes.index(culprit)
                self._fault(at, ValueError(f"output {output} is not finite"))
                self._refresh(culprit, at)
                return

    def _refresh(self, culprit: Node, at: int) -> None:
        """Nodes behind a node that gave nonsense may have taken it into their state: they start afresh."""
        wires = [(wire.source, wire.target) for wire in self.plan.wires]
        tainted = {culprit.id}
        for node in self._nodes[at + 1 :]:
            # An inserted delay is called "source.port~target.port".
            sources = {source for source, target in wires if target == node.id} | {node.id.partition(".")[0]}
            if sources & tainted:
                tainted.add(node.id)
                self._attempt(node, node.gap, self.plan.clock.stop, 0)
                for _, name, numbers in (g for g in self._guarded if g[0] is node):
                    numbers[:] = 0.0
                    if (node.id, name) in self._held:
                        self._held[node.id, name][1][...] = 0.0

    def _fault(self, i: int, error: Exception) -> None:
        """Take a failed node out of the plan and say so."""
        node = self._nodes[i]
        reason = f"{type(error).__name__}: {error}"
        if self.strict:
            raise FollowspotError(f"node {node.id} failed: {reason}") from error
        self.faults[node.id] = reason
        self._steps[i] = self._stand_in(node)
        self._steps[i]()
        self._engine.emit("fault", self.plan.clock.start, node=node.id, error=reason)

    def _stand_in(self, node: Node) -> Callable[[], None]:
        """What runs in place of a failed node: silence, nothing, or its last frame held, as its ports say."""
        streams = [node.__dict__[name] for name, port in node.outputs.items() if port.kind != "events"]
        holds = [held for (id, _), held in self._held.items() if id == node.id]
        due = [stream.format.count_at(node.clock.start) for stream, _ in holds]
        for stream in streams:
            if isinstance(stream, Frames):
                stream.data[...] = 0  # what is not finite must not lie about

        def process() -> None:
            for stream in streams:
                if isinstance(stream, Frames):
                    stream.count = 0
                else:
                    stream[:] = 0.0
            for k, (stream, last) in enumerate(holds):
                stop = stream.format.count_at(node.clock.stop)
                for index in range(max(due[k], stop - len(stream.slots)), stop):
                    stream.push(index)[...] = last
                due[k] = stop

        return process
