"""Engraves a score with Verovio, page by page, in a process of its own.

A layout takes up to seconds; in the show's own process it would hold up everything else.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import re
import signal
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, NamedTuple

#: Layouts that are kept: as many different windows may look at once without waiting for each other.
_LAYOUTS = 3


class Layout(NamedTuple):
    """Size of a page in pixels, and of the notation: a staff is `scale` * 0.72 pixels high."""

    width: int
    height: int
    scale: int


def is_available() -> bool:
    """Whether Verovio is installed."""
    return importlib.util.find_spec("verovio") is not None


class Engraver:
    """Engraves MusicXML or MEI until `close`. Every answer is a future."""

    def __init__(self, engraving: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._process = ProcessPoolExecutor(1, context, _begin, (engraving,))

    def pages(self, layout: Layout, names: Sequence[str]) -> Future[tuple[int, list[int]]]:
        """How many pages there are, and on which each named note is, from 1; 0 if on none."""
        return self._process.submit(_pages, layout, names)

    def page(self, layout: Layout, number: int) -> Future[str]:
        """SVG of a page, from 1; the names of the notes are the ids of its elements."""
        return self._process.submit(_page, layout, number)

    def close(self) -> None:
        """End the process."""
        self._process.shutdown(wait=False, cancel_futures=True)


# What follows runs in the process.

_engraving = ""
_laid_out: OrderedDict[Layout, Any] = OrderedDict()


def _begin(engraving: str) -> None:
    global _engraving
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the show; it ends this process
    _engraving = engraving


def _toolkit(layout: Layout) -> Any:
    """The score laid out; the layout that was asked for longest ago is forgotten."""
    import verovio

    if layout in _laid_out:
        _laid_out.move_to_end(layout)
        return _laid_out[layout]
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(
        {
            "pageWidth": round(layout.width * 100 / layout.scale),
            "pageHeight": round(layout.height * 100 / layout.scale),
            "pageMarginLeft": 60,
            "pageMarginRight": 30,
            "pageMarginTop": 40,
            "pageMarginBottom": 40,
            "scale": layout.scale,
            "breaks": "auto",
            "header": "none",
            "footer": "none",
            "mnumInterval": 1,
            "justifyVertically": True,
            "svgViewBox": True,
            "svgRemoveXlink": True,
            "smuflTextFont": "none",
        }
    )
    toolkit.loadData(_engraving)
    _laid_out[layout] = toolkit
    if len(_laid_out) > _LAYOUTS:
        _laid_out.popitem(last=False)
    return toolkit


def _pages(layout: Layout, names: Sequence[str]) -> tuple[int, list[int]]:
    toolkit = _toolkit(layout)
    found: dict[str, int] = {}
    for name in names:
        if name not in found:
            found[name] = int(toolkit.getPageWithElement(name)) if name else 0
    return int(toolkit.getPageCount()), [found[name] for name in names]


def _page(layout: Layout, number: int) -> str:
    # The page's own style sheet has the rules; one inside the picture would be refused by the browser.
    return re.sub(r"<style.*?</style>", "", _toolkit(layout).renderToSVG(number), flags=re.DOTALL)
