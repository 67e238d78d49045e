"""What Followspot keeps about this user: learnt controls and measured latencies, as TOML in XDG_CONFIG_HOME.

::

    controls.toml      [PRESET] "node.param" = ["midi:note:1:36", ...]
    latencies.toml     [latency_ms] "DEVICE" = 43.5
"""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import FollowspotError
from engine.params import params_of
from engine.preset import Preset, PresetSource, check_control
from engine.registry import snake_case

CONTROLS, LATENCIES = "controls.toml", "latencies.toml"


def folder() -> Path:
    """$XDG_CONFIG_HOME/followspot, by default ~/.config/followspot."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "followspot"


def read(name: str) -> dict[str, dict[str, Any]]:
    """The tables of a file; empty where there is none. FollowspotError if it cannot be read."""
    path = folder() / name
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise FollowspotError(f"{path}: cannot be read ({error}); mend or remove it") from None
    return {key: table for key, table in tables.items() if isinstance(table, dict)}


def write(name: str, tables: dict[str, dict[str, Any]]) -> Path:
    """Write the tables, whole or not at all; returns where."""
    path = folder() / name
    lines = []
    for title, table in tables.items():
        # A string or a list of strings in JSON is the same in TOML.
        lines += [f"[{json.dumps(title)}]"]
        lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()]
        lines += [""]
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text("\n".join(lines), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise FollowspotError(f"{path}: cannot be written ({error.strerror})") from None
    return path


def with_learnt_controls(preset: Preset) -> Preset:
    """The preset with the controls that this user has taught it; what no longer fits it is left out."""
    merged = dict(preset.controls)
    for target, sources in read(CONTROLS).get(preset.name, {}).items():
        id, _, name = target.partition(".")
        kind, _ = {**preset.nodes, **preset.sinks}.get(id, (None, None))
        param = params_of(kind).get(name) if kind is not None else None
        if param is None or not param.live or not isinstance(sources, list):
            continue
        try:
            for source in sources:
                check_control(source, param)
        except ValueError:
            continue
        merged[target] = tuple(dict.fromkeys((*merged.get(target, ()), *sources)))
    return replace(preset, controls=merged)


def keep_control(preset: str, target: str, control: str) -> Path:
    """Remember that `control` moves `target` in a preset; what it moved there before it moves no more."""
    tables = read(CONTROLS)
    table = tables.setdefault(preset, {})
    for other in list(table):
        table[other] = [source for source in table[other] if source != control]
        if not table[other]:
            del table[other]
    table[target] = [*table.get(target, []), control]
    return write(CONTROLS, tables)


def forget_controls(preset: str, target: str) -> Path:
    """Forget what was learnt for a parameter."""
    tables = read(CONTROLS)
    if tables.get(preset, {}).pop(target, None) is None:
        raise FollowspotError(
            f"nothing was learnt for {target} of {preset}; `followspot learn {preset}` lists all"
        )
    return write(CONTROLS, tables)


def device_name(kind: type, values: dict[str, Any]) -> str:
    """Under which name the latency of a sink's receiver is kept: its type, and host or port if it has one."""
    defaults = {name: param.default for name, param in params_of(kind).items()} | values
    place = ":".join(str(defaults[key]) for key in ("host", "port") if defaults.get(key))
    return f"{snake_case(kind.__name__)} {place}".strip()


def keep_latency(device: str, ms: float) -> Path:
    """Remember the measured latency of a device, signed ms."""
    tables = read(LATENCIES)
    tables.setdefault("latency_ms", {})[device] = round(ms, 1)
    return write(LATENCIES, tables)


def with_latencies(source: PresetSource) -> PresetSource:
    """The source with measured latencies for the sinks whose `latency_ms` the preset leaves open.

    They become overrides, so a recorded session carries them along.
    """
    known = read(LATENCIES).get("latency_ms", {})
    added = []
    for id, (kind, values) in source.load().sinks.items():
        ms = known.get(device_name(kind, values))
        if isinstance(ms, int | float) and "latency_ms" not in values and "offset_ms" not in values:
            added.append(f"{id}.latency_ms={ms}" if ms >= 0 else f"{id}.offset_ms={-ms}")
    return replace(source, overrides=(*source.overrides, *added)) if added else source
