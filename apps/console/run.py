"""Runs a preset live with faces: the page, the text view, the line on the terminal."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from typing import Any

from apps.console import messages
from apps.console.desk import Desk
from apps.console.screen import Message, Screen, Terminal
from apps.live import LiveView, watch
from apps.offline import event_lines
from apps.terminal import is_terminal, note
from engine.errors import FollowspotError
from engine.events import Event
from engine.live.telemetry import Snapshot
from engine.preset import PresetSource

_SLOWEST = 0.1  # seconds between two looks of the text view


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--view, --bind, --token and --tui."""
    parser.add_argument("--view", action="store_true", help="show the console, a web page on this machine")
    parser.add_argument(
        "--bind",
        metavar="HOST[:PORT]",
        help="where the console is; 0.0.0.0 lets other machines in, with a token (default: 127.0.0.1:8770)",
    )
    parser.add_argument(
        "--token", metavar="TEXT", help="the token that the console asks for (default: a new one each time)"
    )
    parser.set_defaults(front=None)
    parser.add_argument("--tui", action="store_true", help="show the text view on this terminal")


def wanted(args: argparse.Namespace) -> bool:
    """Whether the arguments ask for a face."""
    if args.token is not None and not (args.view or args.bind):
        raise FollowspotError("--token belongs to the console: add --view")
    return bool(args.view or args.bind or args.tui)


def run_with_faces(
    source: PresetSource, args: argparse.Namespace, *, events: str | None, listen: str, **input: Any
) -> None:
    """Until the input ends, Ctrl-C, or `q` in the text view."""
    desk = Desk(source, listen=listen, **input)
    if args.tui and not is_terminal(sys.stdout):
        raise FollowspotError("--tui needs a terminal; use --view, or --events for machines")
    with contextlib.ExitStack() as closing:
        if events:
            desk.faces.append(Lines(closing.enter_context(event_lines(events, desk.preset.rate))))
        if args.view or args.bind:
            closing.enter_context(page(desk, args.bind, args.token, args.front))
        view = TextView(desk) if args.tui else Line(desk, shown=is_terminal(sys.stderr) and events != "-")
        desk.faces.append(view)
        if isinstance(view, TextView):
            closing.enter_context(view.terminal.opened())
        watch(desk, view)


@contextlib.contextmanager
def page(desk: Desk, bind: str | None, token: str | None, front: Any = None) -> Any:
    """The console while it is served; says where it is."""
    from apps.console.server import Console

    console = Console(desk, bind, token, front)
    for url in console.urls:
        note(f"{front.name if front else 'console'}: {url}")
    try:
        yield console
    finally:
        console.close()


class Lines:
    """Writes events to a file."""

    def __init__(self, write: Any) -> None:
        self.event = write

    def status(self, what: str, state: str, reason: str) -> None:
        """Not written."""

    def changed(self) -> None:
        """Not written."""


class Line(LiveView):
    """The line on the terminal."""

    def __init__(self, desk: Desk, *, shown: bool) -> None:
        super().__init__(desk.preset, shown=shown)

    def changed(self) -> None:
        """Not shown."""


class TextView:
    """The text view of this process's own desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._screen = Screen(self._do)
        self.terminal = Terminal(self._screen)
        self._names: object = None
        self._looked = 0.0
        self._waiting: list[Message] = []

    def event(self, event: Event) -> None:
        """An event fell due."""
        self._waiting.append(messages.event(event, self._desk.preset.rate))

    def status(self, what: str, state: str, reason: str) -> None:
        """Something changed its health."""
        self._waiting.append({"type": "status", "what": what, "state": state, "reason": reason})

    def changed(self) -> None:
        """Parameters have changed."""
        self._waiting.append(messages.values(self._desk))

    def draw(self, snapshot: Snapshot) -> None:
        """Show the engine as it is."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self._screen.hear(message)
        names = self._desk.supervisor.names
        if names is not self._names:
            self._names, self._reader = names, self._desk.supervisor.reader()
            self._screen.hear(messages.about(self._desk))
            self._screen.hear(messages.values(self._desk))
        if names is not None and self._reader is not None:
            self._screen.hear(messages.ahead(self._reader.said(), self._desk.preset.rate, snapshot.position))
        if time.monotonic() - self._looked > _SLOWEST:
            self._looked = time.monotonic()
            self._screen.hear(messages.telemetry(self._desk))
        self.terminal.draw()
        if self._screen.ended:
            raise KeyboardInterrupt

    def end(self, snapshot: Snapshot, restarts: int) -> None:
        """Nothing more; the screen goes."""

    def _do(self, command: Message) -> None:
        try:
            self._desk.do(command)
        except FollowspotError as error:
            self._screen.hear({"type": "error", "text": str(error)})
