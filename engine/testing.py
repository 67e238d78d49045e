"""The conformance kit: what every node owes the engine, checked on any node class.

    from engine.testing import check_node, table
    print(table(check_node(MyNode)))

Everything is driven by one audio signal that is put into a small graph around the node. A node class may say
more about how it wants to be tested:

- ``test_params()`` (classmethod): parameter sets to test, a list of dicts; default: the defaults.
- ``test_inputs(graph)`` (classmethod): adds upstream nodes to `graph` and returns ``{port: "node.port"}``;
  default: audio from the input, frames and events from the generators in `engine.testing_inputs`.
- ``test_seconds`` : how much music it needs before it says anything; default 3 s.
- ``test_skips`` : ``{check: reason}`` for what it cannot hold by its nature.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.checks import NODE_CHECKS, STATIC_CHECKS
from engine.checks_sink import SINK_CHECKS
from engine.errors import FollowspotError
from engine.node import Node
from engine.sink import Sink
from engine.testing_inputs import Case

__all__ = ["Result", "assert_conforms", "check_node", "table"]


@dataclass(frozen=True)
class Result:
    """What one check found. `skipped` holds the reason where it was not run."""

    check: str
    about: str
    problems: tuple[str, ...] = ()
    skipped: str = ""
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """No problem found."""
        return not self.problems


def check_node(cls: type[Node] | type[Sink], only: Sequence[str] = ()) -> list[Result]:
    """Run the checks on a node or sink class, for each of its parameter sets.

    `only`: names of the checks to run; default all. A check that raises is a problem, never a traceback.
    """
    if issubclass(cls, Sink):
        return [_run(check, cls, cls, {}) for check in _chosen(SINK_CHECKS, only)]
    results = [_run(check, cls, cls, {}) for check in _chosen(STATIC_CHECKS, only)]
    absent = [name for name in cls.requires if importlib.util.find_spec(name) is None]
    for params in _param_sets(cls):
        case = Case(cls, params)
        for check in _chosen(NODE_CHECKS, only):
            if absent:
                reason = f"needs {', '.join(absent)}, which is not installed"
                results.append(Result(check.__name__, _about(check), skipped=reason, params=params))
            else:
                results.append(_run(check, cls, case, params))
    return results


def assert_conforms(cls: type[Node] | type[Sink], only: Sequence[str] = ()) -> None:
    """Raise AssertionError with the table if a check found a problem."""
    results = check_node(cls, only)
    if any(result.problems for result in results):
        raise AssertionError(f"{cls.__name__} does not conform\n{table(results)}")


def table(results: Iterable[Result]) -> str:
    """The results for people: one line per check, its problems beneath."""
    lines = []
    params: dict[str, Any] = {}
    for result in results:
        if result.params != params:
            params = result.params
            lines.append("with " + ", ".join(f"{k}={v!r}" for k, v in params.items()))
        state = "FAIL" if result.problems else "skip" if result.skipped else "ok"
        lines.append(f"{state:5}{result.check:22}{result.skipped or result.about}")
        lines.extend(f"       {problem}" for problem in result.problems)
    return "\n".join(lines)


Check = Callable[[Any], list[str]]


def _run(check: Check, cls: type[Node] | type[Sink], subject: object, params: dict[str, Any]) -> Result:
    skips: dict[str, str] = getattr(cls, "test_skips", {})
    name, about = check.__name__, _about(check)
    if name in skips:
        return Result(name, about, skipped=skips[name], params=params)
    try:
        with np.errstate(all="ignore"):
            problems = check(subject)
    except FollowspotError as error:
        problems = str(error).splitlines()
    except Exception as error:
        problems = [f"{type(error).__name__}: {error}"]
    return Result(name, about, tuple(problems), params=params)


def _chosen(checks: Sequence[Check], only: Sequence[str]) -> list[Check]:
    return [check for check in checks if not only or check.__name__ in only]


def _about(check: Check) -> str:
    return (check.__doc__ or "").splitlines()[0]


def _param_sets(cls: type[Node]) -> list[dict[str, Any]]:
    make = getattr(cls, "test_params", None)
    return list(make()) if make is not None else [{}]
