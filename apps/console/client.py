"""One browser: what it watches, and a queue so that a slow one holds up nobody."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from aiohttp import web


class Client:
    """A WebSocket with a writer of its own.

    Attributes
    ----------
    outputs, watched : the streams it wants, and their indices in the preset that runs.
    skipped : pictures that were left out because it did not keep up.
    """

    #: Messages that may wait; then a picture is left out, and with too many texts the client is let go.
    PICTURES, TEXTS = 3, 500

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self.outputs: frozenset[str] = frozenset()
        self.watched: frozenset[int] = frozenset()
        self.skipped = 0
        self._socket, self._transport = socket, transport
        self._queue: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._task = asyncio.create_task(self._write())

    def tell(self, message: dict[str, Any]) -> None:
        """Queue a JSON message."""
        self.tell_text(json.dumps(message, allow_nan=False))

    def tell_text(self, text: str) -> None:
        """Queue a JSON message that has been written out."""
        if self._queue.qsize() > self.TEXTS and self._transport is not None:
            self._transport.abort()
        else:
            self._queue.put_nowait(text)

    def show(self, picture: bytes) -> None:
        """Queue a binary message, unless it does not keep up."""
        if self._queue.qsize() >= self.PICTURES:
            self.skipped += 1
        else:
            self._queue.put_nowait(picture)

    async def close(self) -> None:
        """Stop writing and close the socket."""
        self._task.cancel()
        with suppress(Exception):
            await asyncio.wait_for(self._socket.close(), 1.0)

    async def _write(self) -> None:
        try:
            while True:
                message = await self._queue.get()
                if isinstance(message, str):
                    await self._socket.send_str(message)
                else:
                    await self._socket.send_bytes(message)
        except (ConnectionError, RuntimeError):
            pass  # it is gone; whoever reads the socket notices
