"""A segment of a library: the references of one commit, packed into a few memory-mapped arrays.

A segment is a folder that is written whole under a temporary name, synced, renamed, and never changed.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import FollowspotError
from nodes.match.features import FRAME_RATE
from nodes.match.gate import SHORT, indexed
from nodes.match.landmarks import FRAME_RATE as LANDMARK_RATE
from nodes.match.references import Reference

Array = npt.NDArray[Any]

#: Hashes have 31 bits; the upper 15 choose a bucket, the rest is kept.
_BUCKETS = 1 << 15
_ARRAYS = {
    "chroma": np.int8,
    "buckets": np.uint32,
    "rests": np.uint16,
    "places": np.uint32,
    "shingles": np.int8,
    "onsets": np.uint32,
    "pitches": np.uint8,
}
_TABLE = "documents.json"


@dataclass(frozen=True)
class Document:
    """One reference in a library.

    Parameters
    ----------
    id : its name in events.
    digest : of the file's bytes.
    path : where the file was.
    kind : "audio", "midi" or "score".
    seconds, tuning : as in `Reference`.
    start, length : its chroma frames in the segment.
    landmark_start, landmark_length : its landmark frames in the segment.
    shingle_count, note_count : its shingles and notes in the segment, behind those of the documents before.
    """

    id: str
    digest: str
    path: str
    kind: str
    seconds: float
    tuning: float
    start: int = 0
    length: int = 0
    landmark_start: int = 0
    landmark_length: int = 0
    shingle_count: int = 0
    note_count: int = 0


class Segment:
    """A segment on disk, mapped read-only.

    Attributes
    ----------
    documents : in the order of their frames.
    chroma : (12, frames) int8.
    buckets, rests, places : landmarks by rising hash: range of a bucket, lower 16 bits, frame.
    shingles : (m, gate.SHORT.dimensions) int8, see `gate`.
    onsets, pitches : notes of scores and MIDI files, see `Reference`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            table = json.loads((folder / _TABLE).read_text(encoding="utf-8"))
            self.documents = tuple(Document(**entry) for entry in table)
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
        except FileNotFoundError:
            raise
        except (OSError, ValueError, TypeError, EOFError):
            # What numpy says of it is of no help: it takes noise for pickled data and offers to load it.
            mend = f"run `followspot library verify --repair --library {folder.parent}`"
            raise FollowspotError(f"library segment {folder} is damaged; {mend}") from None
        self.chroma, self.buckets = arrays["chroma"], arrays["buckets"]
        self.rests, self.places = arrays["rests"], arrays["places"]
        self.shingles = arrays["shingles"]
        self.onsets, self.pitches = arrays["onsets"], arrays["pitches"]
        self._check()

    def _check(self) -> None:
        fits = (
            all(getattr(self, name).dtype == kind for name, kind in _ARRAYS.items())
            and self.chroma.shape == (12, sum(d.length for d in self.documents))
            and self.buckets.shape == (_BUCKETS + 1,)
            and self.shingles.shape == (sum(d.shingle_count for d in self.documents), SHORT.dimensions)
            and len(self.rests) == len(self.places) == int(self.buckets[-1])
            and len(self.onsets) == len(self.pitches) == sum(d.note_count for d in self.documents)
        )
        if not fits:
            raise FollowspotError(
                f"library segment {self.folder}: its arrays do not fit together; "
                "run `followspot library verify`"
            )

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return sum(file.stat().st_size for file in self.folder.iterdir())

    def references(self) -> list[tuple[Document, Reference]]:
        """Everything in it, unpacked, for merging."""
        widths = np.diff(self.buckets.astype(np.int64))
        uppers = np.repeat(np.arange(_BUCKETS, dtype=np.uint32), widths)
        hashes = (uppers << np.uint32(16)) | self.rests
        owner = np.searchsorted([d.landmark_start for d in self.documents], self.places, side="right") - 1
        unpacked = []
        note = 0
        for n, d in enumerate(self.documents):
            mine = owner == n
            reference = Reference(
                digest=d.digest,
                kind=d.kind,
                seconds=d.seconds,
                tuning=d.tuning,
                frames=np.ascontiguousarray(self.chroma[:, d.start : d.start + d.length].T),
                hashes=hashes[mine],
                places=self.places[mine] - np.uint32(d.landmark_start),
                onsets=self.onsets[note : note + d.note_count],
                pitches=self.pitches[note : note + d.note_count],
            )
            note += d.note_count
            unpacked.append((d, reference))
        return unpacked


def write_segment(folder: Path, entries: list[tuple[Document, Reference]]) -> dict[str, int]:
    """Write a segment and return the CRC-32 of each of its files. OSError if the disk is full."""
    references = [reference for _, reference in entries]
    shingles = [indexed(reference.frames) for reference in references]
    documents = _placed(entries, shingles)
    shifts = [np.uint32(d.landmark_start) for d in documents]
    hashes = np.concatenate([r.hashes for r in references])
    places = np.concatenate([r.places + shift for r, shift in zip(references, shifts, strict=True)])
    order = np.argsort(hashes, kind="stable")
    hashes, places = hashes[order], places[order]
    arrays = {
        "chroma": np.ascontiguousarray(np.concatenate([r.frames for r in references]).T),
        "buckets": np.searchsorted(hashes >> np.uint32(16), np.arange(_BUCKETS + 1)).astype(np.uint32),
        "rests": (hashes & np.uint32(0xFFFF)).astype(np.uint16),
        "places": places.astype(np.uint32),
        "shingles": np.concatenate(shingles),
        "onsets": np.concatenate([r.onsets for r in references]),
        "pitches": np.concatenate([r.pitches for r in references]),
    }
    temporary = folder.with_name(folder.name + ".new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        (temporary / _TABLE).write_text(json.dumps([asdict(d) for d in documents]), encoding="utf-8")
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array)
        for file in temporary.iterdir():
            sync(file)
        sync(temporary)
        temporary.rename(folder)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync(folder.parent)
    return checksums(folder)


def _placed(entries: list[tuple[Document, Reference]], shingles: list[Array]) -> list[Document]:
    """The documents with the places that their frames get, one after another."""
    documents = []
    start = landmark_start = 0
    for (d, r), own in zip(entries, shingles, strict=True):
        length = len(r.frames)
        # Room behind the end, so that no vote for one document falls into the next.
        landmark_length = int(length / FRAME_RATE * LANDMARK_RATE) + 2 * int(LANDMARK_RATE)
        entry = asdict(d) | {
            "start": start,
            "length": length,
            "landmark_start": landmark_start,
            "landmark_length": landmark_length,
            "shingle_count": len(own),
            "note_count": len(r.onsets),
        }
        documents.append(Document(**entry))
        start += length
        landmark_start += landmark_length
    return documents


def checksums(folder: Path) -> dict[str, int]:
    """CRC-32 of every file in a segment."""
    found = {}
    for file in sorted(folder.iterdir()):
        crc = 0
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                crc = zlib.crc32(chunk, crc)
        found[file.name] = crc
    return found


def sync(path: Path) -> None:
    """Make sure that a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
