"""Jumps within a known piece: how soon the matcher is right again, and how often it jumps elsewhere.

    python -m tests.benchmarks.bench_match_jumps [--pieces odd|even] [--seeds 6 7] [--plot PNG]

Two stretches of 20 s of one pianist's performance, one after the other, in a library of another pianist's
recordings of the eight pieces; 24 streams a seed, one key. Right again: within 1 s of the truth, and so for
the next 3 s. A place where the reference sounds the same for 3 s as at the truth (mean correlation above
0.93: a repeat) is told apart by nothing, so figures that count it as right stand beside. Jumps elsewhere are
those before the jump and from 8 s after it. `--plot` draws how many are at the right place by time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from nodes.match import features
from nodes.match.library import Library
from nodes.match.matcher import Matcher
from tests.benchmarks.bench_match import _clip, _library
from tests.benchmarks.match_data import CACHE, Corpus

OUT = Path("build/benchmarks/match_jumps.json")
SECONDS, STREAMS = 20.0, 24
#: Seconds of the truth by which a place is right, and for which it must stay so.
RIGHT, STAYS = 1.0, 3.0
#: Mean correlation over 3 s from which two places sound the same.
SAME, LENGTH = 0.93, 15


def sounds_same(reference: Any, here: float, there: float) -> bool:
    """Whether a reference (n, 12) sounds the same for 3 s from two places (s) on."""
    starts = [int(max(place, 0.0) * features.FRAME_RATE) for place in (here, there)]
    length = min(LENGTH, len(reference) - max(starts))
    if length < LENGTH // 3:
        return False
    one, other = (reference[start : start + length] for start in starts)
    return float((one * other).sum(axis=1).mean()) > SAME


def again(places: list[tuple[float, bool]]) -> float:
    """Seconds from the jump until a match is right and stays so; infinite: never."""
    after = [(at - SECONDS, right) for at, right in places if at > SECONDS + 0.3]
    for at, _ in after:
        if all(right for later, right in after if at <= later <= at + STAYS):
            return at
    return np.inf


def summary(times: list[float]) -> dict[str, float]:
    found = np.sort(times)
    return {
        "median": float(np.percentile(found, 50, method="lower")),
        "75 %": float(np.percentile(found, 75, method="lower")),
        "within 3 s": float(np.mean(found <= 3.0)),
        "never": int(np.sum(~np.isfinite(found))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pieces", choices=("odd", "even"), default="odd")
    parser.add_argument("--seeds", type=int, nargs="+", default=[6, 7])
    parser.add_argument("--renders", type=Path, default=CACHE / "renders")
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    corpus = Corpus(args.renders, 1.0)
    first = int(args.pieces == "odd")
    numbers = range(first, len(corpus.names), 2)
    folder = _library(corpus, f"jumps-{args.pieces}", corpus.references[first::2])
    matcher = Matcher(Library(folder), (0,))
    frames = {n: features.reference_frames(corpus.references[n].fine)[0] for n in numbers}
    strict, alike, curves = [], [], []
    elsewhere = streams = 0
    for seed in args.seeds:
        noise = np.random.default_rng(seed)
        for stream in range(STREAMS):
            number = numbers[stream % len(numbers)]
            players = corpus.players[corpus.names[number]][1:]
            player = players[noise.integers(len(players))]
            starts = noise.uniform(0.0, len(player.fine) / 10 - 1 - SECONDS, 2)
            audio = np.concatenate([_clip(player.sound, start, SECONDS) for start in starts])
            matcher.reset()
            places, same, jumps = [], [], 0
            for at in range(0, len(audio), features.HOP):
                now = (at + features.HOP) / features.RATE
                for said in matcher.push(audio[at : at + features.HOP]):
                    jumps += said.kind == "jump" and not SECONDS < now < SECONDS + 8.0
                    if said.kind != "match" or said.hypothesis is None:
                        continue
                    heard = starts[0] + now if now <= SECONDS else starts[1] + now - SECONDS
                    truth, place = corpus.truth(number, player, heard), said.hypothesis.position
                    document = matcher.documents[said.hypothesis.document].id
                    known = document == corpus.references[number].sound.name
                    right = known and abs(place - truth) <= RIGHT
                    places.append((now, right))
                    same.append((now, right or (known and sounds_same(frames[number], place, truth))))
            streams += 1
            if places and places[0][0] < SECONDS:
                strict.append(again(places))
                alike.append(again(same))
                elsewhere += jumps
                curves.append(places)
    back = {"right again": summary(strict), "or where it sounds the same": summary(alike)}
    print(f"{args.pieces} pieces, {streams} streams, {len(strict)} known before the jump")
    for name, figures in back.items():
        listed = ", ".join(f"{what} {value:.2f}" for what, value in figures.items())
        print(f"  {name}: {listed}")
    print(f"  jumps elsewhere: {elsewhere}")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    counts = {"streams": streams, "known before": len(strict), "jumps elsewhere": elsewhere}
    OUT.write_text(json.dumps({"pieces": args.pieces, **counts, **back}, indent=1))
    if args.plot:
        draw(curves, args.plot)


def draw(curves: list[list[tuple[float, bool]]], file: Path) -> None:
    """The share of streams that are at the right place, from 5 s before the jump to 15 s after it."""
    from matplotlib.figure import Figure

    moments = np.arange(-5.0, 15.0, 0.2)
    share = [np.mean([_right_at(one, SECONDS + moment) for one in curves]) for moment in moments]
    axes = (figure := Figure((7, 4))).subplots()
    axes.plot(moments, share)
    axes.axvline(0.0, color="grey")
    axes.set(xlabel="seconds since the jump", ylabel="share at the right place", ylim=(0, 1))
    figure.savefig(file)


def _right_at(places: list[tuple[float, bool]], moment: float) -> bool:
    said = [right for at, right in places if at <= moment]
    return bool(said) and said[-1]


if __name__ == "__main__":
    main()
