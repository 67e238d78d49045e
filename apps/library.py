"""Keep a library of references: add, list, remove, info, verify, search.

A reference is a sound file, a MIDI file or a score (MusicXML); folders are searched for them. A document's
name is its path below the folder that was given. Adding goes on where it was interrupted: what is in the
library already is left out.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import get_context
from pathlib import Path
from time import monotonic

from tqdm import tqdm

from apps import library_search
from apps.terminal import duration, is_terminal, note, table
from engine.errors import FollowspotError
from nodes.match.library import Library, Writer, damaged, writing
from nodes.match.references import Reference, analyse, digest_of, is_reference
from nodes.match.shards import SEPARATOR, ShardedWriter, open_folder, open_store, shards, writing_shards
from nodes.match.store import Store

#: Where the library is if nothing else is said.
DEFAULT = os.environ.get("FOLLOWSPOT_LIBRARY", "library")

#: A commit at the latest after so many seconds or references: what a kill can cost.
_SECONDS, _REFERENCES = 20.0, 200

Found = tuple[str, Path, Reference]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    add = verbs.add_parser("add", help="add files and folders")
    add.add_argument("paths", metavar="PATH", nargs="+", help="sound, MIDI or MusicXML file, or a folder")
    add.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)")
    remove = verbs.add_parser("remove", help="forget documents")
    remove.add_argument("ids", metavar="DOCUMENT", nargs="+", help="name as shown by list")
    verbs.add_parser("list", help="name, kind and length of every document")
    verbs.add_parser("info", help="how much is in it and what it costs")
    verify = verbs.add_parser("verify", help="compare every file with its checksum")
    verify.add_argument(
        "--repair", action="store_true", help="forget what is damaged, so that it can be added again"
    )
    search = verbs.add_parser("search", help="a theme, typed, played or hummed, in all documents")
    library_search.add_arguments(search)
    for verb in (add, remove, verify, search, verbs.choices["list"], verbs.choices["info"]):
        add_places(verb)


def add_places(parser: argparse.ArgumentParser) -> None:
    """The options that say where the library is."""
    parser.add_argument(
        "--library",
        metavar="DIR",
        action="append",
        help=f"its folder (default: {DEFAULT}); more than once: a library in several folders",
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        action="append",
        help="instead of a folder of ours: a folder, s3:// or db:// that LanceDB opens; more than once: "
        "a library in several stores",
    )


def name_places(args: argparse.Namespace) -> None:
    """Make one text of all places given, as `nodes.match.shards` takes it."""
    args.store = SEPARATOR.join(args.store or [])
    args.library = SEPARATOR.join(args.library or [DEFAULT])


def run(args: argparse.Namespace) -> int:
    name_places(args)
    verbs = {"add": _add, "remove": _remove, "list": _list, "info": _info, "verify": _verify}
    return {**verbs, "search": library_search.run}[args.what](args)


def _name(args: argparse.Namespace) -> str:
    return str(args.store or args.library)


def _opened_to_write(
    args: argparse.Namespace, *, create: bool = False
) -> AbstractContextManager[Writer | Store | ShardedWriter]:
    """The folder's one writer, the store, or those of all shards."""
    names = shards(args.store or args.library)
    if len(names) > 1:
        return writing_shards(names, stores=bool(args.store), create=create)
    if args.store:
        return nullcontext(Store(args.store, create=create))
    return writing(args.library, create=create)


def _add(args: argparse.Namespace) -> int:
    if args.jobs < 1:
        raise FollowspotError(f"--jobs {args.jobs}: there must be one process at least")
    faults = 0
    began = monotonic()
    seconds = 0.0
    count = known = 0
    with _opened_to_write(args, create=True) as writer:
        todo, known, faults = _new_files(writer, args.paths)
        bar = tqdm(total=len(todo), unit="file", desc="adding", disable=not is_terminal(sys.stderr))
        waiting: list[Found] = []
        committed = monotonic()
        for name, path, result in _analysed(todo, args.jobs):
            if isinstance(result, Reference):
                waiting.append((name, path, result))
                seconds += result.seconds
            else:
                faults += 1
                tqdm.write(f"followspot: {result}", file=sys.stderr)
            if len(waiting) >= _REFERENCES or (waiting and monotonic() - committed > _SECONDS):
                count += len(writer.add(waiting))
                waiting.clear()
                committed = monotonic()
            bar.update()
        count += len(writer.add(waiting))
        writer.finish()
        bar.close()
    spent = max(monotonic() - began, 1e-3)
    already = f", {known} there already" if known else ""
    failed = f", {faults} could not be read" if faults else ""
    note(
        f"{_name(args)}: {count} added ({duration(seconds)} in {duration(spent)}, "
        f"{seconds / spent:.0f} times real time){already}{failed}"
    )
    return 2 if faults else 0


