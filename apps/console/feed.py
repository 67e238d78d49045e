"""What goes out to the browsers: pictures thirty times a second, telemetry five times, news at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from apps.console import messages
from apps.console.client import Client
from apps.console.desk import Desk
from apps.console.rig import Rig
from apps.console.streams import Stream, message
from engine.errors import FollowspotError
from engine.events import Event
from engine.live.scope import Reader
from engine.live.telemetry import Names

_PICTURE_SECONDS = 1 / 30
_TELEMETRY_EVERY = 6  # pictures
#: Last words on what happened, for whoever comes later.
_MEMORY = 50


class Feed:
    """Reads the engine's scope and page, once for all clients.

    Attributes
    ----------
    listeners : queues of the Server-Sent Events.
    """

    def __init__(self, desk: Desk, clients: set[Client]) -> None:
        self.desk = desk
        self.listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._clients = clients
        self._names: Names | None = None
        self._reader: Reader | None = None
        self._streams: list[Stream] = []
        self._rig = Rig(desk)
        self._news: list[dict[str, Any]] = []
        self._states: dict[str, dict[str, Any]] = {}  # the last state that each node has told
        self._number = 0

    async def run(self) -> None:
        """For ever, or until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + _PICTURE_SECONDS, loop.time())
            await asyncio.sleep(due - loop.time())
            self._number += 1
            self._look_for_a_new_engine()
            if self._clients:
                self._send_pictures()
                self._send_predictions()
                if self._number % _TELEMETRY_EVERY == 0:
                    self._tell_all(messages.telemetry(self.desk))

    # News.

    def event(self, event: Event) -> None:
        """An event fell due."""
        self._rig.observe(event)
        is_state = event.kind == "state"
        if not (self._clients or self.listeners or is_state):
            return
        said = messages.event(event, self.desk.preset.rate)
        if is_state:
            self._states[event.source] = said
        for queue in self.listeners:
            if not queue.full():
                queue.put_nowait(said["event"])
        self._tell_all(said)

    def status(self, what: str, state: str, reason: str) -> None:
        """Something changed its state."""
        news = {"type": "status", "what": what, "state": state, "reason": reason, "at": self.desk.now()}
        self._news = [*self._news[1 - _MEMORY :], news]
        self._tell_all(news)

    def tell_values(self) -> None:
        """Parameters have changed."""
        self._tell_all(messages.values(self.desk))

    # Clients.

    def greet(self, client: Client) -> None:
        """What a new client has to know."""
        self._look_for_a_new_engine()
        client.tell(self._about())
        client.tell(messages.values(self.desk))
        client.tell(messages.telemetry(self.desk))
        for news in (*self._news, *self._states.values()):
            client.tell(news)
        if self._rig.last is not None:
            client.tell({"type": "rig", "lights": self._rig.last})

    def watch(self, client: Client, command: dict[str, Any]) -> None:
        """The command "watch": {"streams": ["node.port", ...]}."""
        streams = command.get("streams")
        if not isinstance(streams, list) or not all(isinstance(output, str) for output in streams):
            raise FollowspotError('watch: streams is a list of "node.port"')
        client.outputs = frozenset(streams)
        self._point(client)

    def _point(self, client: Client) -> None:
        client.watched = frozenset(s.index for s in self._streams if s.track.output in client.outputs)

    def _about(self) -> dict[str, Any]:
        types = {id: kind.__name__ for id, (kind, _) in self.desk.preset.nodes.items()}
        streams = [s.describe(types.get(s.track.output.partition(".")[0], "Input")) for s in self._streams]
        return {**messages.about(self.desk), "streams": streams, "rig": self._rig.describe()}

    def _tell_all(self, news: dict[str, Any]) -> None:
        text = json.dumps(news, allow_nan=False)
        for client in self._clients:
            client.tell_text(text)

    # Pictures.

    def _look_for_a_new_engine(self) -> None:
        """After the start, a restart or a change of preset: other streams in other places."""
        names = self.desk.supervisor.names
        if names is self._names:
            return
        self._names = names
        self._reader = self.desk.supervisor.reader()
        tracks = self._reader.view.tracks if self._reader is not None else ()
        rate = self.desk.preset.rate
        self._streams = [Stream(index, track, rate) for index, track in enumerate(tracks)]
        self._rig = Rig(self.desk)
        self._states.clear()
        self._tell_all(self._about())
        self.tell_values()
        for client in self._clients:
            self._point(client)

    def _send_pictures(self) -> None:
        reader = self._reader
        if reader is None:
            return
        wanted = frozenset().union(*(client.watched for client in self._clients))
        parts = {index: self._streams[index].parts(*reader.read(index)) for index in wanted}
        now = self.desk.now()
        made: dict[frozenset[int], bytes] = {}
        for client in self._clients:
            if client.watched not in made:
                made[client.watched] = message(parts, client.watched, self._number, now)
            client.show(made[client.watched])
        lights = self._rig.lights()
        if lights is not None:
            self._tell_all({"type": "rig", "lights": lights})

    def _send_predictions(self) -> None:
        """What has been said of the future since the last look."""
        if self._reader is None:
            return
        said = messages.ahead(self._reader.said(), self.desk.preset.rate, self.desk.snapshot().position)
        if said["events"]:
            self._tell_all(said)
