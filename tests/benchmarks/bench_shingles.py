"""Shingles and nearest neighbours: the two tables of Zalkow and Mueller (2020), from one run here.

    python -m tests.benchmarks.bench_shingles SECTION... [--count 1250000] [--dimensions 240 30 12 6]

`time` : milliseconds a query among made-up shingles of 20 s, one a second, by brute force, k-d tree and HNSW;
recall@10 against brute force; graphs are kept, and with `--minutes` built in several runs.
`reranked` : a graph over few of the dimensions, in 8 bits, whose candidates are compared in all 240, beside
brute force.
`libraries` : faiss, usearch and voyager on the same vectors (needs all three).
`precision` : P@1 and MAP of 20 s of a real pianist (odd pieces of (n)ASAP) among all other performances and
made-up documents, without tempo changes as in the paper: all dimensions, PCA (fitted on made-up
ones) and the shipped network, each also with exact re-rank of the top 50.
`gate` : how soon the gate of `identify` proposes the true document and key, by both kinds of its shingles.
One thread; times are medians of single queries.
"""

from __future__ import annotations

import argparse
import json
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np

from nodes.match import features
from nodes.match.gate import KINDS, PROPOSED, Gate, indexed
from nodes.match.matcher import KEYS
from nodes.match.neighbours import Exact, Hnsw, KdTree, Reranked
from nodes.match.shingle_network import ShingleNetwork
from nodes.match.shingles import Projection, principal, shingles
from nodes.match.updates import TEMPI
from tests.benchmarks.bench_match import cell
from tests.benchmarks.match_data import CACHE, composed, fillers, performances, pieces, query_frames

OUT = Path("build/benchmarks/shingles.json")
Results = dict[str, Any]
#: The seeds' shingle: 20 s in cells of 1 s, one a second.
SECONDS, CELLS = 20, 20
#: Principal components that the graph has whose candidates are compared in all dimensions.
COMPONENTS = 96
#: Hours of fillers that give so many shingles a second apart.
_PER_HOUR = 3300


def shingles_of(frames: Any, every: float = 1.0) -> tuple[Any, Any]:
    """Shingles of a document that say something, and the second at which each ends."""
    rate = features.FRAME_RATE
    ends = np.arange(SECONDS * rate, len(frames) + 1, every * rate)
    if not len(ends):
        return np.zeros((0, CELLS * 12), np.float32), ends
    found = shingles(frames, ends, SECONDS * rate, CELLS)
    says = found.any(axis=1)
    return found[says], ends[says] / rate


def made_up(count: int) -> tuple[Any, Any]:
    """`count` shingles of made-up documents, and 200 queries: the same with a tenth of noise power."""
    cache = CACHE / f"shingles-{count}.npy"
    if not cache.exists():
        documents = fillers(count / _PER_HOUR, [composed(300.0, np.random.default_rng(n)) for n in range(40)])
        found = np.concatenate([shingles_of(document)[0] for document in documents])
        if len(found) < count:
            raise SystemExit(f"only {len(found)} shingles came out; change _PER_HOUR")
        np.save(cache, found[:count])
    vectors = np.load(cache)
    noise = np.random.default_rng(4)
    queries = vectors[noise.choice(len(vectors), 200, replace=False)]
    queries = queries + noise.normal(0.0, 0.3 / np.sqrt(queries.shape[1]), queries.shape)
    return vectors, (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)


def reduced(vectors: Any, dimensions: int) -> Projection | None:
    """PCA fitted on 50,000 of the vectors; None: all dimensions are kept."""
    if dimensions >= vectors.shape[1]:
        return None
    return principal(vectors[:: max(1, len(vectors) // 50000)], dimensions)


def timed(search: Any, queries: Any, count: int = 10) -> tuple[float, Any]:
    """Median milliseconds of single queries, and what they found."""
    spent, found = [], []
    for query in queries:
        begun = time.perf_counter()
        numbers, _ = search(query[None], count)
        spent.append(time.perf_counter() - begun)
        found.append(numbers[0])
    return 1e3 * float(np.median(spent)), np.array(found)


def recall(found: Any, true: Any) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, true, strict=True)]))


def graph_of(vectors: Any, minutes: float, *, coarse: bool = False) -> tuple[Hnsw, float] | None:
    """The graph of all vectors and the CPU seconds it took; None if that needs more than `minutes`.

    What was built is kept, and the next run goes on there.
    """
    cache = CACHE / f"graph-{len(vectors)}-{vectors.shape[1]}{'-coarse' * coarse}.pickle"
    graph, before = pickle.loads(cache.read_bytes()) if cache.exists() else (None, 0.0)
    until = time.monotonic() + 60.0 * minutes
    begun = time.process_time()
    graph = graph or Hnsw(vectors[:10_000], coarse=coarse)
    while len(graph) < len(vectors) and time.monotonic() < until:
        graph.add(vectors[len(graph) : len(graph) + 10_000])
    spent = before + time.process_time() - begun
    cache.write_bytes(pickle.dumps((graph, spent)))
    return (graph, spent) if len(graph) == len(vectors) else None