def _new_files(
    writer: Writer | Store | ShardedWriter, paths: list[str]
) -> tuple[list[tuple[str, Path]], int, int]:
    """What is to be read, with the name each should get; how many are known; how many cannot be read."""
    todo: list[tuple[str, Path]] = []
    seen: set[str] = set()
    known = faults = 0
    for name, path in _files(paths):
        try:
            digest = digest_of(path)
        except FollowspotError as error:
            faults += 1
            note(f"followspot: {error}")
            continue
        if writer.known(digest) or digest in seen:
            known += 1
        else:
            seen.add(digest)
            todo.append((name, path))
    return todo, known, faults


def _files(paths: list[str]) -> Iterator[tuple[str, Path]]:
    """Every file to add with its name: the path below a folder that was given, or the file's own name."""
    for given in paths:
        path = Path(given)
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file() and is_reference(file))
            if not found:
                note(f"followspot: {given}: holds no sound, MIDI or MusicXML file")
            yield from ((file.relative_to(path).as_posix(), file) for file in found)
        elif not path.exists():
            raise FollowspotError(f"{given}: there is no such file; check the path")
        elif not is_reference(path):
            raise FollowspotError(
                f"{given}: is no sound, MIDI or MusicXML file by its name; convert it, or rename it"
            )
        else:
            yield path.name, path


def _analysed(todo: list[tuple[str, Path]], jobs: int) -> Iterator[tuple[str, Path, Reference | str]]:
    """Read files on all cores, few at a time; a file that fails gives the line that says why."""
    if not todo:
        return
    rest = iter(todo)
    # Processes of their own, started fresh: a fork would copy the locks of our threads.
    with ProcessPoolExecutor(min(jobs, len(todo)), mp_context=get_context("spawn")) as pool:
        running: dict[Future[Reference | str], tuple[str, Path]] = {}
        for _ in range(2 * jobs):
            _submit(pool, rest, running)
        try:
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    name, path = running.pop(future)
                    yield name, path, future.result()
                    _submit(pool, rest, running)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _submit(
    pool: ProcessPoolExecutor,
    rest: Iterator[tuple[str, Path]],
    running: dict[Future[Reference | str], tuple[str, Path]],
) -> None:
    item = next(rest, None)
    if item is not None:
        running[pool.submit(_read, item[1])] = item


def _read(path: Path) -> Reference | str:
    """A reference, or the line that says why there is none. Runs in a process of its own."""
    try:
        return analyse(path)
    except FollowspotError as error:
        return " ".join(str(error).split())


def _remove(args: argparse.Namespace) -> int:
    with _opened_to_write(args) as writer:
        writer.remove(args.ids)
    note(f"{_name(args)}: {len(args.ids)} removed")
    return 0


def _list(args: argparse.Namespace) -> int:
    documents = (
        open_store(args.store).documents()
        if args.store
        else (d for _, d in open_folder(args.library).documents())
    )
    rows = [
        (document.id, document.kind, duration(document.seconds), f"{document.tuning * 10:+.0f}")
        for document in sorted(documents, key=lambda document: document.id)
    ]
    print(table(("document", "kind", "length", "cents"), rows, right=(2, 3)))
    return 0


def _info(args: argparse.Namespace) -> int:
    for name in shards(args.store or args.library):
        if args.store:
            _info_of_store(name)
        else:
            _info_of_folder(name)
    return 0


def _info_of_folder(name: str) -> None:
    library = Library(name)
    kinds = [document.kind for _, document in library.documents()]
    hours = library.seconds / 3600
    rows = [
        ("documents", str(len(kinds))),
        *((f"  {kind}", str(kinds.count(kind))) for kind in ("audio", "midi", "score") if kind in kinds),
        ("length", duration(library.seconds)),
        ("landmarks", str(sum(len(segment.rests) for segment in library.segments))),
        ("segments", str(len(library.segments))),
        ("size", f"{library.bytes / 1e6:.2f} MB"),
        ("size per hour", f"{library.bytes / 1e6 / hours:.3f} MB" if hours else "-"),
    ]
    print(table(("library", name), rows, right=(1,)))


def _info_of_store(name: str) -> None:
    documents = list(Store(name).documents())
    rows = [
        ("documents", str(len(documents))),
        ("length", duration(sum(document.seconds for document in documents))),
        ("shingles", str(sum(document.shingle_count for document in documents))),
    ]
    print(table(("store", name), rows, right=(1,)))


def _verify(args: argparse.Namespace) -> int:
    return max(_verify_one(args, name) for name in shards(args.store or args.library))


def _verify_one(args: argparse.Namespace, place: str) -> int:
    found = Store(place).damaged() if args.store else damaged(place)
    if not found:
        print(f"{place}: sound")
        return 0
    for name, reason in found.items():
        note(f"followspot: library {place}: {name} is damaged: {reason}")
    if not args.repair:
        note("followspot: run `followspot library verify --repair` to forget it, then add its files again")
        return 2
    if args.store:
        Store(place).remove(list(found))
    else:
        with writing(place, without=found):
            pass
    print(f"{place}: {len(found)} damaged parts forgotten; add their files again")
    return 0
