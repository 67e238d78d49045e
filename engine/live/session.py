"""Sessions on disk: what a live run heard and was told, so that it can be done again to the bit.

::

    DIR/session.json           versions, rate, quantum, channels, where the preset came from
    DIR/preset/, DIR/plugins/  copies of the preset, what it extends, and local plug-ins
    DIR/take-1/input.wav       the input behind the door: 32-bit float at the engine's rate
    DIR/take-1/journal.jsonl   parameter changes, gaps and quality levels, each at its sample
    DIR/take-1/events.jsonl    what was said
    DIR/take-2/ ...            after a restart of the engine process

All files are good at every moment up to a quarter of a second ago, even if the process is killed.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from engine.audio.door import Block
from engine.audio.files import AudioFile
from engine.audio.wav import WavWriter
from engine.errors import FollowspotError
from engine.events import Event
from engine.preset import PresetSource, find_preset

_FLUSH_SECONDS = 0.25
_FORMAT = 1


@dataclass(frozen=True)
class Gap:
    """So many quanta of input were lost."""

    quanta: int


@dataclass(frozen=True)
class Change:
    """A live parameter, "node.param" or "sink.param", was set."""

    target: str
    value: Any


@dataclass(frozen=True)
class Quality:
    """Overload: nodes went to this quality level."""

    level: int


@dataclass(frozen=True)
class Late:
    """The deferred work of a node was not ready in time, and its result was dropped."""

    node: str


@dataclass(frozen=True)
class Resumed:
    """The worker of that node was free again."""

    node: str


#: What an engine is fed with.
Item = Block | Gap | Change | Quality | Late | Resumed


def full_record(event: Event) -> dict[str, Any]:
    """Every field of an event as plain JSON values, for comparing runs to the bit."""
    return {
        "kind": event.kind,
        "time": event.time,
        "emitted": event.emitted,
        "source": event.source,
        "key": event.key,
        "revision": event.revision,
        "values": {name: _plain(value) for name, value in event.values.items()},
    }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


class Recorder:
    """Writes one take, on a thread of its own; the engine thread only copies and queues.

    Parameters
    ----------
    folder : of the take; it is made.
    rate, channels : of the input behind the door.
    report : called once with the reason if writing fails; recording then ends, the show goes on.
    """

    def __init__(self, folder: Path, rate: int, channels: int, report: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=False)
        self._wav = WavWriter(folder / "input.wav", rate, channels)
        self._journal = open(folder / "journal.jsonl", "w", encoding="utf-8")  # noqa: SIM115
        self._events = open(folder / "events.jsonl", "w", encoding="utf-8")  # noqa: SIM115
        self._queue: SimpleQueue[Block | Event | tuple[int, Item] | None] = SimpleQueue()
        self._report = report
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def block(self, block: Block) -> None:
        """A quantum of input, about to be processed."""
        self._queue.put(block.copy())

    def note(self, position: int, item: Item) -> None:
        """Something other than audio happened before the quantum at `position`."""
        self._queue.put((position, item))

    def event(self, event: Event) -> None:
        """An event fell due."""
        self._queue.put(event)

    def close(self) -> None:
        """Write what is left and close the files."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._write_what_there_is():
                self._flush()
        except OSError as error:
            self._report(f"recording stopped: {error.strerror or error}; free some space, then start again")
        finally:
            self._flush()
            self._wav.close()
            self._journal.close()
            self._events.close()

    def _write_what_there_is(self) -> bool:
        """Wait a quarter of a second for items and write them; False at the end."""
        try:
            item = self._queue.get(timeout=_FLUSH_SECONDS)
            for _ in range(64):  # then flush, even if more keeps coming
                if item is None:
                    return False
                self._write(item)
                item = self._queue.get_nowait()
            if item is not None:
                self._write(item)
            return item is not None
        except Empty:
            return True

    def _write(self, item: Block | Event | tuple[int, Item]) -> None:
        if isinstance(item, np.ndarray):
            self._wav.write(item)
        elif isinstance(item, Event):
            self._events.write(json.dumps(full_record(item)) + "\n")
        else:
            at, what = item
            self._journal.write(
                json.dumps({"at": at, "do": type(what).__name__.lower(), **_fields(what)}) + "\n"
            )

    def _flush(self) -> None:
        # The journal first: audio without its journal would be replayed wrongly, not the other way.
        for file in (self._journal, self._events, self._wav):
            file.flush()


