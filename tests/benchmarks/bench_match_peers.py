"""The scan beside peers on the same chroma: libfmp's multi-scale matching, librosa's DTW, a leaky DTW.

    python -m tests.benchmarks.bench_match_peers [--set pianists|hard] [--hours 5] [--queries 60]

`pianists` : another pianist's performance joined in mid-piece (see `bench_match`). `hard` : made-up pieces
whose versions differ in tempo, balance of the notes, dropped notes and slow interference: a set of our own,
so only the order of the methods says anything. One key; P@1 with 95 % intervals, CPU seconds a query of 20 s.
The peers search from scratch at each moment; settings were chosen on other queries (`--tune`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nodes.match import features
from nodes.match.ranking import best_peak
from nodes.match.scan import Scan
from nodes.match.witness import Witness
from tests.benchmarks.bench_match import cell
from tests.benchmarks.match_data import CACHE, Corpus, composed, part_of, plain_chroma

OUT = Path("build/benchmarks/match_peers.json")
MOMENTS = (5, 10, 20)
#: CENS of libfmp: frames of 10 Hz under the window, and chroma frames a CENS frame.
TUNED = {"libfmp": (11, 2), "librosa": (11, 2), "leaky DTW": 0.98}
Query = tuple[int, Any]  # number of the true document, chroma (n, 12) at 10 Hz


def pianists(args: argparse.Namespace) -> tuple[list[Any], list[Query]]:
    """Chroma of the references and fillers at 10 Hz, and the queries."""
    corpus = Corpus(args.renders, 0.5)
    noise = np.random.default_rng(11)
    even = [plain_chroma(p.fine) for piece in corpus.names[::2] for p in corpus.players[piece]]
    documents = [plain_chroma(player.fine) for player in corpus.references]
    from tests.benchmarks.match_data import scrambled

    while sum(map(len, documents)) < args.hours * 36000:
        documents.append(scrambled(even, 240.0, noise))
    queries = []
    odd = 0 if args.tune else 1
    for n in range(args.queries):
        number = 2 * (n % (len(corpus.names) // 2)) + odd
        players = corpus.players[corpus.names[number]][1:]
        player = players[noise.integers(len(players))]
        start = int(noise.integers(0, len(player.fine) - 206))
        queries.append((number, plain_chroma(player.fine[start : start + 206], keep=0.99)))
    return documents, queries


def hard(args: argparse.Namespace) -> tuple[list[Any], list[Query]]:
    """Made-up pieces, and versions of some of them."""
    noise = np.random.default_rng(args.seed or (21 if args.tune else 22))
    documents = [composed(240.0, noise) for _ in range(round(args.hours * 15))]
    queries = []
    for _ in range(args.queries):
        number = int(noise.integers(len(documents)))
        queries.append((number, _version(documents[number], noise)))
    return documents, queries


def _version(chroma: Any, noise: np.random.Generator) -> Any:
    """20.6 s of another performance, from somewhere in the middle."""
    tempo = float(np.exp(noise.uniform(-0.3, 0.3)))
    drift = np.exp(np.clip(np.cumsum(noise.normal(0.0, 0.02, 206)), -0.2, 0.2))
    at = noise.uniform(0, len(chroma) - 206 * 1.8) + np.cumsum(tempo * drift)
    below = at.astype(int)
    share = (at - below)[:, None]
    played = chroma[below] * (1 - share) + chroma[below + 1] * share
    beats = np.repeat(np.arange(42), 5)[:206]
    balance = np.exp(noise.normal(0.0, 0.9, (42, 12))) * (noise.random((42, 12)) > 0.2)
    colour = np.exp(noise.normal(0.0, 0.5, 12))
    other = np.abs(np.cumsum(noise.normal(0.0, 1.0, (206, 12)), axis=0)) % 3.0
    level = 0.4 * played.mean() / other.mean()
    return (played * balance[beats] * colour + level * other).astype(np.float32)


def scan_of_ours(documents: list[Any]) -> Callable[[Any], dict[int, int]]:
    """What `Matcher` does with one key: the scan, its first documents ranked anew."""
    search = Scan([part_of([features.as_bytes(features.smoothed(d)) for d in documents])])
    witness = Witness()

    def ask(query: Any) -> dict[int, int]:
        search.reset()
        witness.reset()
        found = {}
        for i, frame in enumerate(features.smoothed(query)[: (len(query) - 6) // 2 + 1]):
            search.push(frame)
            witness.push(frame)
            moment, rest = divmod(2 * i + features.SMOOTH // 2 + 1, 10)
            if rest == 0 and moment in MOMENTS:
                best = best_peak(search, witness)
                found[moment] = -1 if best is None else best.document
        return found

    return ask


def _cens(chroma: Any, setting: tuple[int, int]) -> Any:
    """libfmp's CENS (12, n), its quantiser's open top bin filled."""
    import libfmp.c7

    safe = np.minimum(chroma.T / np.maximum(chroma.sum(axis=1), 1e-9), 0.999)
    return libfmp.c7.compute_cens_from_chromagram(safe, 10, *setting)[0]


def from_scratch(documents: list[Any], best_at: Callable[[Any, Any], Any], setting: Any) -> Any:
    """A peer that matches the whole query again at each moment; `best_at` gives the cost at every frame."""
    references = [_cens(document, setting) for document in documents]
    whole = np.concatenate(references, axis=1)
    owners = np.repeat(np.arange(len(references)), [r.shape[1] for r in references])

    def ask(query: Any) -> dict[int, int]:
        found = {}
        for moment in MOMENTS:
            cost = best_at(_cens(query[: moment * 10], setting), whole)
            found[moment] = int(owners[int(np.argmin(cost))])
        return found

    return ask


def libfmp_diagonal(query: Any, whole: Any) -> Any:
    import libfmp.c7

    scales = np.exp(np.linspace(-0.4, 0.4, 5))
    cost, *_ = libfmp.c7.matching_function_diag_multiple(query, whole, tempo_rel_set=scales)
    return cost


def librosa_dtw(query: Any, whole: Any) -> Any:
    import librosa

    steps = np.array([[1, 1], [2, 1], [1, 2]])
    total = librosa.sequence.dtw(
        C=1.0 - query.T @ whole, subseq=True, step_sizes_sigma=steps, backtrack=False
    )
    return total[-1]


def leaky_dtw(documents: list[Any], keep: float) -> Any:
    """Free warping with a leak: one lane, predecessors m, m - 1, m - 2; on our frames."""
    references = [features.smoothed(document) for document in documents]
    whole = np.concatenate(references).T
    firsts = np.concatenate([[0], np.cumsum([len(r) for r in references])[:-1]])
    owners = np.repeat(np.arange(len(references)), [len(r) for r in references])

    def ask(query: Any) -> dict[int, int]:
        cost = np.full(whole.shape[1], 1.0, np.float32)
        found = {}
        for i, frame in enumerate(features.smoothed(query)[: (len(query) - 6) // 2 + 1]):
            one, two = np.roll(cost, 1), np.roll(cost, 2)
            one[firsts] = 1.0
            two[firsts] = two[np.minimum(firsts + 1, len(two) - 1)] = 1.0
            best = np.minimum(one, np.minimum(cost, two) + np.float32(0.01))
            cost = np.float32(keep) * best + np.float32(1.0 - keep) * (1.0 - frame @ whole)
            moment, rest = divmod(2 * i + features.SMOOTH // 2 + 1, 10)
            if rest == 0 and moment in MOMENTS:
                found[moment] = int(owners[int(cost.argmin())])
        return found

    return ask


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--hours", type=float, default=5.0)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--set", choices=("pianists", "hard"), default="pianists")
    parser.add_argument("--methods", nargs="+", default=["scan", "libfmp", "librosa", "leaky DTW"])
    parser.add_argument("--tune", action="store_true", help="on the queries kept for choosing settings")
    parser.add_argument("--seed", type=int, help="of another hard set")
    parser.add_argument("--cens", type=int, nargs=2, default=TUNED["libfmp"], help="window, decimation")
    parser.add_argument("--keep", type=float, default=TUNED["leaky DTW"], help="of the leaky DTW")
    parser.add_argument("--renders", type=Path, default=CACHE / "renders")
    args = parser.parse_args()
    documents, queries = (pianists if args.set == "pianists" else hard)(args)
    hours = sum(map(len, documents)) / 36000
    print(f"{args.set}: {hours:.1f} h, {len(documents)} documents, {len(queries)} queries")
    makers: dict[str, Callable[[], Any]] = {
        "scan": lambda: scan_of_ours(documents),
        "libfmp": lambda: from_scratch(documents, libfmp_diagonal, tuple(args.cens)),
        "librosa": lambda: from_scratch(documents, librosa_dtw, tuple(args.cens)),
        "leaky DTW": lambda: leaky_dtw(documents, args.keep),
    }
    results = {}
    for name in args.methods:
        ask = makers[name]()
        ask(queries[0][1])  # compile
        begun = time.process_time()
        found = [ask(query) for _, query in queries]
        spent = (time.process_time() - begun) / len(queries)
        hits = {m: [f[m] == n for f, (n, _) in zip(found, queries, strict=True)] for m in MOMENTS}
        listed = "  ".join(f"{m} s {cell(h)}" for m, h in hits.items())
        print(f"  {name:10} {listed}  {spent:.2f} s", flush=True)
        results[name] = {str(m): float(np.mean(h)) for m, h in hits.items()} | {"seconds": spent}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(json.dumps({**kept, args.set: results}, indent=1))


if __name__ == "__main__":
    main()
