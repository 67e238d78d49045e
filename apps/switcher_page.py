"""The switcher's web page, and its commands from OSC and MIDI."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer

from apps.console import server as console
from apps.console.site import Site
from apps.midi_listener import MidiListener
from apps.switcher_audio import RATE, Recording
from apps.terminal import note, quietly
from engine.errors import FollowspotError
from nodes.outputs.midi_port import open_inputs
from nodes.sync.align import Alignment
from nodes.sync.features import Features

PAGE = Path(__file__).with_name("switcher_view")

Command = Callable[[dict[str, Any]], None]

#: Seconds of sound that a page may fetch at once.
_MOST_SECONDS = 30
#: Points of a warping path that the page is given: more than one every 0.1 s is below what can be heard.
_STEP = 0.1
_FIRST_NOTE = 60  # MIDI note of the first recording


class SwitcherSite(Site):
    """Serves the recordings and their alignment; passes commands on to every page that is open."""

    def __init__(self, paths: list[str], bind: str | None = None, token: str | None = None) -> None:
        self._recordings = [Recording(path) for path in paths]
        super().__init__(bind, token)
        self._sockets: set[web.WebSocketResponse] = set()
        self._ended = threading.Event()
        self._about: dict[str, Any] = {}

    def show(self, features: list[Features], alignments: list[Alignment]) -> None:
        """Serve from now on."""
        grid = np.arange(0.0, features[0].seconds, _STEP)
        maps = [grid, *(alignment.second_at(grid) for alignment in alignments)]
        self._about = {
            "rate": RATE,
            "step": _STEP,
            "recordings": [
                {
                    "name": recording.name,
                    "seconds": round(recording.seconds, 3),
                    "channels": recording.channels,
                    "outline": recording.outline(),
                    "places": np.round(np.maximum.accumulate(places), 3).tolist(),
                }
                for recording, places in zip(self._recordings, maps, strict=True)
            ],
        }
        self.start()

    def wait(self) -> None:
        """Until `close` or Ctrl-C."""
        while not self._ended.wait(0.2):
            pass

    def close(self) -> None:
        """Stop."""
        self._ended.set()
        super().close()

    def command(self, command: dict[str, Any]) -> None:
        """{"do": "switch", "to": 2}, {"do": "play"}, {"do": "pause"}, {"do": "seek", "seconds": 12.5}:
        sent to all pages. Any thread.
        """
        self.soon(lambda: asyncio.ensure_future(self._tell(command)))

    # On the server's thread.

    def routes(self) -> list[web.AbstractRouteDef]:
        """The page, the alignment, the sound, and commands."""
        return [
            web.get("/", self._page),
            web.get("/switcher/about", self._send_about),
            web.get("/switcher/sound/{number}", self._send_sound),
            web.get("/switcher/ws", self._commands),
            web.static("/switcher", PAGE),
            web.static("/page", console.PAGE),
        ]

    async def ending(self) -> None:
        """Let the pages go."""
        for socket in list(self._sockets):
            with suppress(Exception):
                await asyncio.wait_for(socket.close(), 1.0)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("token"):
            raise web.HTTPSeeOther("/")
        return web.FileResponse(PAGE / "switcher.html")

    async def _send_about(self, request: web.Request) -> web.Response:
        return web.json_response(self._about)

    async def _send_sound(self, request: web.Request) -> web.Response:
        """int16, interleaved, `count` whole seconds from `second` on."""
        numbers = [
            request.match_info["number"],
            request.query.get("second", ""),
            request.query.get("count", ""),
        ]
        if not all(text.isdigit() and len(text) < 7 for text in numbers):
            raise web.HTTPBadRequest(text="give second=N&count=N\n")
        index, second, count = map(int, numbers)
        if index >= len(self._recordings) or not 1 <= count <= _MOST_SECONDS:
            raise web.HTTPBadRequest(
                text=f"there is no such recording, or count is not 1 to {_MOST_SECONDS}\n"
            )
        sound = await asyncio.to_thread(self._recordings[index].samples, second, count)
        return web.Response(body=sound, content_type="application/octet-stream")

    async def _commands(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=20.0)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            async for message in socket:
                if message.type == WSMsgType.CLOSE:
                    break
        finally:
            self._sockets.discard(socket)
        return socket

    async def _tell(self, command: dict[str, Any]) -> None:
        for socket in list(self._sockets):
            with suppress(ConnectionError, RuntimeError):
                await socket.send_str(json.dumps(command))


def listen_to_osc(listen: str, command: Command) -> Callable[[], None]:
    """/switch N (from 1), /play, /pause, /seek SECONDS; returns what ends it. FollowspotError if taken."""
    osc = Dispatcher()

    def number(values: tuple[Any, ...]) -> float | None:
        return float(values[0]) if values and isinstance(values[0], int | float) else None

    def switch(_: str, *values: Any) -> None:
        if (to := number(values)) is not None:
            command({"do": "switch", "to": int(to)})

    def seek(_: str, *values: Any) -> None:
        if (seconds := number(values)) is not None:
            command({"do": "seek", "seconds": seconds})

    osc.map("/switch", switch)
    osc.map("/seek", seek)
    osc.map("/play", lambda *_: command({"do": "play"}))
    osc.map("/pause", lambda *_: command({"do": "pause"}))
    host, _, port = listen.rpartition(":")
    try:
        server = ThreadingOSCUDPServer((host or "127.0.0.1", int(port)), osc)
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FollowspotError(f"--listen {listen}: {reason}; give a free HOST:PORT") from None
    threading.Thread(target=server.serve_forever, name="osc", daemon=True).start()

    def close() -> None:
        server.shutdown()
        server.server_close()

    return close


def listen_to_midi(command: Command) -> Callable[[], None]:
    """Program change N, or a note upwards from middle C, switches; returns what ends it."""

    def hear(message: list[int], _: float) -> None:
        if (to := recording_of(message)) is not None:
            command({"do": "switch", "to": to})

    with quietly():
        ports = open_inputs("Followspot switcher")
    if ports:
        note(f"MIDI: {len(ports)} inputs are heard")
    return MidiListener(ports, hear).close


def recording_of(message: list[int]) -> int | None:
    """Number of the recording, from 1, that a MIDI message asks for."""
    if not message:
        return None
    kind = message[0] & 0xF0
    if kind == 0xC0 and len(message) == 2:
        return message[1] + 1
    if kind == 0x90 and len(message) == 3 and message[2] > 0 and message[1] >= _FIRST_NOTE:
        return message[1] - _FIRST_NOTE + 1
    return None