def _fields(item: Item) -> dict[str, Any]:
    return {name: _plain(value) for name, value in vars(item).items()}


def begin_session(folder: Path, source: PresetSource, rate: int, quantum: int, channels: int) -> None:
    """Make the folder and note all that a replay needs. Raises FollowspotError if it is taken."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FollowspotError(f"--record {folder}: is there already; name a new folder")
    try:
        (folder / "preset").mkdir(parents=True)
        main = _copy_preset(source.preset, folder / "preset")
        plugins = [_copy_plugin(Path(plugin), folder / "plugins") for plugin in source.plugins]
        about = {
            "format": _FORMAT,
            "versions": _versions(),
            "rate": rate,
            "quantum": quantum,
            "channels": channels,
            "preset": main,
            "overrides": list(source.overrides),
            "plugins": plugins,
        }
        (folder / "session.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise FollowspotError(f"--record {folder}: {error.strerror or error}; name another folder") from None


def _copy_preset(name: str, folder: Path) -> str:
    """Copy a preset and all that it extends; returns the name of the copy."""
    path = find_preset(name)
    first = path.name
    target = first
    while True:
        text = path.read_text(encoding="utf-8")
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / target).write_text(text, encoding="utf-8")
        base = tomllib.loads(text).get("extends")
        if not isinstance(base, str) or Path(base).is_absolute() or ".." in Path(base).parts:
            return first
        path, target = find_preset(base, path.parent), base


def _copy_plugin(path: Path, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    shutil.copyfile(path, folder / path.name)
    return path.name


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("followspot", "numpy", "numba", "soxr", "soundfile"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


@dataclass(frozen=True)
class Session:
    """A recorded session, ready to be replayed."""

    folder: Path
    source: PresetSource
    rate: int
    quantum: int
    channels: int
    takes: tuple[Path, ...]

    @classmethod
    def open(cls, folder: str | Path) -> Session:
        """Read a session's folder; FollowspotError if it is none."""
        folder = Path(folder)
        try:
            about = json.loads((folder / "session.json").read_text(encoding="utf-8"))
            if about["format"] != _FORMAT:
                raise FollowspotError(f"replay {folder}: format {about['format']} is of a newer Followspot")
            source = PresetSource(
                str(folder / "preset" / about["preset"]),
                tuple(about["overrides"]),
                tuple(str(folder / "plugins" / name) for name in about["plugins"]),
            )
            takes = sorted(folder.glob("take-*"), key=lambda take: int(re.sub(r"\D", "", take.name) or 0))
            return cls(folder, source, about["rate"], about["quantum"], about["channels"], tuple(takes))
        except (OSError, ValueError, KeyError) as error:
            raise FollowspotError(
                f"replay {folder}: is no recorded session ({error}); name a folder made by --record"
            ) from None

    def items(self, take: Path) -> Iterator[Item]:
        """All that the engine was fed with in this take, in order."""
        notes = list(_notes(take / "journal.jsonl"))
        at = 0
        try:
            blocks = AudioFile(
                take / "input.wav", self.rate, self.quantum, tuple(range(1, self.channels + 1))
            ).blocks()
        except FollowspotError:
            blocks = iter(())  # killed before the first flush
        for position, item in notes:
            while at < position:
                block = next(blocks, None)
                if block is None:
                    return
                yield block
                at += self.quantum
            yield item
            if isinstance(item, Gap):
                at += item.quanta * self.quantum
        yield from blocks


_ITEMS: dict[str, Any] = {kind.__name__.lower(): kind for kind in (Gap, Change, Quality, Late, Resumed)}


def _notes(path: Path) -> Iterator[tuple[int, Item]]:
    """The journal; a last line cut short by a kill is left out."""
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            return
        yield record.pop("at"), _ITEMS[record.pop("do")](**record)
