"""What reaches a sink: which events, frames and audio its wires name."""

from __future__ import annotations

from dataclasses import dataclass

from engine.events import Event
from engine.formats import Format
from engine.plan import Plan
from engine.ports import Array, EventsOut, Frames

#: What the engine itself says reaches every sink that takes events.
ENGINE = "engine"


@dataclass(frozen=True)
class Route:
    """The wires of one sink.

    Attributes
    ----------
    formats : of every wire, by "node.port".
    kinds : (source, kind) of the events it gets.
    corrections : those of them whose late revisions are passed on.
    frames, audio : the streams it gets, by "node.port".
    """

    formats: dict[str, Format]
    kinds: frozenset[tuple[str, str]]
    corrections: frozenset[tuple[str, str]]
    frames: dict[str, Frames]
    audio: dict[str, Array]

    def takes(self, event: Event) -> bool:
        """Whether the event goes to this sink."""
        return (event.source, event.kind) in self.kinds or event.source == ENGINE


def route(plan: Plan, sink: str) -> Route:
    """The route to the sink with this id."""
    outputs = {wire.output for wire in plan.wires if wire.target == sink}
    return _route(plan, outputs)


def route_of_all_events(plan: Plan) -> Route:
    """A route that takes every event of the plan: what `--events` writes."""
    nodes = plan.nodes
    events = {
        f"{id}.{n}" for id, node in nodes.items() for n, p in node.outputs.items() if p.kind == "events"
    }
    return _route(plan, events)


def _route(plan: Plan, outputs: set[str]) -> Route:
    kinds: set[tuple[str, str]] = set()
    corrections: set[tuple[str, str]] = set()
    frames: dict[str, Frames] = {}
    audio: dict[str, Array] = {}
    for output in sorted(outputs):
        id, _, name = output.partition(".")
        port = plan.nodes[id].outputs[name]
        stream = plan.streams[output]
        if isinstance(port, EventsOut):
            said = {(id, kind) for kind in port.kinds}
            kinds |= said
            corrections |= said if port.corrections else set()
        elif isinstance(stream, Frames):
            frames[output] = stream
        elif not hasattr(stream, "events"):
            audio[output] = stream
    formats = {output: plan.formats[output] for output in sorted(outputs)}
    return Route(formats, frozenset(kinds), frozenset(corrections), frames, audio)
