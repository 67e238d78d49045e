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
from engine.plan import Plan, Wire
from engine.registry import snake_case

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
    return f"{least:.1f} to {most:.1f} ms{delayed}"


def mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flow chart."""
    lines = ["flowchart LR"]
    for id, node in plan.nodes.items():
        shape = f'(["{id}"])' if id == INPUT else f'["{id}<br/><i>{snake_case(type(node).__name__)}</i>"]'
        lines.append(f"    {_mermaid_id(id)}{shape}")
    for id, sink in plan.sinks.items():
        lines.append(f'    {_mermaid_id(id)}[/"{id}<br/><i>{snake_case(type(sink).__name__)}</i>"/]')
    for wire in plan.wires:
        label = f"{wire.source_port}<br/>{wire.format}<br/>{span(plan, wire)}"
        lines.append(f'    {_mermaid_id(wire.source)} -- "{label}" --> {_mermaid_id(wire.target)}')
    return "\n".join(lines)


def _mermaid_id(id: str) -> str:
    """`end`, `graph` and the like are words of Mermaid's own."""
    return f"n_{id}"


def svg(plan: Plan) -> str:
    """The plan drawn by Graphviz."""
    drawing = graphviz.Digraph(
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
        kind = "input" if id == INPUT else "node"
        drawing.node(id, _two_lines(id, "" if id == INPUT else type(node).__name__), fillcolor=_FILL[kind])
    for id, sink in plan.sinks.items():
        drawing.node(id, _two_lines(id, type(sink).__name__), fillcolor=_FILL["sink"], shape="cds")
    for wire in plan.wires:
        kind = str(wire.format).partition(" ")[0]
        label = f"{wire.source_port}\n{wire.format}\n{span(plan, wire)}"
        drawing.edge(wire.source, wire.target, graphviz.escape(label).replace("\n", r"\n"), color=_LINE[kind])
    try:
        return str(drawing.pipe(format="svg", encoding="utf-8"))
    except graphviz.ExecutableNotFound:
        raise FollowspotError(
            "the drawing needs Graphviz's program `dot`: `apt-get install graphviz`, "
            "or use --mermaid, which needs nothing"
        ) from None


def _two_lines(name: str, kind: str) -> str:
    return graphviz.escape(name) + (rf"\n{snake_case(kind)}" if kind else "")
