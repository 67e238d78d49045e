"""One library made of several: folders, or stores, each with some of the documents; asked as one.

A document belongs to the shard that its file's digest says, so any process adds to the right one. Names are
those of the documents; where two shards made on their own use the same name, the later one's gets the
shard's name behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from engine.errors import FollowspotError
from nodes.match.library import Library, Writer, writing
from nodes.match.references import Reference
from nodes.match.segment import Document, Segment
from nodes.match.store import Store

Array = npt.NDArray[Any]

#: Between the folders or URLs of the shards, where they are one text.
SEPARATOR = "|"


class Folders:
    """Several folders, read as one `Library`.

    Parameters
    ----------
    folders : of the libraries.

    Attributes
    ----------
    segments : of all of them.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        libraries = [Library(folder) for folder in folders]
        self.segments = [segment for library in libraries for segment in library.segments]
        self._entries: list[tuple[Segment, Document]] = []
        taken: set[str] = set()
        for folder, library in zip(folders, libraries, strict=True):
            for segment, document in list(library.documents()):
                if document.id in taken:
                    named = replace(document, id=f"{document.id} ({folder})")
                    segment.documents = tuple(named if d is document else d for d in segment.documents)
                    document = named
                taken.add(document.id)
                self._entries.append((segment, document))

    def documents(self) -> Iterator[tuple[Segment, Document]]:
        """Every document that is not removed."""
        yield from self._entries

    def names(self) -> list[str]:
        """The names of all documents."""
        return [document.id for _, document in self._entries]

    @property
    def count(self) -> int:
        """Documents that are not removed."""
        return len(self._entries)

    @property
    def seconds(self) -> float:
        """Length of all references together."""
        return sum(document.seconds for _, document in self._entries)


class Stores:
    """Several stores, read as one `Store`. All are asked at once; what they find is fused by its distance.

    Parameters
    ----------
    urls : of the stores.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._stores = [Store(url) for url in urls]
        self._threads = ThreadPoolExecutor(len(urls), "shard")
        #: The store and the name in it, by the name here.
        self._homes: dict[str, tuple[Store, str]] = {}

    def documents(self) -> Iterator[Document]:
        """Every document, without its frames."""
        for store in self._stores:
            for document in store.documents():
                yield replace(document, id=self._name(store, document.id))

    def names(self) -> list[str]:
        """The names of all documents."""
        return [self._name(store, id) for store in self._stores for id in store.names()]

    @property
    def count(self) -> int:
        """Documents in all of them."""
        return sum(store.count for store in self._stores)

    def document(self, id: str) -> Document:
        """One document by its name."""
        store, inside = self._home(id)
        return replace(store.document(inside), id=id)

    def frames(self, id: str) -> Array:
        """Smoothed chroma (12, n) int8 of a document."""
        store, inside = self._home(id)
        return store.frames(inside)

    def sample(self, count: int) -> list[Array]:
        """The chroma (12, n) int8 of some documents of every store."""
        share = -(-count // len(self._stores))
        return [frames for store in self._stores for frames in store.sample(share)]

    def nearest(self, queries: Array, count: int) -> list[list[tuple[str, float]]]:
        """As `Store.nearest`: the nearest of all stores."""
        answers = list(self._threads.map(lambda store: store.nearest(queries, count), self._stores))
        fused = []
        for query in range(len(queries)):
            found = [
                (self._name(store, id), distance)
                for store, answer in zip(self._stores, answers, strict=True)
                for id, distance in answer[query]
            ]
            fused.append(sorted(found, key=lambda pair: pair[1])[:count])
        return fused

    def _name(self, store: Store, id: str) -> str:
        """The name here of a document of a store."""
        home = self._homes.setdefault(id, (store, id))
        if home[0] is store and home[1] == id:
            return id
        name = f"{id} ({store.url})"
        self._homes.setdefault(name, (store, id))
        return name

    def _home(self, id: str) -> tuple[Store, str]:
        if id not in self._homes:
            for store in self._stores:
                if store.has(id):
                    return self._homes.setdefault(id, (store, id))
            raise FollowspotError(f"there is no document {id!r} in {len(self._stores)} stores")
        return self._homes[id]


class ShardedWriter:
    """Adds to and removes from shards; every document has one place, by its digest.

    Parameters
    ----------
    shards : writers of the shards, always in the same order.
    """

    def __init__(self, shards: Sequence[Writer | Store]) -> None:
        self._shards = tuple(shards)

    def known(self, digest: str) -> bool:
        """Whether there is a document made from a file with these bytes."""
        return any(shard.known(digest) for shard in self._shards)

    def add(self, found: list[tuple[str, Path, Reference]]) -> list[Any]:
        """Add references, each with the name it should have and its path; gives what was added."""
        parts: list[list[tuple[str, Path, Reference]]] = [[] for _ in self._shards]
        taken: dict[str, int] = {}
        for name, path, reference in found:
            if self.known(reference.digest):
                continue
            own = int(reference.digest[:8], 16) % len(self._shards)
            elsewhere = taken.get(name, own) != own or any(
                shard.has(name) for n, shard in enumerate(self._shards) if n != own
            )
            name = f"{name} ({reference.digest[:8]})" if elsewhere else name
            taken[name] = own
            parts[own].append((name, path, reference))
        return [added for shard, part in zip(self._shards, parts, strict=True) for added in shard.add(part)]

    def remove(self, ids: list[str]) -> None:
        """Forget documents."""
        homes = {id: [shard for shard in self._shards if shard.has(id)] for id in ids}
        for id, shards in homes.items():
            if not shards:
                raise FollowspotError(f"there is no document {id!r} in {len(self._shards)} shards")
        for shard in self._shards:
            own = [id for id, shards in homes.items() if shards[0] is shard]
            if own:
                shard.remove(own)

    def finish(self) -> None:
        """Leave every shard in order."""
        for shard in self._shards:
            shard.finish()


def shards(text: str) -> list[str]:
    """The folders or URLs of the shards in a text; one is the usual case."""
    names = [name.strip() for name in text.split(SEPARATOR) if name.strip()]
    for name in names:
        if names.count(name) > 1:
            raise FollowspotError(f"{name}: is given twice; name every shard once")
    return names


def open_folder(text: str) -> Library | Folders:
    """The library in a folder, or in several."""
    names = shards(text)
    return Folders(names) if len(names) > 1 else Library(text)


def open_store(text: str) -> Store | Stores:
    """The library in a store, or in several."""
    names = shards(text)
    return Stores(names) if len(names) > 1 else Store(text)


@contextmanager
def writing_shards(names: Sequence[str], *, stores: bool, create: bool = False) -> Iterator[ShardedWriter]:
    """The one writer of several folders, or of several stores."""
    with ExitStack() as stack:
        yield ShardedWriter(
            [
                Store(name, create=create) if stores else stack.enter_context(writing(name, create=create))
                for name in names
            ]
        )
