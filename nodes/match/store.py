"""A library in a vector database: LanceDB, embedded in a folder, or over an object store or a cluster.

::

    documents   one row each: name, digest, kind, length, tuning, chroma, notes
    shingles    one row for every second: vector, name of the document

Both by the same calls wherever it is: a folder, `s3://bucket/path` (any number of machines read it, one
writes) or `db://name` (LanceDB's own cluster). There are no landmarks in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.errors import FollowspotError
from nodes.match.gate import NEIGHBOURS, ROUND, SHORT, Asker, indexed
from nodes.match.references import Reference
from nodes.match.segment import Document

Array = npt.NDArray[Any]

#: Shingles from which an index is worth its training; below, all are compared.
INDEXED_FROM = 100_000
#: Lists of the index that a query looks into, and exact re-rank of so many times what it asks for.
_PROBES, _REFINE = 20, 4
#: Kept with the documents: frames of another version cannot be compared with ours.
_VERSION = {b"followspot library": b"3"}
_COLUMNS = ("id", "digest", "path", "kind", "seconds", "tuning", "length", "shingle_count", "note_count")


class Store:
    """A library at a URL.

    Parameters
    ----------
    url : folder, `s3://`, `gs://`, `az://` or `db://`, as `lancedb.connect` takes it.
    create : make the tables if there are none.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        try:
            import lancedb
            import pyarrow
        except ImportError:
            raise FollowspotError(
                "--store needs LanceDB; install it with `pip install 'followspot[cluster]'`"
            ) from None
        self.url = url
        self._digests: set[str] | None = None
        self._arrow = pyarrow
        if "://" not in url and not create and not Path(url).is_dir():
            raise FollowspotError(
                f"store {url}: there is no such folder; make one with `followspot library add`"
            )
        try:
            self._base = lancedb.connect(url)
            there = set(self._base.list_tables().tables)
            if not create and not {"documents", "shingles"} <= there:
                raise FollowspotError(f"store {url}: is no Followspot library; name another")
            self._documents = self._table("documents", self._document_schema(), there)
            self._shingles = self._table("shingles", self._shingle_schema(), there)
        except (OSError, RuntimeError, ValueError) as error:
            raise self._fault("cannot be opened", error) from None
        if not _VERSION.items() <= (self._documents.schema.metadata or {}).items():
            raise FollowspotError(
                f"store {url}: was made by another version of Followspot; add its files to a new one"
            )

    def _table(self, name: str, schema: Any, there: set[str]) -> Any:
        return self._base.open_table(name) if name in there else self._base.create_table(name, schema=schema)

    def _fault(self, what: str, error: Exception) -> FollowspotError:
        reason = " ".join(str(error).split())[:200]
        return FollowspotError(f"store {self.url}: {what} ({reason}); check the URL and the disk")

    def _document_schema(self) -> Any:
        pa = self._arrow
        kinds = {"seconds": pa.float64(), "tuning": pa.float64()}
        counts = dict.fromkeys(("length", "shingle_count", "note_count"), pa.int64())
        columns = [(name, (kinds | counts).get(name, pa.string())) for name in _COLUMNS]
        blobs = ((name, pa.binary()) for name in ("chroma", "onsets", "pitches"))
        return pa.schema([*columns, *blobs], metadata=_VERSION)

    def _shingle_schema(self) -> Any:
        pa = self._arrow
        return pa.schema([("vector", pa.list_(pa.float32(), SHORT.dimensions)), ("document", pa.string())])

    def names(self) -> list[str]:
        """The names of all documents."""
        return [str(row["id"]) for row in self._documents.search().select(["id"]).limit(None).to_list()]

    @property
    def count(self) -> int:
        """Documents in it."""
        return int(self._documents.count_rows())

    def documents(self) -> Iterator[Document]:
        """Every document, without its frames."""
        rows = self._documents.search().select(list(_COLUMNS)).limit(None).to_list()
        yield from (Document(**{name: row[name] for name in _COLUMNS}) for row in rows)

    def document(self, id: str) -> Document:
        """One document by its name."""
        row = self._row(id, _COLUMNS)
        return Document(**{name: row[name] for name in _COLUMNS})

    def has(self, id: str) -> bool:
        """Whether there is a document of this name."""
        quoted = id.replace("'", "''")
        return bool(self._documents.count_rows(f"id = '{quoted}'"))

    def _row(self, id: str, columns: tuple[str, ...]) -> dict[str, Any]:
        quoted = id.replace("'", "''")
        rows = self._documents.search().where(f"id = '{quoted}'").select(list(columns)).limit(1).to_list()
        if not rows:
            raise FollowspotError(f"store {self.url}: there is no document {id!r}")
        return dict(rows[0])

    def frames(self, id: str) -> Array:
        """Smoothed chroma (12, n) int8 of a document."""
        chroma = np.frombuffer(self._row(id, ("chroma",))["chroma"], np.int8)
        return np.ascontiguousarray(chroma.reshape(-1, 12).T)

    def sample(self, count: int) -> list[Array]:
        """The chroma (12, n) int8 of some documents."""
        rows = self._documents.search().select(["chroma"]).limit(count).to_list()
        return [np.frombuffer(row["chroma"], np.int8).reshape(-1, 12).T for row in rows]

    def known(self, digest: str) -> bool:
        """Whether there is a document made from a file with these bytes."""
        if self._digests is None:
            rows = self._documents.search().select(["digest"]).limit(None).to_list()
            self._digests = {row["digest"] for row in rows}
        return digest in self._digests

    def add(self, found: list[tuple[str, Path, Reference]]) -> list[str]:
        """Add references and give their names; shingles first, so that a kill leaves no blind document."""
        if not found:
            return []
        taken = {document.id for document in self.documents()}
        pa = self._arrow
        rows, vectors, owners = [], [], []
        for name, path, reference in found:
            id = name if name not in taken else f"{name} ({reference.digest[:8]})"
            taken.add(id)
            own = indexed(reference.frames).astype(np.float32) / np.float32(127.0)
            vectors.append(own)
            owners += [id] * len(own)
            rows.append(
                {
                    "id": id,
                    "digest": reference.digest,
                    "path": str(path),
                    "kind": reference.kind,
                    "seconds": reference.seconds,
                    "tuning": reference.tuning,
                    "length": len(reference.frames),
                    "shingle_count": len(own),
                    "note_count": len(reference.onsets),
                    "chroma": reference.frames.tobytes(),
                    "onsets": reference.onsets.tobytes(),
                    "pitches": reference.pitches.tobytes(),
                }
            )
        flat = pa.array(np.concatenate(vectors).ravel(), pa.float32())
        lists = pa.FixedSizeListArray.from_arrays(flat, SHORT.dimensions)
        try:
            self._shingles.add(pa.table({"vector": lists, "document": owners}, schema=self._shingle_schema()))
            self._documents.add(pa.Table.from_pylist(rows, schema=self._document_schema()))
        except (OSError, RuntimeError) as error:
            raise self._fault("cannot be written", error) from None
        if self._digests is not None:
            self._digests.update(reference.digest for _, _, reference in found)
        return [row["id"] for row in rows]

    def finish(self) -> None:
        """Forget shingles without a document, join small files, and train the index if it is worth it."""
        there = {document.id for document in self.documents()}
        owners = self._shingles.search().select(["document"]).limit(None).to_arrow()["document"].unique()
        self._forget([id for id in owners.to_pylist() if id not in there])
        if self._shingles.count_rows() >= INDEXED_FROM and not self._shingles.list_indices():
            from lancedb.index import IvfPq

            self._shingles.create_index("vector", config=IvfPq(distance_type="l2", num_sub_vectors=11))
        self._shingles.optimize()
        self._documents.optimize()

    def remove(self, ids: list[str]) -> None:
        """Forget documents."""
        there = {document.id for document in self.documents()}
        for id in ids:
            if id not in there:
                raise FollowspotError(f"store {self.url}: there is no document {id!r}")
        quoted = ", ".join("'" + id.replace("'", "''") + "'" for id in ids)
        self._documents.delete(f"id IN ({quoted})")
        self._digests = None
        self._forget(ids)

    def _forget(self, ids: list[str]) -> None:
        """Delete the shingles of documents."""
        if ids:
            quoted = ", ".join("'" + id.replace("'", "''") + "'" for id in ids)
            self._shingles.delete(f"document IN ({quoted})")

    def damaged(self) -> dict[str, str]:
        """Documents whose frames or shingles are not all there, with the reason."""
        owners = self._shingles.search().select(["document"]).limit(None).to_arrow()["document"]
        counts = {entry["values"]: entry["counts"] for entry in owners.value_counts().to_pylist()}
        found = {}
        for document in self.documents():
            if counts.get(document.id, 0) != document.shingle_count:
                found[document.id] = f"{counts.get(document.id, 0)} of {document.shingle_count} shingles"
            elif self.frames(document.id).shape[1] != document.length:
                found[document.id] = "frames are missing"
        return found

    def nearest(self, queries: Array, count: int) -> list[list[tuple[str, float]]]:
        """For each query (q, d) the documents of the nearest shingles, with squared distances."""
        found: list[list[tuple[str, float]]] = [[] for _ in queries]
        search = self._shingles.search([query.tolist() for query in queries]).distance_type("l2").limit(count)
        rows = search.nprobes(_PROBES).refine_factor(_REFINE).select(["document", "_distance"]).to_arrow()
        # One query alone is not numbered.
        numbers = rows["query_index"].to_pylist() if "query_index" in rows.column_names else [0] * len(rows)
        for number, id, distance in zip(
            numbers, rows["document"].to_pylist(), rows["_distance"].to_pylist(), strict=True
        ):
            found[number].append((id, distance))
        return found