def times(args: argparse.Namespace) -> Results:
    vectors, queries = made_up(args.count)
    print(f"\ntime: {len(vectors)} shingles; ms a query (recall@10), {len(queries)} queries; k-d tree: 10")
    print(f"{'dimensions':>10} {'build s':>8} {'brute force':>12} {'k-d tree':>10}   HNSW by candidates")
    results: Results = {}
    for dimensions in args.dimensions:
        projection = reduced(vectors, dimensions)
        here = vectors if projection is None else projection(vectors)
        asked = queries if projection is None else projection(queries)
        found_graph = graph_of(here, args.minutes)
        if found_graph is None:
            print(f"{dimensions:10d} graph not whole yet: run this again", flush=True)
            continue
        graph, build = found_graph
        brute, true = timed(Exact(here).search, asked)
        tree, _ = timed(KdTree(here).search, asked[:10])
        row: Results = {"brute": brute, "kdtree": tree, "build": build, "hnsw": {}}
        for candidates in (10, 20, 40, 80, 160):
            graph.candidates = candidates
            ms, found = timed(graph.search, asked)
            row["hnsw"][candidates] = (ms, recall(found, true))
        listed = "  ".join(f"{c}: {ms:.3f} ({r:.3f})" for c, (ms, r) in row["hnsw"].items())
        print(f"{dimensions:10d} {build:8.0f} {brute:12.1f} {tree:10.1f}   {listed}", flush=True)
        results[str(dimensions)] = row
        del graph
    return results


def reranked(args: argparse.Namespace) -> Results:
    vectors, queries = made_up(args.count)
    projection = reduced(vectors, COMPONENTS)
    assert projection is not None
    found_graph = graph_of(projection(vectors), args.minutes, coarse=True)
    if found_graph is None:
        print("graph not whole yet: run this again")
        return {}
    graph, build = found_graph
    brute, true = timed(Exact(vectors).search, queries)
    print(f"\nreranked: {len(vectors)} shingles, brute force {brute:.1f} ms; graph over {COMPONENTS} "
          f"components, built in {build:.0f} s")  # fmt: skip
    results: Results = {"brute": brute, "build": build}
    search = Reranked(vectors, projection, graph).search
    for candidates in (32, 48, 64, 80, 96):
        graph.candidates = candidates
        ms, found = timed(search, queries)
        results[str(candidates)] = {"ms": ms, "recall": recall(found, true)}
        print(f"  {candidates} candidates  {ms:.3f} ms, {brute / ms:.0f} times as fast as brute force, "
              f"recall@10 {recall(found, true):.3f}", flush=True)  # fmt: skip
    return results


def libraries(args: argparse.Namespace) -> Results:
    import usearch.index
    import voyager

    vectors, queries = made_up(args.count)
    projection = reduced(vectors, 30)
    assert projection is not None
    vectors, queries = projection(vectors), projection(queries)
    _, true = timed(Exact(vectors).search, queries)
    print(f"\nlibraries: {len(vectors)} shingles of 30 dimensions, 16 edges, 100 candidates in building")
    results: Results = {}

    def show(name: str, build: float, search: Any, candidates: int) -> None:
        ms, found = timed(search, queries)
        results[f"{name} {candidates}"] = {"build": build, "ms": ms, "recall": recall(found, true)}
        print(f"  {name:8} {candidates:3d} candidates  build {build:5.0f} s  {ms:.3f} ms  "
              f"recall@10 {recall(found, true):.3f}", flush=True)  # fmt: skip

    begun = time.process_time()
    graph = Hnsw(vectors)
    build = time.process_time() - begun
    for candidates in (20, 40, 80):
        graph.candidates = candidates
        show("faiss", build, graph.search, candidates)
    begun = time.process_time()
    other = voyager.Index(voyager.Space.Euclidean, 30, M=16, ef_construction=100)
    other.add_items(vectors, num_threads=1)
    build = time.process_time() - begun
    for candidates in (20, 40, 80):
        show(
            "voyager",
            build,
            lambda q, k, c=candidates: other.query(q, k, num_threads=1, query_ef=c),
            candidates,
        )
    begun = time.process_time()
    third = usearch.index.Index(
        ndim=30, metric="l2sq", dtype="f32", connectivity=16, expansion_add=100, expansion_search=40
    )
    third.add(np.arange(len(vectors)), vectors, threads=1)
    build = time.process_time() - begun

    def of_usearch(query: Any, count: int) -> tuple[Any, None]:
        return third.search(query[0], count, threads=1).keys[None], None

    for candidates in (20, 40, 80):
        third.expansion_search = candidates
        show("usearch", build, of_usearch, candidates)
    return results


