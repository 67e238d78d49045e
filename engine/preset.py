"""Presets: a graph written down in TOML, checked whole, with the line of every fault.

::

    preset = 1
    name = "beats"
    description = "Beats from the mix to the screen and to OSC"
    extends = "other.toml"                    # or the name of a preset that comes along

    wires = ["input -> stft", "stft.magnitude -> novelty -> beats"]

    [engine]                                  # rate in Hz, quantum in samples, seed
    quantum = 256
    [input]                                   # device: a part of its name; channels: "mix" or [1, 2]
    channels = "mix"
    [nodes.stft]                              # type, then its parameters in natural units
    type = "stft"
    window = 1024
    [sinks.console]                           # type, from, then its parameters
    type = "osc"
    from = ["beats.beats"]
    [controls]                                # live parameters moved from outside
    "beats.octave" = "osc:/followspot/octave"
    "hands.nudge" = ["midi:note:1:40=-10", "midi:note:1:41=10"]   # several, each with a value of its own
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import FollowspotError, GraphError, Problem, suggestion
from engine.graph import INPUT, Graph
from engine.node import Node
from engine.params import Param, params_of
from engine.registry import Registry
from engine.sink import Sink

PRESETS = Path(__file__).resolve().parent.parent / "presets"

_TOP = {"preset", "name", "description", "extends", "wires", "engine", "input", "nodes", "sinks", "controls"}
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_CONTROL = re.compile(r"(osc:/[^\s=]+|midi:cc:\d{1,2}:\d{1,3}|midi:note:\d{1,2}:\d{1,3})(=(?P<value>\S+))?\Z")


class EngineTable:
    """The [engine] table."""

    rate = Param(44100, low=8000, high=192000, unit="Hz", help="sample rate of the whole graph")
    quantum = Param(256, low=16, high=4096, unit="samples", help="samples per quantum")
    seed = Param(0, low=0, help="from which every node's own random seed is derived")


class InputTable:
    """The [input] table; `channels` is checked apart, because it may be a word or a list."""

    device = Param("", help="a part of the name of the input device; empty: the system's default")


@dataclass(frozen=True)
class PresetSource:
    """Where a preset comes from: enough to load it again in another process.

    Parameters
    ----------
    preset : path of a TOML file, or the name of a preset that comes along.
    overrides : "node.param=value" each, applied last.
    plugins : paths of local Python files with nodes.
    """

    preset: str
    overrides: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()

    def load(self) -> Preset:
        """Read, merge, override and check the preset."""
        return load_preset(self.preset, Registry.discover(self.plugins), self.overrides)


@dataclass(frozen=True)
class Preset:
    """A checked preset.

    Attributes
    ----------
    channels : "mix" (the mean of all channels, one channel in the graph) or 1-based channel numbers.
    nodes, sinks : id -> (class, parameters).
    wires : (source, target) each, sinks' wires among them.
    controls : "node.param" -> what moves it: "osc:/address", "midi:cc:CHANNEL:NUMBER" or
        "midi:note:CHANNEL:NUMBER" each, with "=VALUE" behind it if it sets this value.
    """

    name: str
    description: str
    rate: int
    quantum: int
    seed: int
    device: str
    channels: str | tuple[int, ...]
    nodes: Mapping[str, tuple[type[Node], dict[str, Any]]]
    wires: tuple[tuple[str, str], ...]
    sinks: Mapping[str, tuple[type[Sink], dict[str, Any]]]
    controls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def build(self) -> Graph:
        """A graph of new nodes, ready to compile."""
        channels = 1 if self.channels == "mix" else len(self.channels)
        graph = Graph(self.rate, self.quantum, channels, self.seed)
        for id, (kind, params) in self.nodes.items():
            graph.add(id, kind(**params))
        for id, (sink, params) in self.sinks.items():
            graph.add_sink(id, sink(**params))
        for source, target in self.wires:
            graph.connect(source, target)
        return graph


def preset_names() -> list[str]:
    """The presets that come along."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def find_preset(name: str, beside: Path | None = None) -> Path:
    """The file of a preset given by path or by name; `beside`: the folder of the preset that extends it."""
    folders = [folder for folder in (beside, Path()) if folder is not None]
    for folder in folders:
        path = folder / name
        if path.is_file():
            return path
    path = PRESETS / f"{name.removesuffix('.toml')}.toml"
    if path.is_file():
        return path
    raise FollowspotError(
        f"preset {name}: there is no such file or preset; {suggestion(name, preset_names())}"
    )


