"""Watch a show that runs elsewhere, on this terminal: the text view of its console.

The show was started with `followspot run PRESET --view`. Without ADDRESS: the one on this machine. Keys
work as on the spot: half, double, lock, blackout, undo; q leaves, and the show goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

from apps.console.screen import Screen, Terminal
from apps.terminal import is_terminal
from engine.errors import FollowspotError

_REDRAW = 0.04  # seconds
_HERE = "127.0.0.1:8770"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "address",
        metavar="ADDRESS",
        nargs="?",
        default=_HERE,
        help="HOST:PORT, or the address that the console printed, token included (default: %(default)s)",
    )
    parser.add_argument("--token", metavar="TEXT", help="the token, if it is not part of the address")
    parser.add_argument(
        "--json", action="store_true", help="every message of the console as one JSON object a line"
    )


def run(args: argparse.Namespace) -> None:
    if not args.json and not is_terminal(sys.stdout):
        raise FollowspotError("the text view needs a terminal; --json is for machines")
    url, token = _where(args.address)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_watch(url, args.token or token, as_json=args.json))


def _where(address: str) -> tuple[str, str]:
    """Address of the WebSocket, and the token if the address holds one."""
    parts = urlsplit(address if "//" in address else f"http://{address}")
    if parts.scheme != "http" or not parts.hostname:
        raise FollowspotError(f"monitor {address}: give HOST:PORT, such as {_HERE}")
    with contextlib.suppress(ValueError):
        if parts.port is None:
            parts = parts._replace(netloc=f"{parts.netloc}:{_HERE.partition(':')[2]}")
    return f"ws://{parts.netloc}/api/ws", parse_qs(parts.query).get("token", [""])[0]


async def _watch(url: str, token: str, *, as_json: bool) -> None:
    import aiohttp

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with aiohttp.ClientSession(headers=headers) as session, session.ws_connect(url) as socket:
            await (_print(socket) if as_json else _show(socket))
    except aiohttp.WSServerHandshakeError as error:
        mend = "add --token" if error.status == 401 else "ask for it by address"
        raise FollowspotError(f"monitor {url}: it refuses ({error.status}); {mend}") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise FollowspotError(
            f"monitor {url}: no console answers ({error}); start one with `followspot run PRESET --view`"
        ) from None


async def _print(socket: Any) -> None:
    async for message in socket:
        print(message.data, flush=True)


async def _show(socket: Any) -> None:
    commands: list[dict[str, Any]] = []
    screen = Screen(commands.append)
    terminal = Terminal(screen)

    async def listen() -> None:
        async for message in socket:
            screen.hear(json.loads(message.data))
        screen.ended = True

    listening = asyncio.create_task(listen())
    with terminal.opened():
        while not screen.ended:
            terminal.draw()
            while commands:
                await socket.send_json(commands.pop(0))
            await asyncio.sleep(_REDRAW)
    listening.cancel()
