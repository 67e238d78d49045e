"""A graph is data: nodes by id, wires by "node.port", sinks by id. It computes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from engine.errors import FollowspotError, Problem, suggestion
from engine.formats import AudioFormat, Format
from engine.node import Node
from engine.ports import AudioOut
from engine.sink import Sink

INPUT = "input"


class Input(Node):
    """The audio that goes in: the one source of every graph, always present under the id "input"."""

    audio = AudioOut("the input after channel choice and resampling")

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.channels = channels

    def prepare(self) -> Format:
        return AudioFormat(self.rate, self.channels)

    def process(self) -> None:
        """The runner has already copied the block into the output."""


@dataclass
class Graph:
    """Nodes, wires and sinks.

    Parameters
    ----------
    rate : sample rate in Hz at which the graph runs.
    quantum : samples per quantum.
    channels : channels of "input.audio".
    seed : from which every node's own seed is derived.
    """

    rate: int = 44100
    quantum: int = 256
    channels: int = 1
    seed: int = 0
    nodes: dict[str, Node] = field(default_factory=dict)
    wires: list[tuple[str, str]] = field(default_factory=list)
    sinks: dict[str, Sink] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes.setdefault(INPUT, Input(self.channels))

    def add(self, id: str, node: Node) -> Graph:
        """Add a node under `id`; returns the graph, so that calls chain."""
        if id in self.nodes or id in self.sinks:
            raise FollowspotError(f"two nodes are called {id!r}: give one another id")
        self.nodes[id] = node
        return self

    def add_sink(self, id: str, sink: Sink, *sources: str) -> Graph:
        """Add a sink fed from `sources`, each "node.port"."""
        if id in self.nodes or id in self.sinks:
            raise FollowspotError(f"two things are called {id!r}: give one another id")
        self.sinks[id] = sink
        self.wires.extend((source, id) for source in sources)
        return self

    def connect(self, source: str, target: str) -> Graph:
        """Wire "node.port" to "node.port"; a node's only port may be left out, "stft" for "stft.out"."""
        self.wires.append((source, target))
        return self

    def chain(self, *ids: str) -> Graph:
        """Wire nodes in a row by their only ports."""
        for source, target in pairwise(ids):
            self.connect(source, target)
        return self

    def resolve(self) -> tuple[list[tuple[str, str, str, str]], list[Problem]]:
        """All wires as (node, port, node, port), sinks with port "", and every problem found on the way."""
        found: list[tuple[str, str, str, str]] = []
        problems: list[Problem] = []
        fed: dict[tuple[str, str], str] = {}
        for source, target in self.wires:
            wire = f"wire {source} -> {target}"
            try:
                source_id, source_port = self._end(source, "outputs")
                target_id, target_port = self._end(target, "inputs")
            except FollowspotError as error:
                problems.append(Problem(wire, str(error)))
                continue
            kind = self.nodes[source_id].outputs[source_port].kind
            if target_id in self.sinks:
                accepts = self.sinks[target_id].accepts
                if kind not in accepts:
                    reason = f"sink {target_id} takes {' and '.join(sorted(accepts))}, not {kind}"
                    problems.append(Problem(wire, reason, "wire another port or use another sink"))
                    continue
            else:
                port = self.nodes[target_id].inputs[target_port]
                if port.kind != kind:
                    reason = f"{source} gives {kind}, but {target_id}.{target_port} takes {port.kind}"
                    problems.append(Problem(wire, reason, "put a node between that converts"))
                    continue
                if kind != "events" and (target_id, target_port) in fed:
                    reason = f"{target_id}.{target_port} is already fed by {fed[target_id, target_port]}"
                    problems.append(Problem(wire, reason, "an input takes one wire; remove one"))
                    continue
                fed[target_id, target_port] = source
            found.append((source_id, source_port, target_id, target_port))
        for id, node in self.nodes.items():
            wired = {port for _, _, target_id, port in found if target_id == id}
            for name, declared in node.inputs.items():
                if name not in wired and not declared.optional and not self._named(id, name):
                    mend = f"add a wire to it: it takes {declared.kind}"
                    problems.append(Problem(f"{id}.{name}", "is not connected", mend))
        return found, problems

    def _named(self, id: str, port: str) -> bool:
        """Whether some wire, good or bad, was meant for this input (its fault is told already)."""
        return any(target in (id, f"{id}.{port}") for _, target in self.wires)

    def _end(self, text: str, side: str) -> tuple[str, str]:
        """One end of a wire as (id, port): unnamed, it is the only port, or the only one that is needed."""
        id, _, port = text.partition(".")
        if side == "inputs" and id in self.sinks:
            return id, ""
        if id not in self.nodes:
            known = [*self.nodes, *self.sinks] if side == "inputs" else list(self.nodes)
            raise FollowspotError(f"there is no node {id!r}; {suggestion(id, known)}")
        ports = self.nodes[id].outputs if side == "outputs" else self.nodes[id].inputs
        if not port:
            needed = [name for name, declared in ports.items() if not declared.optional]
            choice = needed if len(needed) == 1 else list(ports)
            if len(choice) != 1:
                names = ", ".join(ports) or "none"
                raise FollowspotError(f"{id} has {len(ports)} {side} ({names}): name one as {id}.PORT")
            return id, choice[0]
        if port not in ports:
            raise FollowspotError(f"{id} has no {side[:-1]} {port!r}; {suggestion(port, ports)}")
        return id, port