def load_preset(name: str, registry: Registry, overrides: Iterable[str] = ()) -> Preset:
    """Read a preset by path or name, apply `overrides`, check everything, report all faults together."""
    text, data = _read(find_preset(name), seen=())
    return _Checker(name, text, data, registry).check(list(overrides))


def _read(path: Path, seen: tuple[Path, ...]) -> tuple[str, dict[str, Any]]:
    """The text of a preset and its table merged over what it extends."""
    if path.resolve() in seen:
        raise FollowspotError(f"preset {path}: it extends itself; remove one `extends`")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FollowspotError(f"preset {path}: cannot be read ({error}); check the file") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FollowspotError(f"preset {path}: not valid TOML: {error}") from None
    base = data.pop("extends", None)
    if base is None:
        return text, data
    if not isinstance(base, str):
        raise FollowspotError(f"preset {path}: extends = {base!r} must be the name or path of one preset")
    _, below = _read(find_preset(base, path.parent), (*seen, path.resolve()))
    return text, _merge(below, data)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Tables merge, wires add up, anything else is replaced; another `type` starts that table afresh."""
    if "type" in above and above["type"] != below.get("type"):
        return above
    merged = dict(below)
    for key, value in above.items():
        old = below.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[key] = _merge(old, value)
        elif key == "wires" and isinstance(value, list) and isinstance(old, list):
            merged[key] = old + value
        else:
            merged[key] = value
    return merged


class _Checker:
    """Turns the table of a preset into a Preset, collecting every problem."""

    def __init__(self, name: str, text: str, data: dict[str, Any], registry: Registry) -> None:
        self.name, self.text, self.data, self.registry = name, text, data, registry
        self.problems: list[Problem] = []

    def problem(self, table: str, key: str, reason: str, mend: str = "") -> None:
        """Note a fault at `key` of `[table]`, with its line if it is written in this file."""
        line = line_of(self.text, table, key)
        where = f"preset {self.name}" + (f" line {line}" if line else "")
        spot = ".".join(part for part in (table, key) if part)
        self.problems.append(Problem(where, f"{spot}: {reason}" if spot else reason, mend))

    def check(self, overrides: list[str]) -> Preset:
        for override in overrides:
            self._override(override)
        data = self.data
        for key in data.keys() - _TOP:
            self.problem("", key, "unknown key", suggestion(key, _TOP))
        if data.get("preset", 1) != 1:
            self.problem(
                "", "preset", f"version {data['preset']!r} is unknown", "this Followspot reads preset = 1"
            )
        engine = self._params("engine", EngineTable, self._table("engine"))
        settings = self._table("input")
        channels = self._channels(settings.pop("channels", "mix"))
        source = self._params("input", InputTable, settings)
        nodes: dict[str, tuple[type[Node], dict[str, Any]]] = {}
        sinks: dict[str, tuple[type[Sink], dict[str, Any]]] = {}
        wires = self._wires(data.get("wires", []))
        for id, table in self._named_tables("nodes"):
            kind = self._type(f"nodes.{id}", table, Node)
            if kind is not None:
                nodes[id] = (kind, self._params(f"nodes.{id}", kind, table))
        for id, table in self._named_tables("sinks"):
            wires += [(feed, id) for feed in self._sources(f"sinks.{id}", table.pop("from", None))]
            sink = self._type(f"sinks.{id}", table, Sink)
            if sink is not None:
                sinks[id] = (sink, self._params(f"sinks.{id}", sink, table))
            if id in nodes:
                self.problem(f"sinks.{id}", "", "a node has this name too", "give the sink another one")
        controls = self._controls(self._table("controls"), nodes | sinks)
        if self.problems:
            raise GraphError(self.problems)
        return Preset(
            name=str(data.get("name", Path(self.name).stem)),
            description=str(data.get("description", "")),
            rate=engine.get("rate", EngineTable.rate.default),
            quantum=engine.get("quantum", EngineTable.quantum.default),
            seed=engine.get("seed", EngineTable.seed.default),
            device=source.get("device", ""),
            channels=channels,
            nodes=nodes,
            wires=tuple(wires),
            sinks=sinks,
            controls=controls,
        )

    def _override(self, text: str) -> None:
        """Put "node.param=value" into the table, for a node, a sink, engine or input."""
        target, equals, value = text.partition("=")
        id, dot, name = target.strip().partition(".")
        mend = "write node.param=value"
        if not (equals and dot):
            self.problems.append(Problem(f"--set {text}", "cannot be read", mend))
            return
        for group in ("nodes", "sinks"):
            table = self._table(group).get(id)
            if isinstance(table, dict):
                self._set(text, table, name, value.strip(), table.get("type"))
                return
        if id in ("engine", "input"):
            table = self.data.setdefault(id, {})
            known = params_of(EngineTable if id == "engine" else InputTable)
            if id == "input" and name == "channels":
                numbers = [int(n) for n in re.findall(r"\d+", value)]
                table[name] = numbers if numbers else value.strip()
            else:
                self._parse(text, table, name, value.strip(), known)
            return
        known_ids = [*self._table("nodes"), *self._table("sinks"), "engine", "input"]
        self.problems.append(Problem(f"--set {text}", f"there is no {id!r}", suggestion(id, known_ids)))

    def _set(self, text: str, table: dict[str, Any], name: str, value: str, kind: object) -> None:
        try:
            known = params_of(self.registry.load(str(kind)))
        except FollowspotError:
            return  # told when the node itself is checked
        self._parse(text, table, name, value, known)

    def _parse(
        self, text: str, table: dict[str, Any], name: str, value: str, known: dict[str, Param[Any]]
    ) -> None:
        if name not in known:
            reason, mend = f"there is no parameter {name!r}", suggestion(name, known)
            self.problems.append(Problem(f"--set {text}", reason, mend))
            return
        try:
            table[name] = known[name].parse(value)
        except ValueError as error:
            self.problems.append(Problem(f"--set {text}", str(error)))

    def _table(self, key: str) -> dict[str, Any]:
        table = self.data.get(key, {})
        if isinstance(table, dict):
            return table
        self.problem("", key, f"must be a table [{key}]")
        self.data[key] = {}
        return {}

    def _named_tables(self, group: str) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for id, table in self._table(group).items():
            if not isinstance(table, dict):
                self.problem(group, id, f"must be a table [{group}.{id}]")
            elif not _NAME.match(id) or id == INPUT:
                mend = "use small letters, digits and _, beginning with a letter, and not `input`"
                self.problem(group, id, "is no name for a node", mend)
            else:
                found.append((id, dict(table)))
        return found

    def _type(self, table_name: str, table: dict[str, Any], base: type) -> Any:
        name = table.pop("type", None)
        if not isinstance(name, str):
            self.problem(
                table_name, "type", "is missing", "say which node it is; `followspot nodes` lists them"
            )
            return None
        try:
            kind = self.registry.load(name)
        except FollowspotError as error:
            self.problem(table_name, "type", str(error))
            return None
        if not issubclass(kind, base):
            other = "sinks" if issubclass(kind, Sink) else "nodes"
            self.problem(table_name, "type", f"{name} belongs under [{other}.NAME]")
            return None
        return kind

    def _params(self, table_name: str, owner: type, table: dict[str, Any]) -> dict[str, Any]:
        known = params_of(owner)
        checked = {}
        for name, value in table.items():
            if name not in known:
                self.problem(table_name, name, "unknown key", suggestion(name, known))
                continue
            try:
                checked[name] = known[name].check(value)
            except ValueError as error:
                self.problem(table_name, name, str(error))
        return checked

    def _channels(self, value: Any) -> str | tuple[int, ...]:
        if value == "mix":
            return "mix"
        if isinstance(value, list) and value and all(type(n) is int and n >= 1 for n in value):
            return tuple(value)
        self.problem(
            "input", "channels", f"{value!r} is neither", 'write "mix" or channel numbers like [1, 2]'
        )
        return "mix"

    def _sources(self, table_name: str, value: Any) -> list[str]:
        sources = [value] if isinstance(value, str) else value
        if isinstance(sources, list) and sources and all(isinstance(source, str) for source in sources):
            return sources
        self.problem(table_name, "from", "is missing", 'say what it gets, like from = ["beats.beats"]')
        return []

    def _wires(self, value: Any) -> list[tuple[str, str]]:
        """ "a -> b.in -> c" as pairs; the output of b is its only one, or the one named behind a colon."""
        if not (isinstance(value, list) and all(isinstance(wire, str) for wire in value)):
            self.problem("", "wires", "must be a list of strings", 'like ["input -> stft"]')
            return []
        pairs = []
        for wire in value:
            ends = [end.strip() for end in wire.split("->")]
            if len(ends) < 2 or not all(ends):
                self.problem("", "wires", f"{wire!r} is no wire", 'write "node.port -> node.port"')
                continue
            for i in range(len(ends) - 1):
                # Inside a chain "x.in" names where the wire goes in; it leaves by the node's only output.
                source = ends[i] if i == 0 else ends[i].partition(".")[0]
                pairs.append((source, ends[i + 1]))
        return pairs

    def _controls(
        self, table: dict[str, Any], things: dict[str, tuple[type, dict[str, Any]]]
    ) -> dict[str, tuple[str, ...]]:
        controls: dict[str, tuple[str, ...]] = {}
        for target, value in table.items():
            id, _, name = target.partition(".")
            if id not in things:
                self.problem("controls", target, f"there is no node {id!r}", suggestion(id, things))
                continue
            known = {n: p for n, p in params_of(things[id][0]).items() if p.live}
            if name not in known:
                self.problem(
                    "controls", target, f"{id} has no live parameter {name!r}", suggestion(name, known)
                )
                continue
            sources = value if isinstance(value, list) else [value]
            for source in sources:
                try:
                    check_control(source, known[name])
                except ValueError as error:
                    self.problem("controls", target, str(error))
                    break
            else:
                controls[target] = tuple(sources)
        return controls


def check_control(source: Any, param: Param[Any]) -> tuple[str, Any]:
    """A control as (what moves it, the value it sets or None); ValueError says what is wrong with it."""
    match = _CONTROL.match(source) if isinstance(source, str) else None
    if match is None:
        raise ValueError(
            f"{source!r} is no control; write osc:/address, midi:cc:CHANNEL:NUMBER or "
            "midi:note:CHANNEL:NUMBER, with =VALUE behind it if it is to set one value"
        )
    value = match.group("value")
    return match.group(1), None if value is None else param.parse(value)


def line_of(text: str, table: str, key: str) -> int | None:
    """The line (from 1) of `key` in `[table]`, or the table's own if the key is not written there."""
    current, found = "", None
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[([^\[\]]+)\]", line)
        if header:
            current = header.group(1).strip()
            if current == table or (not table and current == key) or current == f"{table}.{key}":
                found = number
        elif current == table and re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
            return number
    return found
