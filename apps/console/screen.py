"""The text view: tempo, beat, levels, loads and outputs on a terminal, redrawn in place.

It lives on the messages of the console's API, so it shows a show of this process or of another machine.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from apps.beat_view import bar
from apps.terminal import duration

Message = dict[str, Any]

_AHEAD, _BEHIND = 2.0, 1.0  # seconds on the line of beats
_BOLD, _SOFT, _RED, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[0m"
_NEWS = 5

#: Key -> (label, hand, what is set, given the values before). -1: the moment at which it arrives.
HANDS: dict[str, tuple[str, str, Callable[[list[Any]], Any]]] = {
    " ": ("tap", "tap", lambda before: -1.0),
    "o": ("this is one", "one", lambda before: -1.0),
    ",": ("earlier", "nudge", lambda before: -10.0),
    ".": ("later", "nudge", lambda before: 10.0),
    "h": ("half", "octave", lambda before: "heard" if "half" in before else "half"),
    "d": ("double", "octave", lambda before: "heard" if "double" in before else "double"),
    "l": ("lock", "lock", lambda before: not any(before)),
    "p": ("hold", "freeze", lambda before: not any(before)),
    "r": ("follow", "follow", lambda before: -1.0),
    "b": ("blackout", "blackout", lambda before: not any(before)),
}


class Screen:
    """What the terminal shows.

    Parameters
    ----------
    do : called with the command of a key, as in the API.
    """

    def __init__(self, do: Callable[[Message], None]) -> None:
        self._do = do
        self.ended = False
        self._about: Message = {"name": "", "input": "", "beats": "", "hands": {}}
        self._telemetry: Message | None = None
        self._heard_at = 0.0
        self._values: Message = {}
        self._beat: Message | None = None
        self._state = ""
        self._ahead: dict[tuple[str, int], float] = {}
        self._news: list[str] = []

    def hear(self, message: Message) -> None:
        """A message of the console's API."""
        kind = message["type"]
        if kind == "about":
            self._about, self._beat = message, None
        elif kind == "values":
            self._values = dict(message["values"])
        elif kind == "telemetry":
            self._telemetry, self._heard_at = message, time.monotonic()
        elif kind == "event":
            self._event(message["event"])
        elif kind == "ahead":
            for said in message["events"]:
                if said["kind"] == "beat" and said["source"] == self._about["beats"]:
                    place = said["source"], said["key"]
                    self._ahead.pop(place, None)
                    if not said["retracted"]:
                        self._ahead[place] = said["time"]
        elif kind in ("status", "error"):
            what = f"{message['what']}: {message['state']}" if kind == "status" else "refused"
            reason = message["reason"] if kind == "status" else message["text"]
            self._news = [*self._news[1 - _NEWS :], what + (f" ({reason})" if reason else "")]

    def _event(self, event: Message) -> None:
        if event["source"] != self._about["beats"]:
            return
        if event["kind"] == "beat":
            self._beat = event
        elif event["kind"] == "state":
            self._state = str(event.get("state", ""))

    def key(self, key: str) -> None:
        """A key was pressed."""
        if key in ("q", "\x03"):
            self.ended = True
        elif key == "z":
            self._do({"do": "undo"})
        elif key in HANDS:
            _, name, value = HANDS[key]
            targets = self._about["hands"].get(name, ())
            wanted = value([self._values.get(target) for target in targets])
            for target in targets:  # all get the same value, and it counts before the news of it has come
                self._do({"do": "set", "target": target, "value": wanted})
                self._values[target] = wanted

    def lines(self, width: int) -> list[str]:
        """The screen, line by line."""
        t = self._telemetry
        title = f"{_BOLD}Followspot{_PLAIN}  {self._about['name']}  {_SOFT}{self._about['input']}{_PLAIN}"
        if t is None:
            return [title, "", "starting ..."]
        now = None if t["now"] is None else t["now"] + time.monotonic() - self._heard_at
        lines = [title + f"  {t['state']}  {duration(max(0.0, now or 0.0))}", ""]
        lines += [self._tempo(now), self._beats(now, width), self._levels(t, width), ""]
        lines += [*self._loads(t), "", *self._sinks(t)]
        lines += [self._health(t), "", *(f"{_SOFT}{text[: width - 1]}{_PLAIN}" for text in self._news), ""]
        mine = [(key, label) for key, (label, name, _) in HANDS.items() if name in self._about["hands"]]
        hands = "  ".join(f"{'space' if key == ' ' else key} {label}" for key, label in mine)
        return [*lines, f"{_SOFT}{hands}  z undo  q quit{_PLAIN}"]

    def _tempo(self, now: float | None) -> str:
        beat = self._beat
        if beat is None or now is None:
            return f"  listening {self._state}"
        bpm = float(beat.get("bpm") or 0.0)
        phase = (now - beat["time"]) * bpm / 60
        meter, place = int(beat.get("meter") or 4), beat.get("beat")
        dots = (
            "".join("●" if n + 1 == int(place) else "○" for n in range(meter))
            if place
            else "●" * (phase < 0.5)
        )
        where = f"bar {beat['bar']}" if beat.get("bar") is not None else ""
        confidence = float(beat.get("confidence") or 0.0)
        return (
            f"  {_BOLD}{bpm:6.1f} BPM{_PLAIN}  {bar(max(0.0, 1 - phase) ** 2, 6)}  {dots}  {where}  "
            f"{self._state}  confidence {bar(confidence, 8)} {confidence:.2f}"
        )

    def _beats(self, now: float | None, width: int) -> str:
        """The next beats, coming from the right towards the bar that is now."""
        cells = min(width - 4, 72)
        row = ["·"] * cells
        if now is None:
            return "  " + "".join(row)
        self._ahead = {place: at for place, at in self._ahead.items() if at > now - _BEHIND}
        for at in self._ahead.values():
            cell = int((at - now + _BEHIND) / (_BEHIND + _AHEAD) * cells)
            if 0 <= cell < cells:
                row[cell] = "●" if at > now else "○"
        row[int(_BEHIND / (_BEHIND + _AHEAD) * cells)] = "┃"
        return "  " + "".join(row)

    def _levels(self, t: Message, width: int) -> str:
        meters = [
            f"{bar(peak, 16)}" + (f"{_RED} clip{_PLAIN}" if peak >= 0.999 else "") for peak, _ in t["levels"]
        ]
        return "  in " + "  ".join(meters[: max(1, (width - 5) // 18)])

    def _loads(self, t: Message) -> list[str]:
        budget = t["budget_us"]
        rows = [f"{_SOFT}  {'node':20} {'mean us':>8} {'p99':>8} {'worst':>8}  of the quantum{_PLAIN}"]
        for id, (mean, _, p99, worst) in t["loads"].items():
            name = "all" if id == "quantum" else id
            share = f"{bar(p99 / budget, 10)} {100 * p99 / budget:.0f} %"
            rows.append(f"  {name:20} {mean:8.0f} {p99:8.0f} {worst:8.0f}  {share}")
        return rows

    def _sinks(self, t: Message) -> list[str]:
        if not t["sinks"]:
            return []
        rows = [f"{_SOFT}  {'output':20} {'':9} {'sent':>8} {'late p99':>9} {'failures':>9}{_PLAIN}"]
        for id, sink in t["sinks"].items():
            colour = "" if sink["status"] == "ok" else _RED
            rows.append(
                f"  {id:20} {colour}{sink['status']:9}{_PLAIN} {sink['sent']:8} {sink['late_ms'][1]:6.1f} ms "
                f"{sink['failures']:9}"
            )
        return [*rows, ""]

    def _health(self, t: Message) -> str:
        overload = t["overload"]["state"]
        colour = "" if overload == "ok" else _RED
        return (
            f"  overload {colour}{overload}{_PLAIN}  xruns {t['xruns']}  gaps {t['gaps']}  "
            f"slow quanta {t['overruns']}  restarts {t['restarts']}"
        )


class Terminal:
    """Draws a screen in place and reads its keys; leaves the terminal as it was."""

    def __init__(self, screen: Screen, stream: TextIO = sys.stdout) -> None:
        self._screen, self._stream = screen, stream
        self._keys = sys.stdin.isatty()

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """The other screen of the terminal, without a cursor, keys at once."""
        import termios
        import tty

        kept = termios.tcgetattr(sys.stdin) if self._keys else None
        self._stream.write("\x1b[?1049h\x1b[?25l")
        if kept is not None:
            tty.setcbreak(sys.stdin)
        try:
            yield
        finally:
            if kept is not None:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, kept)
            self._stream.write("\x1b[?25h\x1b[?1049l")
            self._stream.flush()

    def draw(self) -> None:
        """Show the screen as it is, and pass on the keys pressed since."""
        while self._keys and select.select([sys.stdin], [], [], 0)[0]:
            key = os.read(sys.stdin.fileno(), 1).decode(errors="replace")
            self._screen.key(key or "q")
            if not key:
                break
        width, height = shutil.get_terminal_size()
        lines = self._screen.lines(width)[: height - 1]
        self._stream.write("\x1b[H" + "".join(f"{line}\x1b[K\r\n" for line in lines) + "\x1b[J")
        self._stream.flush()
