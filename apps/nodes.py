"""List the nodes and sinks, or show the page of one; all of it comes from what they declare.

What cannot be loaded is listed with the reason.
"""

from __future__ import annotations

import argparse
import inspect

from apps.arguments import add_plugin
from apps.terminal import note, table
from engine.errors import FollowspotError
from engine.node import Node
from engine.params import Param, params_of
from engine.ports import EventsOut, Port
from engine.registry import Kind, Registry
from engine.sink import Sink


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="a node or sink: show its whole page")
    add_plugin(parser)


def run(args: argparse.Namespace) -> None:
    registry = Registry.discover(args.plugins)
    print(page(args.name, registry) if args.name else listing(registry))
    if not args.name:
        note("\n`followspot nodes NAME` shows ports and parameters of one.")


def listing(registry: Registry) -> str:
    """Every node, then every sink, then what is disabled and why."""
    nodes: list[tuple[str, ...]] = []
    sinks: list[tuple[str, ...]] = []
    for name in registry.names():
        try:
            kind = registry.load(name)
        except FollowspotError:
            continue  # it is in `broken` now
        missing = registry.missing(name)
        remark = f" [needs {', '.join(missing)}, not installed]" if missing else ""
        if issubclass(kind, Node):
            nodes.append((name, _kinds(kind.inputs), _kinds(kind.outputs), summary(kind) + remark))
        else:
            sinks.append((name, ", ".join(sorted(kind.accepts)), summary(kind) + remark))
    parts = [
        table(("node", "takes", "gives", "what it does"), nodes),
        table(("sink", "takes", "what it does"), sinks),
    ]
    if registry.broken:
        parts.append(table(("disabled", "why"), list(registry.broken.items())))
    return "\n\n".join(parts)


def page(name: str, registry: Registry) -> str:
    """All about one node or sink, in Markdown."""
    kind = registry.load(name)
    parts = [f"# {name}", inspect.cleandoc(kind.__doc__ or "")]
    missing = registry.missing(name)
    if missing:
        parts.append(f"NOT AVAILABLE HERE: it needs {', '.join(missing)}; install it with pip")
    if issubclass(kind, Node):
        parts.append(_facts(kind))
        parts.append("## Inputs\n\n" + _ports(kind.inputs))
        parts.append("## Outputs\n\n" + _ports(kind.outputs))
    else:
        parts.append(f"Takes {', '.join(sorted(kind.accepts))}. {_when(kind)}")
    parts.append("## Parameters\n\n" + _params(params_of(kind)))
    parts.append("## In a preset\n\n" + _example(name, kind))
    return "\n\n".join(parts)


def summary(kind: Kind) -> str:
    """The first line of the docstring."""
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _kinds(ports: dict[str, Port]) -> str:
    return ", ".join(dict.fromkeys(port.kind for port in ports.values())) or "-"


def _facts(kind: type[Node]) -> str:
    causal = "Causal: runs live." if kind.causal else "Needs the future: runs offline only."
    lane = "" if kind.lane == "block" else f" Computes in the {kind.lane} lane."
    levels = f" {kind.quality_levels} quality levels." if kind.quality_levels > 1 else ""
    return causal + lane + levels


def _when(kind: type[Sink]) -> str:
    return "Works live and offline." if kind.offline else "Works live only."


def _ports(ports: dict[str, Port]) -> str:
    if not ports:
        return "none"
    lines = []
    for name, port in ports.items():
        optional = ", optional" if port.optional else ""
        lines.append(f"- `{name}` ({port.kind}{optional}): {port.help or 'no description'}")
        if isinstance(port, EventsOut):
            lines += [f"  - event `{event}`: {payload}" for event, payload in port.kinds.items()]
    return "\n".join(lines)


def _params(params: dict[str, Param[object]]) -> str:
    if not params:
        return "none"
    rows = [
        (name, _value(param), _range(param), "live" if param.live else "at start", param.help)
        for name, param in params.items()
    ]
    return table(("name", "default", "allowed", "changes", "what it is"), rows)


def _range(param: Param[object]) -> str:
    if param.kind is bool:
        return "true, false"
    if param.low is None and param.high is None and not param.choices:
        return param.unit or "any"
    return param.range_text.removeprefix("allowed: ").removeprefix("one of ")


def _value(param: Param[object]) -> str:
    """The default as TOML."""
    if param.kind is bool:
        return str(param.default).lower()
    if param.kind is str:
        return f'"{param.default}"'
    return f"{param.default:g}" if param.kind is float else str(param.default)


def _example(name: str, kind: Kind) -> str:
    group = "nodes" if issubclass(kind, Node) else "sinks"
    lines = [f"[{group}.my_{name}]", f'type = "{name}"']
    if group == "sinks":
        lines.append('from = ["NODE.PORT"]')
    own = {n: p for n, p in params_of(kind).items() if n not in params_of(Sink)}
    lines += [f"{param} = {_value(declared)}" for param, declared in own.items()]
    return "\n".join(lines)
