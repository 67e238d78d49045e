"""A small web server of this machine, on a thread of its own, behind the guard."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from apps.console.guard import Guard, is_loopback
from engine.errors import FollowspotError

#: Where a page is, unless told otherwise; the next free port if that is taken.
ADDRESS, PORT, PORTS = "127.0.0.1", 8770, 10

LONGEST_COMMAND = 64 << 10


def parse_bind(text: str) -> tuple[str, int]:
    """HOST, HOST:PORT or :PORT as (host, port); the port is 0 if none is given."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, "0"
    if not port.isdigit() or int(port) > 65535:
        raise FollowspotError(f"--bind {text}: write HOST:PORT, such as 0.0.0.0:{PORT}")
    return host.strip("[]") or "0.0.0.0", int(port)


class Site:
    """Serves what `routes` names until `close`.

    Parameters
    ----------
    bind : HOST:PORT, or None for this machine only and the first free port from PORT on.
    token : asked for by other machines; None makes one up where it is needed.

    Raises FollowspotError if the address cannot be had.
    """

    def __init__(self, bind: str | None = None, token: str | None = None) -> None:
        host, port = (ADDRESS, 0) if bind is None else parse_bind(bind)
        self._socket = _listen(host, port, bind)
        self.host, self.port = host, self._socket.getsockname()[1]
        if token is None:
            token = "" if is_loopback(host) else secrets.token_urlsafe(16)
        self.guard = Guard(token)
        self.stopped = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web pages", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()
        self._begun.wait()

    @property
    def urls(self) -> list[str]:
        """Where the page is, token included."""
        hosts = [self.host] if self.host not in ("0.0.0.0", "::") else ["127.0.0.1", *_own_addresses()]
        query = f"?token={self.guard.token}" if self.guard.token else ""
        bracketed = [f"[{host}]" if ":" in host else host for host in hosts]
        return [f"http://{host}:{self.port}/{query}" for host in bracketed]

    def soon(self, call: Callable[..., None], *args: Any) -> None:
        """Call on the server's thread. Any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *args)

    def close(self) -> None:
        """Say good-bye to every client and stop."""
        if not self._begun.is_set():  # never started
            self._socket.close()
            self._loop.close()
            return
        self.soon(self.stopped.set)
        self._thread.join(5.0)

    # What a site says of itself; on the server's thread.

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """What is served."""
        raise NotImplementedError

    async def began(self) -> None:
        """The site can be reached."""

    async def ending(self) -> None:
        """The site goes."""

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(middlewares=[self.guard.middleware], client_max_size=LONGEST_COMMAND)
        app.on_response_prepare.append(self.guard.sign)
        app.add_routes(self.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        await self.began()
        self._begun.set()
        await self.stopped.wait()
        await self.ending()
        await runner.cleanup()


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
