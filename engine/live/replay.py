"""A recorded session done again, as fast as the machine can, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from engine.audio.door import Block
from engine.deferred import DeferredNode
from engine.events import Event
from engine.live.control import apply_note
from engine.live.session import Gap, Session
from engine.offline import run_offline
from engine.plan import compile_graph
from engine.runner import Runner


def replay(
    folder: str | Path,
    listener: Callable[[Event], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Run a session recorded with --record again: the same events at the same samples.

    Parameters
    ----------
    folder : of the session.
    listener, progress : as for `engine.offline.run_offline`.

    For a replay at the pace of real time, with all its outputs, see `Supervisor(replay=...)`.
    Raises FollowspotError if the folder is no session.
    """
    session = Session.open(folder)
    for take in session.takes:
        runner = Runner(compile_graph(session.source.load().build()))
        for node in runner.plan.steps:
            if isinstance(node, DeferredNode):
                node.scripted = True
        run_offline(runner, _blocks(session, take, runner), listener, progress)
        runner.plan.release()


def _blocks(session: Session, take: Path, runner: Runner) -> Iterator[Block | int]:
    """The take for `run_offline`: what is neither audio nor gap is done in between."""
    for item in session.items(take):
        if isinstance(item, np.ndarray):
            yield item
        elif isinstance(item, Gap):
            yield item.quanta
        else:
            apply_note(runner, item)
