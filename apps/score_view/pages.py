"""What the score's page fetches."""

from __future__ import annotations

import asyncio
import base64
import re
from functools import cache
from pathlib import Path

from aiohttp import web

from apps.console.server import Front
from apps.score_view.engraver import Engraver, Layout, is_available
from apps.score_view.printed import Printed, load_printed
from apps.terminal import note

PAGE = Path(__file__).with_name("page")

#: Pixels; a window is laid out for the next smaller multiple of `_STEP`.
_LEAST, _MOST, _STEP = 200, 4000, 20
_SCALES = range(20, 121)


class ScorePages:
    """Serves the page, the score's timeline, and its engraving by pages, until `close`."""

    def __init__(self, path: Path) -> None:
        printed = load_printed(path)
        if printed.engraving and not is_available():
            note("the score is shown as a piano roll: pip install 'followspot[score]' engraves it")
            printed = Printed(printed.name, "", printed.score)
        self.printed = printed
        self._timeline = printed.timeline()
        self._names = [str(name) for *_, name in self._timeline["notes"]]
        self._engraver = Engraver(printed.engraving) if printed.engraving else None

    @property
    def front(self) -> Front:
        """The page that comes before the console, and its routes."""
        return Front(
            "score",
            PAGE / "score.html",
            [
                web.get("/score/timeline", self._send_timeline),
                web.get("/score/layout", self._send_layout),
                web.get("/score/page", self._send_page),
                web.get("/score/music.woff2", self._send_font),
                web.static("/score", PAGE),
            ],
        )

    def close(self) -> None:
        """End the engraving process."""
        if self._engraver is not None:
            self._engraver.close()

    async def _send_timeline(self, request: web.Request) -> web.Response:
        return web.json_response(self._timeline)

    async def _send_layout(self, request: web.Request) -> web.Response:
        """{"pages": count, "page_of": [page of every note of the timeline, from 1]}."""
        engraver = self._wanted()
        count, page_of = await asyncio.wrap_future(engraver.pages(_layout(request), self._names))
        return web.json_response({"pages": count, "page_of": page_of})

    async def _send_page(self, request: web.Request) -> web.Response:
        engraver = self._wanted()
        number = _number(request, "number", range(1, 10_000))
        svg = await asyncio.wrap_future(engraver.page(_layout(request), number))
        return web.Response(text=svg, content_type="image/svg+xml")

    async def _send_font(self, request: web.Request) -> web.Response:
        """Dynamics and metronome marks are text in Verovio's music font."""
        return web.Response(body=_music_font(), content_type="font/woff2")

    def _wanted(self) -> Engraver:
        if self._engraver is None:
            raise web.HTTPNotFound(text="nothing to engrave\n")
        return self._engraver


def _layout(request: web.Request) -> Layout:
    sizes = [_number(request, name, range(_LEAST, _MOST)) // _STEP * _STEP for name in ("width", "height")]
    return Layout(*sizes, _number(request, "scale", _SCALES))


def _number(request: web.Request, name: str, allowed: range) -> int:
    text = request.query.get(name, "")
    if not text.isdigit() or int(text) not in allowed:
        raise web.HTTPBadRequest(text=f"{name}: give {allowed[0]} to {allowed[-1]}\n")
    return int(text)


@cache
def _music_font() -> bytes:
    import verovio

    sheet = Path(verovio.__file__).with_name("data").joinpath("Leipzig.css").read_text()
    found = re.search(r"base64,([A-Za-z0-9+/=]+)", sheet)
    return base64.b64decode(found[1]) if found else b""
