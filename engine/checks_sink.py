"""The smaller set of checks for sinks: what can be said without a receiver."""

from __future__ import annotations

from engine.checks import _imported, _undocumented_params, round_trip
from engine.params import params_of
from engine.sink import Sink

KINDS = frozenset({"audio", "frames", "events"})


def documented(cls: type[Sink]) -> list[str]:
    """docstring, help on every parameter"""
    problems = [] if (cls.__dict__.get("__doc__") or "").strip() else ["the class has no docstring"]
    return problems + _undocumented_params(params_of(cls))


def constructs(cls: type[Sink]) -> list[str]:
    """constructed from its parameters, repr and command line text give the same ones back"""
    return round_trip(cls, {})


def no_clock(cls: type[Sink]) -> list[str]:
    """it reads no clock: times come from the dispatcher"""
    bad = sorted(_imported(cls.__module__) & {"time", "datetime", "random"})
    return [f"imports {', '.join(bad)}: use the due time it is called with"] if bad else []


def accepts(cls: type[Sink]) -> list[str]:
    """it says what it accepts and has the method for it"""
    problems = [f"accepts {kind!r}, which is no kind of port" for kind in sorted(cls.accepts - KINDS)]
    if not cls.accepts:
        problems.append("accepts nothing: set `accepts`")
    for kind, method in (("events", "send_event"), ("frames", "send_frame"), ("audio", "send_audio")):
        written = getattr(cls, method) is not getattr(Sink, method)
        if (kind in cls.accepts) != written:
            problems.append(
                f"{method} is {'written' if written else 'missing'}, but accepts is {sorted(cls.accepts)}"
            )
    return problems


def closes_unopened(cls: type[Sink]) -> list[str]:
    """closing one that never opened is no fault, twice neither"""
    sink = cls()
    sink.close()
    sink.close()
    return []


SINK_CHECKS = (documented, constructs, no_clock, accepts, closes_unopened)
