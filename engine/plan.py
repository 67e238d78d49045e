"""A plan is a graph compiled: ordered steps, bound buffers, inserted delays, formats of every wire."""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from engine.align import AudioDelay, FrameDelay
from engine.errors import FollowspotError, GraphError, Problem
from engine.events import Event
from engine.formats import AudioFormat, EventsFormat, Format, FramesFormat
from engine.graph import INPUT, Graph
from engine.node import Node, output_formats
from engine.ports import Array, Clock, Emitter, Frames
from engine.sink import Sink

Stream = Array | Frames | Emitter


@dataclass(frozen=True)
class Wire:
    """One connection of the compiled graph. `delay` is what was inserted on it, in samples."""

    source: str
    source_port: str
    target: str
    target_port: str
    format: Format
    delay: int = 0

    @property
    def output(self) -> str:
        """The source as "node.port"."""
        return f"{self.source}.{self.source_port}"


@dataclass(frozen=True)
class Plan:
    """What a runner executes. Made by `compile_graph`; never changed afterwards.

    Attributes
    ----------
    rate, quantum : sample rate in Hz, samples per quantum.
    steps : nodes in the order of execution, inserted delays among them.
    formats : of every output, by "node.port".
    streams : the buffer behind every output, by "node.port".
    wires : every connection with its format and inserted delay; sinks have target port "".
    sinks : by id.
    clock : the quantum now, shared by all nodes.
    """

    rate: int
    quantum: int
    steps: tuple[Node, ...]
    formats: dict[str, Format]
    streams: dict[str, Stream]
    wires: tuple[Wire, ...]
    sinks: dict[str, Sink]
    clock: Clock

    @property
    def input(self) -> Array:
        """The buffer that the runner fills: (channels, quantum)."""
        stream = self.streams[f"{INPUT}.audio"]
        assert isinstance(stream, np.ndarray)
        return stream

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes of the graph by id, without inserted delays."""
        return {node.id: node for node in self.steps if not isinstance(node, AudioDelay | FrameDelay)}

    def release(self) -> None:
        """Let every node give back what is not memory."""
        for node in self.steps:
            node.release()


def compile_graph(graph: Graph, *, live: bool = False) -> Plan:
    """Order the nodes, resolve formats, insert delays, allocate every buffer.

    Raises GraphError with every problem found: unconnected inputs, wires of the wrong kind,
    cycles, formats a node cannot serve, frame grids that never meet.
    """
    links, problems = graph.resolve()
    order = _order(graph, links, problems)
    if problems:
        raise GraphError(problems)
    return _Compiler(graph, links, live).compile(order)


def _order(graph: Graph, links: list[tuple[str, str, str, str]], problems: list[Problem]) -> list[str]:
    """Topological order (Kahn), in the order of declaration where there is a choice."""
    before: dict[str, set[str]] = {id: set() for id in graph.nodes}
    for source, _, target, _ in links:
        if target in before:
            before[target].add(source)
    order: list[str] = []
    waiting = list(graph.nodes)
    while waiting:
        ready = next((id for id in waiting if before[id] <= set(order)), None)
        if ready is None:
            ring = " -> ".join(_cycle(before, waiting))
            mend = "a graph runs one way; remove one of these wires"
            problems.append(Problem("wires", f"these nodes feed each other: {ring}", mend))
            break
        waiting.remove(ready)
        order.append(ready)
    return order


def _cycle(before: dict[str, set[str]], waiting: list[str]) -> list[str]:
    """One cycle among the nodes that cannot be ordered."""
    stuck = set(waiting)
    path = [waiting[0]]
    while True:
        previous = next(id for id in sorted(before[path[-1]] & stuck))
        if previous in path:
            return [*path[path.index(previous) :], previous][::-1]
        path.append(previous)


class _Compiler:
    def __init__(self, graph: Graph, links: list[tuple[str, str, str, str]], live: bool) -> None:
        self.graph, self.live = graph, live
        self.clock = Clock()
        self.steps: list[Node] = []
        self.formats: dict[str, Format] = {}
        self.streams: dict[str, Stream] = {}
        self.wires: list[Wire] = []
        self.problems: list[Problem] = []
        self.feeds: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for source, source_port, target, target_port in links:
            self.feeds[target][target_port].append(f"{source}.{source_port}")

    def compile(self, order: list[str]) -> Plan:
        failed: set[str] = set()
        for id in order:
            sources = {feed.partition(".")[0] for feeds in self.feeds[id].values() for feed in feeds}
            if sources & failed:  # its inputs have no format: only the first fault is told
                failed.add(id)
                continue
            try:
                self._place(id, self.graph.nodes[id])
            except (ValueError, FollowspotError, ImportError) as error:
                self.problems.append(Problem(f"node {id}", str(error)))
                failed.add(id)
            except Exception as error:  # a fault of the node's own
                reason = f"its prepare failed: {type(error).__name__}: {error}"
                self.problems.append(Problem(f"node {id}", reason, "`followspot check-node` shows more"))
                failed.add(id)
        for id in self.graph.sinks:
            for feed in self.feeds[id][""]:
                if feed in self.formats:
                    source, _, port = feed.partition(".")
                    self.wires.append(Wire(source, port, id, "", self.formats[feed]))
        if self.problems:
            raise GraphError(self.problems)
        return Plan(
            self.graph.rate,
            self.graph.quantum,
            tuple(self.steps),
            self.formats,
            self.streams,
            tuple(self.wires),
            self.graph.sinks,
            self.clock,
        )

    def _place(self, id: str, node: Node) -> None:
        """Give the node its context, its aligned inputs and its outputs, and append it to the steps."""
        if self.live and not node.causal:
            raise ValueError("needs the future and cannot run live; use --offline")
        self._give_context(id, node)
        feeds = {name: list(sources) for name, sources in self.feeds[id].items()}
        delays = self._align(id, node, feeds)
        formats: dict[str, Format | None] = {}
        for name in node.inputs:
            given = [self.formats[source] for source in feeds.get(name, [])]
            formats[name] = _merged(given) if given else None
        answer = output_formats(node, node.prepare(**formats))
        wired = set()
        for name in node.inputs:
            sources = feeds.get(name, [])
            node.__dict__[name] = self._input_stream(node, name, sources)
            if sources:
                wired.add(name)
            for original, source in zip(self.feeds[id].get(name, []), sources, strict=True):
                from_id, _, from_port = original.partition(".")
                wire = Wire(from_id, from_port, id, name, self.formats[source], delays.get(name, 0))
                self.wires.append(wire)
        node.__dict__["_wired"] = frozenset(wired)
        for name, format in answer.items():
            self._give_output(node, name, format)
        node.bound()
        self.steps.append(node)

    def _give_context(self, id: str, node: Node) -> None:
        node.id, node.rate, node.quantum = id, self.graph.rate, self.graph.quantum
        node.live, node.clock = self.live, self.clock
        node.seed = zlib.crc32(f"{self.graph.seed}/{id}".encode())

    def _align(self, id: str, node: Node, feeds: dict[str, list[str]]) -> dict[str, int]:
        """Insert delays so that frames of equal times, and audio of equal latency, arrive together."""
        delays: dict[str, int] = {}
        audio = [n for n, p in node.inputs.items() if p.kind == "audio" and feeds.get(n)]
        if len(audio) > 1:
            latest = max(self._audio(feeds[name][0]).latency for name in audio)
            for name in audio:
                behind = latest - self._audio(feeds[name][0]).latency
                if behind:
                    feeds[name] = [self._insert(id, name, feeds[name][0], AudioDelay(behind))]
                    delays[name] = behind
        frames = [n for n, p in node.inputs.items() if p.kind == "frames" and feeds.get(n)]
        if len(frames) > 1:
            formats = [self._frames(feeds[name][0]) for name in frames]
            hop = formats[0].hop
            origin = max(format.origin for format in formats)
            latency = max(format.latency for format in formats)
            for name, format in zip(frames, formats, strict=True):
                if format.hop != hop:
                    raise ValueError(
                        f"{name} comes every {format.hop} samples, {frames[0]} every {hop}: "
                        "give the nodes before them the same hop"
                    )
                if (origin - format.origin) % hop:
                    raise ValueError(
                        f"the frames of {name} and {frames[0]} never fall on the same time: choose windows "
                        f"whose halves differ by a multiple of the hop ({hop})"
                    )
                if (format.origin, format.latency) != (origin, latency):
                    delay = FrameDelay(origin, latency)
                    feeds[name] = [self._insert(id, name, feeds[name][0], delay)]
                    delays[name] = latency - format.latency
        return delays

    def _audio(self, output: str) -> AudioFormat:
        format = self.formats[output]
        assert isinstance(format, AudioFormat)
        return format

    def _frames(self, output: str) -> FramesFormat:
        format = self.formats[output]
        assert isinstance(format, FramesFormat)
        return format

    def _insert(self, id: str, name: str, source: str, delay: Node) -> str:
        """Append a delay that reads `source`; returns its output's name."""
        delay_id = f"{source}~{id}.{name}"
        self._give_context(delay_id, delay)
        (inlet,) = delay.inputs
        (outlet,) = delay.outputs
        format = delay.prepare(**{inlet: self.formats[source]})
        delay.__dict__[inlet] = self.streams[source]
        output = self._give_output(delay, outlet, format)
        delay.bound()
        self.steps.append(delay)
        return output

    def _give_output(self, node: Node, name: str, format: Format) -> str:
        """Allocate the stream behind an output and bind it."""
        output = f"{node.id}.{name}"
        port = node.outputs[name]
        stream: Stream
        if isinstance(format, AudioFormat):
            stream = np.zeros((format.channels, self.graph.quantum), np.float32)
        elif isinstance(format, FramesFormat):
            # One more than the mean: after a fractional hop two frames may fall into one quantum.
            stream = Frames(format, -(-self.graph.quantum // format.hop) + 1)
        else:
            stream = Emitter(node.id, tuple(getattr(port, "kinds", ())), self.clock)
        self.formats[output] = format
        self.streams[output] = stream
        node.__dict__[name] = stream
        return output

    def _input_stream(self, node: Node, name: str, sources: list[str]) -> object:
        """What the node sees as `self.<name>`."""
        kind = node.inputs[name].kind
        if kind == "events":
            emitters = [stream for s in sources if isinstance(stream := self.streams[s], Emitter)]
            return emitters[0].events if len(emitters) == 1 else _Merge([e.events for e in emitters])
        if sources:
            return self.streams[sources[0]]
        if kind == "audio":
            return np.zeros((1, self.graph.quantum), np.float32)
        return Frames(FramesFormat(self.graph.rate, self.graph.quantum, 0), 1)


class _Merge:
    """Several event streams read as one, in the order of their wires."""

    def __init__(self, parts: list[list[Event]]) -> None:
        self._parts = parts

    def __iter__(self):  # type: ignore[no-untyped-def]
        for part in self._parts:
            yield from part

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)


def _merged(formats: list[Format]) -> Format:
    """The format of an input: of its one wire, or of all its event wires together."""
    first = formats[0]
    if len(formats) == 1 or not isinstance(first, EventsFormat):
        return first
    spans = [format.latency for format in formats if isinstance(format, EventsFormat)]
    return replace(first, latency=(min(low for low, _ in spans), max(high for _, high in spans)))
