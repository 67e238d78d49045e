"""A library of references: one folder, read by any number of engines while one process adds.

::

    library.json            which segments count, with the checksums of their files; replaced by a rename
    segment-000007/         the references of one commit (see `segment`), never changed once written
    lock                    held by the process that adds or removes

Whatever `library.json` names is whole: a segment is written and synced before it is named. A kill leaves at
most an unnamed folder, which the next writer sweeps away. Readers keep what they have opened, even after it
was merged into a bigger segment.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import FollowspotError
from nodes.match.references import Reference
from nodes.match.segment import Document, Segment, checksums, sync, write_segment

_MANIFEST = "library.json"
_FORMAT = "followspot library"
_VERSION = 3
#: Frames (of 0.2 s) below which segments are merged into one when a writer is done: 50 hours, 40 MB.
_SMALL = 50 * 3600 * 5


class Library:
    """A library, as it was when it was opened.

    Parameters
    ----------
    folder : of the library; FollowspotError if there is none, or not one of ours.

    Attributes
    ----------
    segments : mapped read-only; some of their documents may have been removed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        # A writer may merge segments away between our reading of the list and of the segments.
        for attempt in range(5):
            manifest = _read_manifest(self.folder)
            try:
                self.segments = [Segment(self.folder / name) for name in manifest["segments"]]
            except FileNotFoundError as error:
                if attempt == 4:
                    raise FollowspotError(
                        f"library {folder}: {error.filename} is missing; restore it from a copy, "
                        "or run `followspot library verify --repair`"
                    ) from None
                continue
            break
        self._removed = frozenset(_pairs(manifest["removed"]))

    def documents(self) -> Iterator[tuple[Segment, Document]]:
        """Every document that is not removed."""
        for segment in self.segments:
            for document in segment.documents:
                if (segment.folder.name, document.id) not in self._removed:
                    yield segment, document

    def names(self) -> list[str]:
        """The names of all documents."""
        return [document.id for _, document in self.documents()]

    @property
    def count(self) -> int:
        """Documents that are not removed."""
        return sum(1 for _ in self.documents())

    @property
    def seconds(self) -> float:
        """Length of all references together."""
        return sum(document.seconds for _, document in self.documents())

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return sum(segment.bytes for segment in self.segments) + (self.folder / _MANIFEST).stat().st_size


