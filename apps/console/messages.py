"""What the console says, as plain dicts ready for JSON: about, telemetry, values, events.

docs/console.md describes every field; whoever changes one changes it there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from apps.console.desk import Desk
from engine.events import Event
from engine.formats import Format
from engine.latency import latency_of
from engine.live.scope import Said
from engine.params import Param, Parametric, params_of
from engine.plan import Wire
from engine.ports import EventsOut
from engine.registry import snake_case

#: Parameters that are hands on the music, wherever a node or a sink has them.
HANDS = ("tap", "one", "follow", "nudge", "octave", "lock", "freeze", "blackout")


def about(desk: Desk) -> dict[str, Any]:
    """The preset, its nodes and sinks with their parameters, wires and latencies."""
    preset, names = desk.preset, desk.supervisor.names
    view = names.view if names is not None else None
    return {
        "type": "about",
        "preset": desk.source.preset,
        "name": preset.name,
        "description": preset.description,
        "presets": desk.presets(),
        "rate": preset.rate,
        "quantum": preset.quantum,
        "input": str(desk.input.get("file") or desk.input.get("replay") or desk.input.get("device") or "mic"),
        "nodes": [_member(desk, id, kind) for id, (kind, _) in preset.nodes.items()],
        "sinks": [_member(desk, id, kind) for id, (kind, _) in preset.sinks.items()],
        "beats": beats_source(desk),
        "hands": {name: targets for name in HANDS if (targets := hand(desk, name))},
        "wires": [_wire(wire, preset.quantum) for wire in view.wires] if view else [],
        "latency": [
            {
                "output": row.output,
                "sink": row.sink,
                "min_ms": _ms(row.least),
                "typical_ms": _ms(row.typical),
                "max_ms": _ms(row.most),
                "lead_ms": _ms(row.advance),
                "late_ms": _ms(row.shortfall) if row.sink else 0.0,
            }
            for row in (view.latency if view else ())
        ],
    }


def beats_source(desk: Desk) -> str:
    """The node whose beats are shown: of all that say beats, the last on the way."""
    saying = [
        id
        for id, (kind, _) in desk.preset.nodes.items()
        if any("beat" in port.kinds for port in kind.outputs.values() if isinstance(port, EventsOut))
    ]
    return _last_on_the_way(desk, saying)[-1] if saying else ""


def hand(desk: Desk, name: str) -> list[str]:
    """The live parameters that a hand moves: blackout all of them, else those last on the way.

    A conductor behind a tracker has the same parameters as the tracker; moving both would do it twice.
    """
    preset = desk.preset
    members = {**preset.nodes, **preset.sinks}
    having = [
        id for id, (kind, _) in members.items() if (p := params_of(kind).get(name)) is not None and p.live
    ]
    chosen = having if name == "blackout" else _last_on_the_way(desk, having)
    return [f"{id}.{name}" for id in chosen]


def _last_on_the_way(desk: Desk, ids: list[str]) -> list[str]:
    """Those that feed none of the others."""
    behind: dict[str, set[str]] = {}

    def reach(id: str) -> set[str]:
        if id not in behind:
            behind[id] = set()
            next_ids = {
                target.partition(".")[0]
                for source, target in desk.preset.wires
                if source.partition(".")[0] == id
            }
            behind[id] = next_ids.union(*(reach(other) for other in next_ids))
        return behind[id]

    return [id for id in ids if not reach(id) & set(ids)]


def _member(desk: Desk, id: str, kind: type[Parametric]) -> dict[str, Any]:
    summary = (kind.__doc__ or "").strip().partition("\n")[0]
    params = [_param(desk, id, param) for param in params_of(kind).values()]
    return {"id": id, "type": snake_case(kind.__name__), "help": summary, "params": params}


def _param(desk: Desk, id: str, param: Param[Any]) -> dict[str, Any]:
    target = f"{id}.{param.name}"
    return {
        "name": param.name,
        "kind": param.kind.__name__,
        "value": desk.values[target],
        "initial": desk.initial[target],
        "low": param.low,
        "high": param.high,
        "unit": param.unit,
        "live": param.live,
        "momentary": param.momentary,
        "choices": list(param.choices),
        "help": param.help,
    }


def _wire(wire: Wire, quantum: int) -> dict[str, Any]:
    least, _, most = latency_of(wire.format, quantum)
    return {
        "from": wire.output,
        "to": f"{wire.target}.{wire.target_port}" if wire.target_port else wire.target,
        "kind": kind_of(wire.format),
        "what": str(wire.format),
        "min_ms": _ms(least),
        "max_ms": _ms(most),
    }


def kind_of(format: Format) -> str:
    """audio, frames or events."""
    return str(format).partition(" ")[0]


def values(desk: Desk) -> dict[str, Any]:
    """Every live parameter as it is now."""
    return {
        "type": "values",
        "values": desk.values,
        "controls": {target: list(sources) for target, sources in desk.preset.controls.items()},
        "can_undo": desk.can_undo,
        "can_redo": desk.can_redo,
    }


def telemetry(desk: Desk) -> dict[str, Any]:
    """How the engine is doing."""
    snapshot, now = desk.snapshot(), desk.now()
    return {
        "type": "telemetry",
        "state": snapshot.state,
        "now": now,
        "heard": snapshot.position / desk.preset.rate,
        "levels": [[round(peak, 5), round(rms, 5)] for peak, rms in snapshot.levels],
        "overload": {"state": snapshot.overload, "entered": snapshot.entered, "backlog": snapshot.backlog},
        "xruns": snapshot.xruns,
        "gaps": snapshot.gaps,
        "lost_s": snapshot.lost / desk.preset.rate,
        "overruns": snapshot.overruns,
        "restarts": desk.supervisor.restarts,
        "clock": {"ppm": round(snapshot.ppm, 2), "jitter_ms": round(snapshot.jitter, 3)},
        "wake_ms": [round(ms, 3) for ms in snapshot.wake],
        "budget_us": 1e6 * desk.preset.quantum / desk.preset.rate,
        "loads": {id: [round(us, 2) for us in cost] for id, cost in snapshot.loads.items()},
        "sinks": {
            id: {
                "status": health.status,
                "reason": desk.health.get(f"sink {id}", ("", ""))[1],
                "late_ms": [round(ms, 3) for ms in (health.late_p50, health.late_p99, health.late_max)],
                "sent": health.fired,
                "stale": health.stale,
                "dropped": health.dropped,
                "failures": health.failures,
            }
            for id, health in snapshot.sinks.items()
        },
    }


def event(said: Event, rate: int) -> dict[str, Any]:
    """An event that has fallen due."""
    record = {key: _plain(value) for key, value in said.to_json(rate).items()}
    return {"type": "event", "event": record}


def ahead(said: Iterable[Said], rate: int, position: int) -> dict[str, Any]:
    """What has been said of the time after sample `position`, the last word on each."""
    latest = {(one.source, one.kind, one.key): one for one in said if one.time >= position or one.retracted}
    return {
        "type": "ahead",
        "events": [
            {
                "kind": one.kind,
                "time": round(one.time / rate, 6),
                "source": one.source,
                "key": one.key,
                "revision": one.revision,
                "retracted": one.retracted,
            }
            for one in latest.values()
        ],
    }


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
