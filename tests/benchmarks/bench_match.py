"""The matcher on real pianists: the same piece by another player, in another key, by jumps, among strangers.

    python -m tests.benchmarks.bench_match SECTION... [--hours 100] [--queries 200] [--renders DIR]

Sections: versions, keys, recording, streams, priors, strangers, cost, memory. Parameters were chosen on the
even pieces of (n)ASAP; what is printed comes from the odd ones, each with another sound font and pianist than
the reference. The library is one performance of every piece, filled up with made-up documents. Intervals are
95 % (Wilson).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from nodes.match import features
from nodes.match.fingerprints import Fingerprints, variants
from nodes.match.gate import KINDS, Gate, indexed
from nodes.match.landmarks import HOP as LANDMARK_HOP
from nodes.match.layers import Layers
from nodes.match.library import Library, writing
from nodes.match.matcher import KEYS, Matcher
from nodes.match.pool import Pool
from nodes.match.ranking import best_peak
from nodes.match.references import Reference, analyse
from nodes.match.scan import Scan, unrelated_spread
from nodes.match.updates import TEMPI
from nodes.match.witness import Witness
from tests.benchmarks.match_data import (
    CACHE,
    Corpus,
    Performance,
    part_of,
    query_frames,
)

OUT = Path("build/benchmarks/match.json")
Results = dict[Any, Any]
MOMENTS = (2, 3, 5, 8, 10, 15, 20)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if not count:
        return 0.0, 1.0
    z = 1.96
    share = hits / count
    middle = (share + z * z / 2 / count) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / 4 / count**2) / (1 + z * z / count)
    return middle - half, middle + half


def cell(hits: list[bool]) -> str:
    low, high = wilson(sum(hits), len(hits))
    return f"{np.mean(hits):.3f} [{low:.3f}, {high:.3f}] n={len(hits)}"


def versions(
    corpus: Corpus, args: argparse.Namespace, shift: int = 0, keys: tuple[int, ...] = (0,)
) -> dict[str, Any]:
    """P@1 of the scan, its first documents ranked anew, seconds after a join in mid-piece, and where."""
    documents = corpus.documents()
    part = part_of(documents)
    if args.gate == "none":
        search: Scan | Layers = Scan([part], keys)
    else:
        kind = KINDS[args.shingles]
        shingles = [indexed(document, kind) for document in documents]
        counts = np.array([len(own) for own in shingles])
        gate = Gate([np.concatenate(shingles)], [counts], keys[1:], TEMPI, args.gate, kind=kind)
        spread = unrelated_spread([part])
        pool = Pool(lambda n: np.ascontiguousarray(documents[n].T), spread, keys[1:], gate)
        search = Layers(Scan([part], keys[:1]), pool)
    witness = Witness()
    hours = sum(map(len, documents)) / 3600 / features.FRAME_RATE
    hits: dict[int, list[bool]] = {moment: [] for moment in MOMENTS}
    errors = []
    spent = updates = 0.0
    for number, player, start, frames in corpus.queries(args.queries, args.seconds, seed=5):
        search.reset()
        witness.reset()
        for i, frame in enumerate(frames):
            begun = time.process_time()
            search.push(np.roll(frame, shift))
            witness.push(np.roll(frame, shift))
            spent += time.process_time() - begun
            updates += 1
            moment, rest = divmod(2 * i + features.SMOOTH // 2 + 1, 10)  # seconds that frame i rests on
            if rest == 0 and moment in hits:
                best = best_peak(search, witness)
                right = best is not None and best.document == number and best.key == shift
                hits[moment].append(right)
                if best is None:
                    continue
                if moment == 10 and right:
                    truth = corpus.truth(number, player, start / 10 + features.frame_time(i))
                    errors.append(abs(features.frame_time(best.frame) - truth))
    print(
        f"\nversions: {hours:.1f} h, {len(documents)} documents, {len(keys)} keys, shift {shift:+d}, "
        f"gate {args.gate}"
    )
    hits = {moment: found for moment, found in hits.items() if found}
    for moment, found in hits.items():
        print(f"  P@1 after {moment:2d} s  {cell(found)}")
    print(f"  place at 10 s: median {np.median(errors):.2f} s, 90 % {np.percentile(errors, 90):.2f} s")
    print(f"  {1e3 * spent / updates / hours * features.FRAME_RATE:.2f} ms per second of audio and hour")
    return {
        "hours": hours,
        "p1": {moment: float(np.mean(found)) for moment, found in hits.items()},
        "n": len(hits[10]),
        "place": float(np.median(errors)),
        "ms": 1e3 * spent / updates / hours * features.FRAME_RATE,
    }


def transposed(corpus: Corpus, args: argparse.Namespace) -> Results:
    """The same queries untransposed and in another key, all 12 keys searched."""
    return {shift: versions(corpus, args, shift, KEYS) for shift in args.shifts}


def noisy(audio: Any, decibels: float, noise: np.random.Generator) -> Any:
    """Pink noise at a signal-to-noise ratio."""
    spectrum = np.fft.rfft(noise.standard_normal(len(audio)))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    pink = np.fft.irfft(spectrum, len(audio))
    pink *= np.sqrt(np.mean(audio**2) / np.mean(pink**2) / 10 ** (decibels / 10))
    return (audio + pink).astype(np.float32)


def reverberant(audio: Any, noise: np.random.Generator) -> Any:
    """A room of 1.2 s whose tail is as strong as the direct sound."""
    n = round(1.2 * features.RATE)
    response = noise.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    response /= np.sqrt(np.sum(response**2))
    response[0] += 1.0
    size = 1 << (len(audio) + n).bit_length()
    wet = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(response, size), size)
    return wet[: len(audio)].astype(np.float32)


def recording(corpus: Corpus, args: argparse.Namespace) -> Results:
    """The very recording, degraded: right document and place (0.3 s) by landmarks alone."""
    folder = _library(
        corpus, "recordings", [p for piece in corpus.names[1::2] for p in corpus.players[piece]]
    )
    library = Library(folder)
    segment = library.segments[0]
    size = library.bytes / library.seconds * 3.6e-3
    print(f"\nrecording: {library.seconds / 3600:.1f} h of piano, {size:.2f} MB/h")
    sounds = {d.id: n for n, d in enumerate(segment.documents)}
    results = {}
    cases: list[tuple[str, float]] = [("clean", 2), ("10 dB", 3), ("10 dB", 5), ("room", 5), ("speed", 3)]
    for what, seconds in cases:
        prints = Fingerprints([segment], variants() if what == "speed" else variants()[:1])
        noise = np.random.default_rng(7)
        hits = []
        for n in range(args.queries):
            number = 1 + 2 * (n % (len(corpus.names) // 2))
            players = corpus.players[corpus.names[number]]
            player = players[noise.integers(len(players))]
            speed = noise.uniform(0.9, 1.1) if what == "speed" else 1.0
            length = seconds * 1.15 * speed
            start = noise.uniform(0, soundfile.info(player.sound).duration - length - 1)
            clip = _clip(player.sound, start, length, speed)[: round(seconds * features.RATE)]
            if what == "10 dB":
                clip = noisy(clip, 10.0, noise)
            elif what == "room":
                clip = reverberant(clip, noise)
            prints.reset()
            for at in range(0, len(clip) - LANDMARK_HOP + 1, LANDMARK_HOP):
                prints.push(clip[at : at + LANDMARK_HOP])
            best = prints.best()
            heard = len(clip) // LANDMARK_HOP * LANDMARK_HOP / features.RATE
            hits.append(
                bool(best)
                and best[0].document == sounds[player.sound.name]
                and abs(best[0].seconds - start - heard * speed) < 0.3
            )
        print(f"  {what:6s} {seconds:.0f} s  {cell(hits)}")
        results[f"{what} {seconds:.0f} s"] = float(np.mean(hits))
    return results


def _clip(sound: Path, start: float, seconds: float, speed: float = 1.0) -> Any:
    rate = soundfile.info(sound).samplerate
    audio, _ = soundfile.read(
        sound, start=round(start * rate), frames=round(seconds * rate), dtype="float32", always_2d=True
    )
    return soxr.resample(audio.mean(axis=1), rate * speed, features.RATE).astype(np.float32)


def _library(corpus: Corpus, name: str, players: list[Performance], fill: float = 0.0) -> Path:
    """A library on disk of some performances and `fill` hours of fillers (scan lane only)."""
    folder = CACHE / f"library-{name}"
    with writing(folder, create=True) as writer:
        for player in players:
            if player.sound.name not in {d.id for _, d in Library(folder).documents()}:
                writer.add([(player.sound.name, player.sound, analyse(player.sound))])
        frames = 0
        none = np.zeros(0, np.uint32)
        batch = []
        for n, document in enumerate(corpus.fillers):
            if frames >= fill * 3600 * features.FRAME_RATE:
                break
            frames += len(document)
            seconds = len(document) / features.FRAME_RATE
            reference = Reference(f"filler-{n}", "midi", seconds, 0.0, document, none, none)
            batch.append((f"filler-{n}", Path("filler"), reference))
        writer.add([entry for entry in batch if writer.known(entry[2].digest) is None])
        writer.finish()
    return folder


def streams(corpus: Corpus, args: argparse.Namespace) -> Results:
    """Whole statements: how soon and how surely versions are known, and how often strangers are."""
    numbers = range(1, len(corpus.names), 2)
    known = _library(corpus, "odd", [corpus.references[n] for n in numbers], args.fill)
    strange = _library(corpus, "even", corpus.references[::2], args.fill)
    first, errors, share, wrong, again = [], [], [], 0, []
    matcher = Matcher(Library(known))
    noise = np.random.default_rng(3)
    listened = 0.0
    for n in range(args.streams):
        number = numbers[n % len(numbers)]
        players = corpus.players[corpus.names[number]][1:]
        player = players[noise.integers(len(players))]
        seconds = min(40.0, len(player.fine) / 20 - 2)
        length = len(player.fine) / 10 - 1
        starts = noise.uniform(0, length - seconds), noise.uniform(0, length - seconds)
        said = _listen(matcher, np.concatenate([_clip(player.sound, s, seconds) for s in starts]))
        listened += 2 * seconds
        found = [
            (at, h, abs(h.position - corpus.truth(number, player, starts[at > seconds] + at % seconds)))
            for at, h in said
        ]
        right = [
            matcher.documents[h.document].id == corpus.references[number].sound.name for _, h, _ in found
        ]
        good = [at for (at, _, _), ok in zip(found, right, strict=True) if ok]
        first.append(good[0] if good and good[0] < seconds else math.inf)
        share.append(np.mean(right) if right else 0.0)
        wrong += sum(1 for a, b in zip([True, *right], right, strict=False) if a and not b)
        errors += [
            e for (at, _, e), ok in zip(found, right, strict=True) if ok and not seconds < at < seconds + 5
        ]
        # Until the place is within 1 s and stays so for the next 3 s.
        after = [(at, e) for at, _, e in found if at > seconds + 0.3]
        back = [at for at, e in after if all(f <= 1.0 for b, f in after if at <= b <= at + 3.0)]
        again.append(back[0] - seconds if back else math.inf)
    print(f"\nstreams: {Library(known).seconds / 3600:.1f} h, 12 keys, {args.streams} streams, jump half-way")
    known_share = cell([math.isfinite(t) for t in first])
    print(
        f"  matched before the jump: {known_share}; first match: median {np.median(first):.1f} s, "
        f"90 % {np.percentile(first, 90):.1f} s"
    )
    print(
        f"  share of matches that name the piece: {np.mean(share):.3f}; wrong matches begun: {wrong} in "
        f"{listened / 3600:.2f} h"
    )
    print(f"  place: median {np.median(errors):.2f} s, 90 % {np.percentile(errors, 90):.2f} s")
    print(
        f"  right again after a jump: median {np.median(again):.1f} s, 75 % {np.percentile(again, 75):.1f} s"
    )
    matcher = Matcher(Library(strange))
    alarms, heard = 0, 0.0
    for n in range(args.streams):
        number = numbers[n % len(numbers)]
        players = corpus.players[corpus.names[number]]
        player = players[(n // len(numbers)) % len(players)]
        seconds = min(120.0, len(player.fine) / 10 - 1)
        said = _listen(matcher, _clip(player.sound, 0.0, seconds))
        heard += seconds
        times = [at for at, _ in said]
        alarms += sum(1 for a, b in zip([-9.0, *times], times, strict=False) if b - a > 1.0)
    print(f"  strangers: {alarms} matches begun in {heard / 3600:.2f} h")
    return {
        "first": float(np.median(first)),
        "matched": float(np.mean(np.isfinite(first))),
        "place": float(np.median(errors)),
        "again": float(np.median(again)),
        "alarms per hour": alarms / heard * 3600,
    }


def priors(corpus: Corpus, args: argparse.Namespace) -> Results:
    """How soon a version is known with a set list and without, from its beginning and from its middle."""
    numbers = range(1, len(corpus.names), 2)
    folder = _library(corpus, "all", corpus.references, args.fill)
    names = {n: corpus.references[n].sound.name for n in numbers}
    noise = np.random.default_rng(8)
    results: Results = {}
    cases = []
    for n in range(args.streams):
        number = numbers[n % len(numbers)]
        players = corpus.players[corpus.names[number]][1:]
        player = players[noise.integers(len(players))]
        middle = noise.uniform(20.0, len(player.fine) / 10 - 20.0)
        cases.append((number, player, middle))
    print(f"\npriors: {Library(folder).seconds / 3600:.1f} h, 12 keys, {args.streams} streams of 15 s")
    # As the query is the next on the list, another one on it, or none of it (the list names the others).
    lists = {
        "no list": lambda number: [],
        "next": lambda number: [names[number], *(names[n] for n in numbers if n != number)],
        "on the list": lambda number: [*(names[n] for n in numbers if n != number), names[number]],
        "not on it": lambda number: [names[n] for n in numbers if n != number],
    }
    for name, listed in lists.items():
        matchers = {n: Matcher(Library(folder), set_list=listed(n)) for n in numbers}
        for where in ("beginning", "middle"):
            first, wrong = [], 0
            for number, player, middle in cases:
                start = 0.0 if where == "beginning" else middle
                said = _listen(matchers[number], _clip(player.sound, start, 15.0))
                ids = [(at, matchers[number].documents[h.document].id) for at, h in said]
                first.append(next((at for at, id in ids if id == names[number]), math.inf))
                wrong += any(id != names[number] for _, id in ids)
            within = {t: float(np.mean([at <= t for at in first])) for t in (3, 5, 8, 10)}
            listed_shares = "  ".join(f"{t} s {share:.2f}" for t, share in within.items())
            print(
                f"  {name:12} {where:10} right and sure after {listed_shares}; "
                f"median {np.median(first):.1f} s; streams with a wrong match {wrong}",
                flush=True,
            )
            results[f"{name}, {where}"] = {
                "within": within,
                "median": float(np.median(first)),
                "wrong": wrong,
            }
    return results


def strangers(corpus: Corpus, args: argparse.Namespace) -> Results:
    """False alarms: hours of pianists that are not in the library, and of made-up songs; then what is known.

    `--set-list` gives the library's pieces as a set list.
    """
    folder = _library(corpus, "even", corpus.references[::2], args.fill)
    listed = [player.sound.name for player in corpus.references[::2]] if args.set_list else []
    matcher = Matcher(Library(folder), set_list=listed)
    odd = [player for name in corpus.names[1::2] for player in corpus.players[name]]
    alarms, heard, said_for = 0, 0.0, 0.0
    share, parts = args.part
    for player in odd[share::parts]:
        seconds = min(args.most, len(player.fine) / 10 - 1)
        times = [at for at, _ in _listen(matcher, _clip(player.sound, 0.0, seconds))]
        begun = [b for a, b in zip([-9.0, *times], times, strict=False) if b - a > 1.0]
        alarms += len(begun)
        said_for += 0.4 * len(times)
        heard += seconds
        if begun:
            print(f"  {player.sound.stem}: " + ", ".join(f"{at:.1f} s" for at in begun), flush=True)
    print(
        f"strangers{' with a set list' if listed else ''}: {alarms} matches begun in {heard / 3600:.2f} h "
        f"({len(odd[share::parts])} performances), said for {said_for:.0f} s"
    )
    return {
        f"part {share} of {parts}{' listed' if listed else ''}": {"alarms": alarms, "hours": heard / 3600}
    }


def _listen(matcher: Matcher, audio: Any) -> list[tuple[float, Any]]:
    matcher.reset()
    said = []
    for start in range(0, len(audio), features.HOP):
        for statement in matcher.push(audio[start : start + features.HOP]):
            if statement.kind == "match":
                said.append(((start + features.HOP) / features.RATE, statement.hypothesis))
    return said


def cost(corpus: Corpus, args: argparse.Namespace) -> Results:
    """Time of the scan per second of audio and reference hour, one thread; and of analysing a recording."""
    documents = corpus.documents()
    part = part_of(documents)
    hours = part.frames.shape[1] / 3600 / features.FRAME_RATE
    frames = query_frames(corpus.references[1].fine[:300])
    results = {}
    print(f"\ncost: {hours:.1f} h")
    for name, keys in (("1 key", (0,)), ("12 keys", KEYS)):
        if len(keys) * hours > 300:
            continue
        search = Scan([part], keys)
        spent = []
        for frame in frames[:40]:
            begun = time.process_time()
            search.push(frame)
            spent.append(time.process_time() - begun)
        ms = 1e3 * float(np.median(spent)) * features.FRAME_RATE / hours
        print(f"  {name}, 5 tempi, 5 updates/s: {ms:.2f} ms per second of audio and hour")
        results[name] = ms
    begun = time.process_time()
    found = analyse(corpus.references[0].sound)
    results["add"] = found.seconds / (time.process_time() - begun)
    print(f"  add: {results['add']:.0f} times real time on one core")
    return results


def memory(corpus: Corpus, args: argparse.Namespace) -> Results:
    """Resident memory of `followspot identify` over a library of so many hours, while it hears a pianist."""
    folder = _library(corpus, f"memory-{args.hours:g}", corpus.references, args.hours)
    hours = Library(folder).seconds / 3600
    player = corpus.players[corpus.names[1]][1]
    megabytes = []
    with tempfile.TemporaryDirectory() as room:
        clip = Path(room) / "clip.wav"
        soundfile.write(clip, _clip(player.sound, 20.0, 60.0), features.RATE)
        files = ["--library", folder, "--input", clip, "--events", Path(room) / "events.jsonl"]
        command = [sys.executable, "-m", "apps.cli", "identify", *map(str, files)]
        said = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while said.poll() is None:
            status = Path(f"/proc/{said.pid}/status").read_text()
            if "VmRSS:" in status:
                megabytes.append(int(status.partition("VmRSS:")[2].split()[0]) / 1024)
            time.sleep(0.1)
        match = '"match"' in (Path(room) / "events.jsonl").read_text()
    running = megabytes[len(megabytes) // 2 :]
    results = {"hours": hours, "median": float(np.median(running)), "most": max(running)}
    print(f"\nmemory: {hours:.1f} h, 12 keys, second half: median {results['median']:.0f} MiB, ", end="")
    print(f"most {results['most']:.0f} MiB (at the start {max(megabytes):.0f}); matched: {match}")
    return results


SECTIONS = {
    "versions": versions,
    "keys": transposed,
    "recording": recording,
    "streams": streams,
    "priors": priors,
    "strangers": strangers,
    "cost": cost,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[])
    parser.add_argument("--hours", type=float, default=100.0)
    parser.add_argument("--fill", type=float, default=2.0, help="hours of fillers in the streams section")
    parser.add_argument("--seconds", type=float, default=20.8, help="of a query in versions and keys")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--streams", type=int, default=40)
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), help="of the strangers: number, parts")
    parser.add_argument("--most", type=float, default=600.0, help="seconds of each stranger")
    parser.add_argument("--set-list", action="store_true", help="strangers against a set list")
    parser.add_argument("--shifts", type=int, nargs="+", default=[0, 5], help="semitones, for keys")
    parser.add_argument("--gate", default="none", help="of all keys but the first: exact, kdtree, hnsw")
    parser.add_argument("--shingles", choices=tuple(KINDS), default="short", help="of the gate")
    parser.add_argument("--renders", type=Path, default=CACHE / "renders")
    args = parser.parse_args()
    corpus = Corpus(args.renders, args.hours)
    results = json.loads(OUT.read_text()) if OUT.exists() else {}
    for name in args.sections or SECTIONS:
        results[name] = SECTIONS[name](corpus, args)
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
