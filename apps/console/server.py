"""The console's web server: page, WebSocket, Server-Sent Events, on a thread of the control process."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from apps.console import messages
from apps.console.client import Client
from apps.console.desk import Desk
from apps.console.feed import Feed
from apps.console.guard import Guard, is_loopback
from engine.errors import FollowspotError
from engine.events import Event

#: Where the console is, unless told otherwise; the next free port if that is taken.
ADDRESS, PORT, PORTS = "127.0.0.1", 8770, 10

_PAGE = Path(__file__).with_name("page")
_LONGEST_COMMAND = 64 << 10


def parse_bind(text: str) -> tuple[str, int]:
    """HOST, HOST:PORT or :PORT as (host, port); the port is 0 if none is given."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, "0"
    if not port.isdigit() or int(port) > 65535:
        raise FollowspotError(f"--bind {text}: write HOST:PORT, such as 0.0.0.0:{PORT}")
    return host.strip("[]") or "0.0.0.0", int(port)


class Console:
    """Serves a desk until `close`.

    Parameters
    ----------
    desk : what is shown and operated.
    bind : HOST:PORT, or None for this machine only and the first free port from PORT on.
    token : asked for by other machines; None makes one up where it is needed.

    Raises FollowspotError if the address cannot be had.
    """

    def __init__(self, desk: Desk, bind: str | None = None, token: str | None = None) -> None:
        self.desk = desk
        host, port = (ADDRESS, 0) if bind is None else parse_bind(bind)
        self._socket = _listen(host, port, bind)
        self.host, self.port = host, self._socket.getsockname()[1]
        if token is None:
            token = "" if is_loopback(host) else secrets.token_urlsafe(16)
        self.guard = Guard(token)
        self._clients: set[Client] = set()
        self._feed = Feed(desk, self._clients)
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()
        self._begun.wait()
        desk.faces.append(self)

    @property
    def urls(self) -> list[str]:
        """Where the page is, token included."""
        hosts = [self.host] if self.host not in ("0.0.0.0", "::") else ["127.0.0.1", *_own_addresses()]
        query = f"?token={self.guard.token}" if self.guard.token else ""
        bracketed = [f"[{host}]" if ":" in host else host for host in hosts]
        return [f"http://{host}:{self.port}/{query}" for host in bracketed]

    def event(self, event: Event) -> None:
        """An event fell due. Any thread."""
        self._soon(self._feed.event, event)

    def status(self, what: str, state: str, reason: str) -> None:
        """Something changed its state. Any thread."""
        self._soon(self._feed.status, what, state, reason)

    def changed(self) -> None:
        """Parameters have changed. Any thread."""
        self._soon(self._feed.tell_values)

    def close(self) -> None:
        """Say good-bye to every client and stop."""
        self._soon(self._stopped.set)
        self._thread.join(5.0)

    def _soon(self, call: Callable[..., None], *args: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *args)

    # The rest runs on the server's thread.

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(middlewares=[self.guard.middleware], client_max_size=_LONGEST_COMMAND)
        app.on_response_prepare.append(self.guard.sign)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/api/ws", self._websocket),
                web.get("/api/events", self._events),
                web.get("/api/about", self._json(messages.about)),
                web.get("/api/telemetry", self._json(messages.telemetry)),
                web.get("/api/values", self._json(messages.values)),
                web.post("/api/do", self._do),
                web.static("/page", _PAGE),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        feeding = asyncio.create_task(self._feed.run())
        self._begun.set()
        await self._stopped.wait()
        feeding.cancel()
        for client in list(self._clients):
            await client.close()
        await runner.cleanup()

    async def _page(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("token"):
            raise web.HTTPSeeOther("/")
        return web.FileResponse(_PAGE / "index.html")

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
        socket = web.WebSocketResponse(max_msg_size=_LONGEST_COMMAND, heartbeat=20.0, compress=False)
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
            while not self._stopped.is_set():
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


def _listen(host: str, port: int, bind: str | None) -> socket.socket:
    ports = [port] if bind is not None and port else [*range(PORT, PORT + PORTS), 0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    reason = ""
    for candidate in ports:
        server = socket.socket(family, socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((host, candidate))
            server.listen(128)
            return server
        except OSError as error:
            reason = error.strerror or str(error)
            server.close()
    raise FollowspotError(f"--bind {bind}: {reason}; give an address of this machine and a free port")


def _own_addresses() -> list[str]:
    """Addresses under which other machines may reach this one."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("192.0.2.1", 9))  # sends nothing; the system chooses the way out
        return [probe.getsockname()[0]]
    except OSError:
        return []
    finally:
        probe.close()