class Writer:
    """Adds to and removes from a library; at most one at a time. Use `writing`."""

    def __init__(self, folder: Path, without: Collection[str] = ()) -> None:
        self.folder = folder
        self._manifest = _read_manifest(folder)
        if without:
            self._keep({k: v for k, v in self._manifest["segments"].items() if k not in without})
        self._sweep()
        self._taken: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self._home: dict[str, str] = {}
        for segment, document in Library(folder).documents():
            self._note(document, segment.folder.name)

    def known(self, digest: str) -> str | None:
        """The document made from a file with these bytes, or None."""
        return self._known.get(digest)

    def has(self, id: str) -> bool:
        """Whether there is a document of this name."""
        return id in self._taken

    def add(self, found: list[tuple[str, Path, Reference]]) -> list[Document]:
        """Commit references, each with the name it should have and its path, as one segment."""
        entries = []
        for name, path, reference in found:
            if reference.digest in self._known:
                continue
            id = self._free_name(name, path)
            entry = Document(
                id=id,
                digest=reference.digest,
                path=str(path),
                kind=reference.kind,
                seconds=reference.seconds,
                tuning=reference.tuning,
            )
            entries.append((entry, reference))
            self._note(entry, "")
        if entries:
            self._commit(entries, keep=self._manifest["segments"])
        return [document for document, _ in entries]

    def remove(self, ids: list[str]) -> None:
        """Forget documents; their bytes go when their segment is merged."""
        for id in ids:
            if id not in self._taken:
                raise FollowspotError(
                    f"library {self.folder}: there is no document {id!r}; `followspot library list` shows all"
                )
        removed = {name: list(gone) for name, gone in self._manifest["removed"].items()}
        for id in dict.fromkeys(ids):
            removed.setdefault(self._home[id], []).append(id)
        self._publish({**self._manifest, "removed": removed})
        for id in dict.fromkeys(ids):
            self._known.pop(self._taken.pop(id), None)
        self._merge_if_worthwhile(wasted=True)

    def finish(self) -> None:
        """Merge small segments, so that readers have few of them to search."""
        self._merge_if_worthwhile(wasted=False)

    def _free_name(self, name: str, path: Path) -> str:
        folders = list(path.resolve().parent.parts)
        while name in self._taken:
            if not folders:
                return f"{name} ({len(self._taken)})"
            name = f"{folders.pop()}/{name}" if folders else name
        return name

    def _commit(self, entries: list[tuple[Document, Reference]], keep: dict[str, Any]) -> None:
        name = f"segment-{self._manifest['next']:06d}"
        sums = write_segment(self.folder / name, entries)
        for document, _ in entries:
            self._home[document.id] = name
        self._manifest["next"] += 1
        self._keep({**keep, name: sums})

    def _note(self, document: Document, segment: str) -> None:
        self._taken[document.id] = document.digest
        self._known[document.digest] = document.id
        self._home[document.id] = segment

    def _keep(self, segments: dict[str, Any]) -> None:
        """Publish these segments, and what is removed of them."""
        removed = {name: gone for name, gone in self._manifest["removed"].items() if name in segments}
        self._publish({**self._manifest, "segments": segments, "removed": removed})

    def _merge_if_worthwhile(self, *, wasted: bool) -> None:
        """Merge the small segments, or (`wasted`) those of which a quarter is removed."""
        segments = {name: Segment(self.folder / name) for name in self._manifest["segments"]}
        removed = set(_pairs(self._manifest["removed"]))
        sizes = {name: segment.chroma.shape[1] for name, segment in segments.items()}
        if wasted:
            gone = {
                name: sum(d.length for d in segment.documents if (name, d.id) in removed)
                for name, segment in segments.items()
            }
            chosen = [name for name in segments if gone[name] * 4 > sizes[name]]
        else:
            small = [name for name in segments if sizes[name] < _SMALL]
            chosen = small if len(small) > 1 else []
        if not chosen:
            return
        entries = [
            (document, reference)
            for name in chosen
            for document, reference in segments[name].references()
            if (name, document.id) not in removed
        ]
        keep = {name: sums for name, sums in self._manifest["segments"].items() if name not in chosen}
        if entries:
            self._commit(entries, keep)
        else:
            self._keep(keep)
        self._sweep()

    def _publish(self, manifest: dict[str, Any]) -> None:
        _write_manifest(self.folder, manifest)
        self._manifest = manifest

    def _sweep(self) -> None:
        """Delete folders that are not in the list: half-written, or merged into others."""
        for folder in self.folder.glob("segment-*"):
            if folder.name not in self._manifest["segments"]:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def writing(folder: str | Path, *, create: bool = False, without: Collection[str] = ()) -> Iterator[Writer]:
    """The one writer of a library. `create`: make an empty library if there is none; `without`: segments to
    forget before any is opened, as they are damaged."""
    folder = Path(folder)
    if create and not folder.exists():
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise FollowspotError(
                f"library {folder}: cannot be made ({error.strerror}); choose another"
            ) from None
    if create and folder.is_dir() and not any(file.name != "lock" for file in folder.iterdir()):
        _write_manifest(folder, {"segments": {}, "removed": {}, "next": 1})
    _read_manifest(folder)  # before a lock is left in a folder that is not ours
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise FollowspotError(
            f"library {folder}: cannot be written ({error.strerror}); check its permissions"
        ) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(lock, 20).decode(errors="replace").strip()
            raise FollowspotError(
                f"library {folder}: another process (number {who}) is writing to it; wait until it is done"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        try:
            yield Writer(folder, without)
        except OSError as error:
            raise FollowspotError(
                f"library {folder}: cannot be written ({error.strerror or error}); "
                "make room; what was there is untouched"
            ) from None
    finally:
        os.close(lock)


def damaged(folder: str | Path) -> dict[str, str]:
    """Segments whose files differ from their checksums or cannot be opened, with the reason."""
    folder = Path(folder)
    found = {}
    for name, sums in _read_manifest(folder)["segments"].items():
        try:
            now = checksums(folder / name)
            wrong = [file for file in sums if now.get(file) != sums[file]]
            if wrong:
                found[name] = f"{', '.join(wrong)} changed or missing"
            else:
                Segment(folder / name)
        except (OSError, FollowspotError) as error:
            found[name] = str(error)
    return found


def _pairs(removed: dict[str, list[str]]) -> list[tuple[str, str]]:
    """(segment, document) of all that is removed."""
    return [(name, id) for name, ids in removed.items() for id in ids]


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not folder.is_dir():
        raise FollowspotError(
            f"library {folder}: there is no such folder; make one with `followspot library add PATH...`"
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FollowspotError(f"library {folder}: is no Followspot library; name another folder") from None
    except (OSError, ValueError) as error:
        raise FollowspotError(
            f"library {folder}: {_MANIFEST} is damaged ({error}); restore the folder from a copy"
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise FollowspotError(f"library {folder}: is no Followspot library; name another folder")
    if manifest.get("version") != _VERSION:
        raise FollowspotError(
            f"library {folder}: has version {manifest.get('version')}, this Followspot reads {_VERSION}; "
            "add its files to a new one"
        )
    if not (isinstance(manifest.get("segments"), dict) and isinstance(manifest.get("removed"), dict)):
        raise FollowspotError(f"library {folder}: {_MANIFEST} is damaged; restore the folder from a copy")
    return manifest


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    manifest = {"format": _FORMAT, "version": _VERSION, **manifest}
    temporary = folder / (_MANIFEST + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / _MANIFEST)
    sync(folder)
