"""Compile all kernels now, so that the next start is quick.

Loads every node, and beside that runs noise through every preset that comes along.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
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
    begun = perf_counter()
    # Spawned: a fork would share what numba has begun.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as beside:
        presets = beside.submit(compile_presets)
        load_nodes()
        presets.result()
    note(f"ready after {perf_counter() - begun:.0f} s")


def load_nodes() -> None:
    """Most kernels are compiled when their module is imported."""
    registry = Registry.discover()
    for name in reversed(registry.names()):  # most presets begin with nodes of the first names
        try:
            registry.load(name)
        except FollowspotError as error:
            note(str(error))


def compile_presets() -> None:
    """The others are compiled by the first samples."""
    registry = Registry.discover()
    for name in preset_names():
        note(f"compiling {name}")
        try:
            plan = compile_graph(load_preset(name, registry).build())
        except FollowspotError as error:  # it lacks an optional extra, or must be told something first
            note(f"  left out: {error}")
            continue
        Runner(plan).warm_up()
        plan.release()
