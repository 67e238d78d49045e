"""Compile all kernels now, so that the next start is quick.

Loads every node, and runs noise through every preset that comes along.
"""

from __future__ import annotations

import argparse
from time import perf_counter

from apps.terminal import note
from engine.errors import FollowspotError
from engine.plan import compile_graph
from engine.preset import load_preset, preset_names
from engine.registry import Registry
from engine.runner import Runner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser  # it takes none


def run(args: argparse.Namespace) -> None:
    registry = Registry.discover()
    begun = perf_counter()
    for name in registry.names():
        try:
            registry.load(name)
        except FollowspotError as error:
            note(str(error))
    for name in preset_names():
        note(f"compiling {name}")
        try:
            plan = compile_graph(load_preset(name, registry).build())
        except FollowspotError as error:  # it lacks an optional extra, or must be told something first
            note(f"  left out: {error}")
            continue
        Runner(plan).warm_up()
        plan.release()
    note(f"ready after {perf_counter() - begun:.0f} s")
