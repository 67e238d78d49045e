"""Run the conformance checks on a node or sink: yours, or anyone's.

The same checks that every node of Followspot passes: declared latency and causality hold, the same input
gives the same output to the last bit whatever the quantum, reset restores the state, nothing is allocated
while it runs, and more. Status 0 if all hold, 1 if not.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from apps.terminal import note
from engine.errors import FollowspotError, suggestion
from engine.node import Node
from engine.registry import Kind, Registry, snake_case
from engine.sink import Sink
from engine.testing import check_node, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "node", metavar="MODULE:CLASS", help="or FILE.py:CLASS, or the name of a node that is installed"
    )


def run(args: argparse.Namespace) -> int:
    results = check_node(find(args.node))
    print(table(results))
    failed = sum(not result.ok for result in results)
    skipped = sum(bool(result.skipped) for result in results)
    note(f"\n{len(results) - failed - skipped} hold, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def find(target: str) -> Kind:
    """The class that `target` names."""
    place, colon, name = target.rpartition(":")
    if not colon:
        if target.endswith(".py"):
            raise FollowspotError(f"{target}: say which class of the file, like {target}:MyNode")
        return Registry.discover().load(target)
    if place.endswith(".py"):
        registry = Registry({})
        registry.add_file(place)
        for path, reason in registry.broken.items():
            raise FollowspotError(f"{path}: {reason}")
        return registry.load(snake_case(name))
    sys.path.insert(0, "")  # a module in the folder where we are, as `python -m` would find it
    try:
        module = importlib.import_module(place)
    except Exception as error:
        raise FollowspotError(f"{place}: cannot be imported ({type(error).__name__}: {error})") from None
    classes = {n: c for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, Node | Sink)}
    if name not in classes:
        raise FollowspotError(f"{place} has no node or sink {name!r}; {suggestion(name, classes)}")
    return classes[name]
