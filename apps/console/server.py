"""The console's web server: page, WebSocket, Server-Sent Events, on a thread of the control process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from apps.console import messages
from apps.console.client import Client
from apps.console.desk import Desk
from apps.console.feed import Feed
from apps.console.site import LONGEST_COMMAND, Site
from engine.errors import FollowspotError
from engine.events import Event

PAGE = Path(__file__).with_name("page")


@dataclass(frozen=True)
class Front:
    """A page that is shown first, and what it fetches."""

    name: str
    page: Path
    routes: Sequence[web.AbstractRouteDef]


class Console(Site):
    """Serves a desk until `close`.

    Parameters
    ----------
    desk : what is shown and operated.
    bind, token : as a `Site` takes them.
    front : another page that is shown first; the console is then at /console.

    Raises FollowspotError if the address cannot be had.
    """

    def __init__(
        self, desk: Desk, bind: str | None = None, token: str | None = None, front: Front | None = None
    ) -> None:
        super().__init__(bind, token)
        self.desk, self._front = desk, front
        self._clients: set[Client] = set()
        self._feed = Feed(desk, self._clients)
        self.start()
        desk.faces.append(self)

    def event(self, event: Event) -> None:
        """An event fell due. Any thread."""
        self.soon(self._feed.event, event)

    def status(self, what: str, state: str, reason: str) -> None:
        """Something changed its state. Any thread."""
        self.soon(self._feed.status, what, state, reason)

    def changed(self) -> None:
        """Parameters have changed. Any thread."""
        self.soon(self._feed.tell_values)

    # The rest runs on the server's thread.

    def routes(self) -> list[web.AbstractRouteDef]:
        """The page, the API, and the page in front if there is one."""
        return [
            web.get("/", self._page),
            web.get("/console", self._console),
            web.get("/api/ws", self._websocket),
            web.get("/api/events", self._events),
            web.get("/api/about", self._json(messages.about)),
            web.get("/api/telemetry", self._json(messages.telemetry)),
            web.get("/api/values", self._json(messages.values)),
            web.post("/api/do", self._do),
            web.static("/page", PAGE),
            *(self._front.routes if self._front else ()),
        ]

    async def began(self) -> None:
        """Feed the clients."""
        self._feeding = asyncio.create_task(self._feed.run())

    async def ending(self) -> None:
        """Let the clients go."""
        self._feeding.cancel()
        for client in list(self._clients):
            await client.close()

    async def _page(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("token"):
            raise web.HTTPSeeOther("/")
        return web.FileResponse(self._front.page if self._front else PAGE / "index.html")

    async def _console(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE / "index.html")

    def _json(self, make: Callable[[Desk], dict[str, Any]]) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            return web.json_response(make(self.desk))

        return answer

    async def _do(self, request: web.Request) -> web.Response:
        """A command by POST, the same as over the WebSocket."""
        if request.content_type != "application/json":
            return web.json_response({"error": "send application/json"}, status=415)
        try:
            await asyncio.to_thread(self.desk.do, await request.json())
        except (FollowspotError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"ok": True})

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=LONGEST_COMMAND, heartbeat=20.0, compress=False)
        await socket.prepare(request)
        client = Client(socket, request.transport)
        self._clients.add(client)
        self._feed.greet(client)
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await self._hear(client, message.data)
        finally:
            self._clients.discard(client)
            await client.close()
        return socket

    async def _hear(self, client: Client, text: str) -> None:
        try:
            command = json.loads(text)
            if isinstance(command, dict) and command.get("do") == "watch":
                self._feed.watch(client, command)
            else:
                await asyncio.to_thread(self.desk.do, command)
        except (FollowspotError, ValueError) as error:
            client.tell({"type": "error", "text": str(error)})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Events as they fall due, as Server-Sent Events; `?kinds=beat,downbeat` for some of them only."""
        kinds = frozenset(kind for kind in request.query.get("kinds", "").split(",") if kind)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=1000)
        self._feed.listeners.add(queue)
        try:
            await response.write(b": followspot\n\n")
            while not self.stopped.is_set():
                try:
                    record = await asyncio.wait_for(queue.get(), 1.0)
                except TimeoutError:
                    await response.write(b":\n\n")  # shows whether the other side is still there
                    continue
                if not kinds or record["kind"] in kinds:
                    line = json.dumps(record, allow_nan=False)
                    await response.write(f"event: {record['kind']}\ndata: {line}\n\n".encode())
        except ConnectionError:
            pass
        finally:
            self._feed.listeners.discard(queue)
        return response