def precision(args: argparse.Namespace) -> Results:
    every = [p for piece in pieces() for p in performances(piece, args.renders)]
    frames = [features.reference_frames(p.fine)[0] for p in every]
    names = [p.piece for p in every]
    made = fillers(args.hours, [composed(300.0, np.random.default_rng(n)) for n in range(40)])
    vectors = [shingles_of(f)[0] for f in (*frames, *made)]
    owners = np.repeat(np.arange(len(vectors)), [len(v) for v in vectors])
    library = np.concatenate(vectors)
    fitting = np.concatenate(vectors[len(every) :])
    noise = np.random.default_rng(6)
    odd = [n for n, name in enumerate(names) if name in pieces()[1::2]]
    asked = [int(noise.choice(np.flatnonzero(owners == odd[q % len(odd)]))) for q in range(args.queries)]
    print(f"\nprecision: {len(every)} performances, {len(made)} made-up documents, {len(library)} shingles")
    results: Results = {}
    ways: list[tuple[str, Any]] = [("all 240", None)]
    ways += [(f"PCA {d}", principal(fitting, d)) for d in (30, 12, 6)]
    ways += [(f"network {d}", ShingleNetwork(d)) for d in (30, 12, 6)]
    for way, projection in ways:
        small = library if projection is None else projection(library)
        for rerank in (False, True) if projection is not None else (False,):
            first, average = [], []
            for query in asked:
                far = np.sum((small - small[query]) ** 2, axis=1)
                far[owners == owners[query]] = np.inf  # the performance itself is no answer
                if rerank:
                    top = np.argpartition(far, 50)[:50]
                    exact = np.full_like(far, 1e6) + far
                    exact[top] = np.sum((library[top] - library[query]) ** 2, axis=1)
                    far = exact
                best = np.full(len(vectors), np.inf)
                np.minimum.at(best, owners, far)
                piece = names[owners[query]]
                right = np.array([n < len(every) and names[n] == piece for n in np.argsort(best)])
                right = right[: len(vectors) - 1]  # the last is the performance itself
                first.append(bool(right[0]))
                ranks = np.flatnonzero(right) + 1
                average.append(float(np.mean(np.arange(1, len(ranks) + 1) / ranks)))
            name = f"{way}{' re-ranked' if rerank else ''}"
            print(f"  {name:20} P@1 {cell(first)}  MAP {np.mean(average):.3f}", flush=True)
            results[name] = {"p1": float(np.mean(first)), "map": float(np.mean(average))}
    return results


def gates(args: argparse.Namespace) -> Results:
    """Where the true document and key are among all that the gate of `identify` could propose."""
    players = {piece: performances(piece, args.renders) for piece in pieces()}
    made = fillers(args.hours, [composed(300.0, np.random.default_rng(n)) for n in range(40)])
    documents = [features.as_bytes(features.reference_frames(p[0].fine)[0]) for p in players.values()] + made
    noise = np.random.default_rng(9)
    asked = []
    for query in range(args.queries):
        number = 1 + 2 * (query % (len(players) // 2))
        others = list(players.values())[number][1:]
        player = others[noise.integers(len(others))]
        start = int(noise.integers(0, len(player.fine) - 330))
        asked.append((number, query_frames(player.fine[start : start + 320])))
    hours = sum(map(len, documents)) / features.FRAME_RATE / 3600
    print(
        f"\ngate: {hours:.1f} h, {len(documents)} documents, 12 keys, {args.queries} queries, 5 semitones up"
    )
    results: Results = {}
    for name, kind in KINDS.items():
        vectors = [indexed(document, kind) for document in documents]
        gate = Gate([np.concatenate(vectors)], [np.array([len(v) for v in vectors])], KEYS, TEMPI, kind=kind)
        ranks: dict[int, list[int]] = {seconds: [] for seconds in (6, 10, 15, 20, 30)}
        for number, frames in asked:
            gate.reset()
            for n, frame in enumerate(frames):
                proposed = gate.push(np.roll(frame, 5))
                seconds = (2 * n + 6) // 10
                if seconds in ranks and proposed:
                    pair = (number, KEYS.index(5))
                    ranks[seconds].append(proposed.index(pair) if pair in proposed else PROPOSED)
        listed = "  ".join(
            f"{s} s: {np.mean(np.array(r) == 0):.2f} / {np.mean(np.array(r) < PROPOSED):.2f}"
            for s, r in ranks.items()
        )
        print(f"  {name:8} first / proposed after {listed}", flush=True)
        results[name] = ranks
    return results


SECTIONS = {
    "time": times,
    "reranked": reranked,
    "libraries": libraries,
    "precision": precision,
    "gate": gates,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[])
    parser.add_argument("--count", type=int, default=1_250_000)
    parser.add_argument("--minutes", type=float, default=600.0, help="for a graph in one run")
    parser.add_argument(
        "--hours", type=float, default=10.0, help="of made-up documents in precision and gate"
    )
    parser.add_argument("--queries", type=int, default=200, help="in precision and gate")
    parser.add_argument("--renders", type=Path, default=CACHE / "renders")
    parser.add_argument("--dimensions", type=int, nargs="+", default=[240, 30, 12, 6])
    args = parser.parse_args()
    results = json.loads(OUT.read_text()) if OUT.exists() else {}
    for name in args.sections or SECTIONS:
        results.setdefault(name, {}).update(SECTIONS[name](args))
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
