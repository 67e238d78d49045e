"""What is done to a running graph besides feeding it audio, the same live and in a replay."""

from __future__ import annotations

from typing import Any

from engine.deferred import DeferredNode
from engine.errors import FollowspotError, suggestion
from engine.live.session import Change, Late, Quality, Resumed
from engine.params import params_of
from engine.runner import Runner
from engine.sink import Sink


def check_sink_parameter(sink: Sink, target: str, value: Any) -> Any:
    """The value for a live parameter of a sink, checked."""
    id, _, name = target.partition(".")
    known = {n: p for n, p in params_of(type(sink)).items() if p.live}
    if name not in known:
        raise FollowspotError(f"{id} has no live parameter {name!r}; {suggestion(name, known)}")
    try:
        return known[name].check(value)
    except ValueError as error:
        raise FollowspotError(f"{id}: {error}") from None


def apply_note(runner: Runner, item: Change | Quality | Late | Resumed) -> None:
    """Do at once what the journal notes, other than gaps. Raises FollowspotError for a bad change."""
    if isinstance(item, Quality):
        runner.set_quality(item.level)
    elif isinstance(item, Change):
        id, _, name = item.target.partition(".")
        sink = runner.plan.sinks.get(id)
        if sink is None:
            runner.set(item.target, item.value)
        else:
            setattr(sink, name, check_sink_parameter(sink, item.target, item.value))
    else:
        node = runner.plan.nodes[item.node]
        assert isinstance(node, DeferredNode)
        node.held = isinstance(item, Late)
