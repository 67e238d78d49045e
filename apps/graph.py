"""Draw a preset: its nodes, its wires, and the rate and latency of what travels on each wire.

Without an option: the wires as a table. The latency is from a sound at the input to what passes the
wire, least to most; negative is foretold.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import graphviz

from apps.arguments import add_preset, compile_preset
from apps.terminal import note, table
from engine.errors import FollowspotError
from engine.graph import INPUT
from engine.latency import latency_of
from engine.node import Node
from engine.plan import Plan, Wire
from engine.registry import snake_case
from engine.sink import Sink

_INK, _SOFT, _PAPER = "#1f2933", "#52606d", "white"
_FILL = {"input": "#d9f0e3", "node": "#eef2f7", "sink": "#fdebc8"}
_LINE = {"audio": "#2f855a", "frames": "#2b6cb0", "events": "#c05621"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_preset(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--svg", metavar="FILE", help="write a drawing; `-` for stdout (needs Graphviz)")
    how.add_argument("--mermaid", action="store_true", help="print a Mermaid flow chart, for Markdown")


def run(args: argparse.Namespace) -> None:
    plan = compile_preset(args)
    if args.mermaid:
        print(mermaid(plan))
    elif args.svg == "-":
        print(svg(plan))
    elif args.svg:
        text = svg(plan)
        try:
            Path(args.svg).write_text(text, encoding="utf-8")
        except OSError as error:
            raise FollowspotError(f"{args.svg}: cannot be written ({error.strerror})") from None
        note(f"wrote {args.svg}")
    else:
        rows = [(wire.output, target(wire), str(wire.format), span(plan, wire)) for wire in plan.wires]
        print(table(("from", "to", "what", "latency"), rows))


def target(wire: Wire) -> str:
    """Where a wire goes: "node.port", or the sink."""
    return f"{wire.target}.{wire.target_port}" if wire.target_port else wire.target


def span(plan: Plan, wire: Wire) -> str:
    """Least to most latency of a wire, in ms."""
    least, _, most = (seconds * 1000 for seconds in latency_of(wire.format, plan.quantum))
    delayed = f", {wire.delay / plan.rate * 1000:.1f} of them inserted" if wire.delay else ""
    times = f"{least:.1f} ms" if least == most else f"{least:.1f} to {most:.1f} ms"
    return times + delayed


def label(plan: Plan, wire: Wire) -> list[str]:
    """What a wire carries, line by line."""
    what = str(wire.format)
    named = what.startswith(wire.source_port)
    return [*([] if named else [wire.source_port]), what, span(plan, wire)]


def caption(id: str, thing: Node | Sink) -> list[str]:
    """Name and type of a node or sink; once, if they are the same."""
    return list(dict.fromkeys([id, snake_case(type(thing).__name__)]))


def mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flow chart."""
    lines = ["flowchart LR"]
    for id, node in plan.nodes.items():
        text = "<br/>".join(caption(id, node))
        lines.append(
            f'    {_mermaid_id(id)}(["{text}"])' if id == INPUT else f'    {_mermaid_id(id)}["{text}"]'
        )
    for id, sink in plan.sinks.items():
        lines.append(f'    {_mermaid_id(id)}[/"{"<br/>".join(caption(id, sink))}"/]')
    for wire in plan.wires:
        text = "<br/>".join(label(plan, wire))
        lines.append(f'    {_mermaid_id(wire.source)} -- "{text}" --> {_mermaid_id(wire.target)}')
    return "\n".join(lines)


def _mermaid_id(id: str) -> str:
    """`end`, `graph` and the like are words of Mermaid's own."""
    return f"n_{id}"


def svg(plan: Plan) -> str:
    """The plan drawn by Graphviz."""
    drawing = graphviz.Digraph(
        "preset",
        graph_attr={"rankdir": "LR", "bgcolor": _PAPER, "pad": "0.3", "nodesep": "0.45", "ranksep": "0.9"},
        node_attr={
            "shape": "box",
            "style": "rounded,filled",
            "color": _SOFT,
            "fontcolor": _INK,
            "fontname": "Helvetica",
            "fontsize": "13",
            "margin": "0.18,0.10",
        },
        edge_attr={"fontname": "Helvetica", "fontsize": "10", "fontcolor": _SOFT, "arrowsize": "0.7"},
    )
    for id, node in plan.nodes.items():
        drawing.node(id, _escaped(caption(id, node)), fillcolor=_FILL["input" if id == INPUT else "node"])
    for id, sink in plan.sinks.items():
        drawing.node(id, _escaped(caption(id, sink)), fillcolor=_FILL["sink"], shape="cds")
    for wire in plan.wires:
        kind = str(wire.format).partition(" ")[0]
        drawing.edge(wire.source, wire.target, _escaped(label(plan, wire)), color=_LINE[kind])
    try:
        return str(drawing.pipe(format="svg", encoding="utf-8"))
    except graphviz.ExecutableNotFound:
        raise FollowspotError(
            "the drawing needs Graphviz's program `dot`: `apt-get install graphviz`, "
            "or use --mermaid, which needs nothing"
        ) from None


def _escaped(lines: list[str]) -> str:
    return r"\n".join(graphviz.escape(line) for line in lines)