class Source(Protocol):
    """What `StoreGate` asks: a store, or several."""

    def document(self, id: str) -> Document:
        """One document by its name."""

    def nearest(self, queries: Array, count: int) -> list[list[tuple[str, float]]]:
        """As `Store.nearest`."""


class StoreGate(Asker):
    """Asks a store. Documents get their numbers when they are proposed for the first time.

    Parameters
    ----------
    store : where to look.
    documents : written: what has been proposed so far, by number.
    keys, tempi, count : see `Asker`.
    """

    def __init__(
        self,
        store: Source,
        documents: list[Document],
        keys: Sequence[int],
        tempi: Array,
        count: int = 192,
    ) -> None:
        self._store = store
        self._documents = documents
        self._numbers = {document.id: number for number, document in enumerate(documents)}
        self._nearest: dict[tuple[int, int], float] = {}
        super().__init__(keys, tempi, count)

    def _search(self, step: int) -> None:
        if step < ROUND - 1:
            return
        self._nearest.clear()
        asked = np.flatnonzero(self._queries.any(axis=1))
        if not len(asked):
            return
        for query, found in zip(asked, self._store.nearest(self._queries[asked], NEIGHBOURS), strict=True):
            for id, distance in found:
                pair = (self._number(id), int(query) % len(self._keys))
                self._nearest[pair] = min(distance, self._nearest.get(pair, np.inf))

    def numbers(self, ids: Iterable[str]) -> list[int]:
        """The numbers of documents by their names."""
        return [self._number(id) for id in ids]

    def _number(self, id: str) -> int:
        if id not in self._numbers:
            self._numbers[id] = len(self._documents)
            self._documents.append(self._store.document(id))
        return self._numbers[id]

    def _proposals(self) -> list[tuple[int, int]]:
        return sorted(self._nearest, key=self._rank)[: self._count]

    def _rank(self, pair: tuple[int, int]) -> tuple[float, str, int]:
        return self._nearest[pair], self._documents[pair[0]].id, pair[1]
