"""Themes: the top voice of some bars of a score against real pianists' whole sound, and the other way round.

    python -m tests.benchmarks.bench_themes [--themes 6] [--made-up 300] [--hours 5] [--renders DIR]

`heard` : a library of themes (real ones and made-up ones), a pianist plays a passage, 12 keys; P@1 when the
theme ends. `asked` : a library of recordings and fillers, the theme alone as the query, 12 keys. `notes` :
the theme, transposed and at another tempo, in the scores. Odd pieces of (n)ASAP; intervals are 95 % (Wilson).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from nodes.match import features
from nodes.match.matcher import KEYS
from nodes.match.notes import note_chroma, read_notes
from nodes.match.points import Points, Theme
from nodes.match.scan import Scan
from nodes.match.search import THEME
from nodes.match.updates import Law
from tests.benchmarks.bench_match import cell
from tests.benchmarks.match_data import CACHE, DATA, Corpus, part_of, query_frames

OUT = Path("build/benchmarks/themes.json")
#: Beats of a theme.
BEATS = 16


def skyline(notes: Any) -> Any:
    """The highest note of every onset, each until the next: (n, 4)."""
    onsets = np.round(notes[:, 0], 2)
    top = [notes[onsets == onset][notes[onsets == onset][:, 2].argmax()] for onset in np.unique(onsets)]
    line = np.array(top)
    line[:-1, 1] = np.diff(line[:, 0])
    return line


def made_up(noise: np.random.Generator) -> Any:
    """A melody that nobody wrote."""
    count = int(noise.integers(16, 48))
    lengths = noise.choice([0.15, 0.25, 0.25, 0.5], count)
    onsets = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    degrees = np.cumsum(noise.choice([-2, -1, -1, 0, 1, 1, 2, 4], count)) % 14
    pitches = 60 + noise.integers(12) + 12 * (degrees // 7) + scale[degrees % 7]
    return np.stack([onsets, lengths, pitches, np.full(count, 0.8)], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--themes", type=int, default=6, help="of each piece")
    parser.add_argument("--made-up", type=int, default=300)
    parser.add_argument("--hours", type=float, default=5.0)
    parser.add_argument("--renders", type=Path, default=CACHE / "renders")
    args = parser.parse_args()
    corpus = Corpus(args.renders, args.hours)
    noise = np.random.default_rng(8)
    themes, owners, spans, scores = [], [], [], []
    for number in range(1, len(corpus.names), 2):
        folder = DATA / "asap" / corpus.names[number]
        notes = read_notes(folder / "score.mid")
        scores.append(Points(notes))
        line = skyline(notes)
        beats = np.array(
            [float(row.split()[0]) for row in (folder / "score_beats.txt").read_text().splitlines()]
        )
        count = min(len(beats), *(len(p.beats) for p in corpus.players[corpus.names[number]]))
        for first in np.linspace(0, count - BEATS - 1, args.themes).astype(int):
            start, stop = beats[first], beats[first + BEATS]
            theme = line[(line[:, 0] >= start - 0.01) & (line[:, 0] < stop - 0.01)].copy()
            if len(theme) < 6:
                continue
            theme[:, 0] -= start
            themes.append(theme)
            owners.append(number)
            spans.append((int(first), int(first) + BEATS))
    every = themes + [made_up(noise) for _ in range(args.made_up)]
    chroma = [features.smoothed(note_chroma(theme)) for theme in every]
    part = part_of([features.as_bytes(frames) for frames in chroma])
    results = {}
    for name, law in (("as a theme", THEME), ("as a recording", Law())):
        search = Scan([part], KEYS, law=law)
        hits = []
        for theme, (number, (first, last)) in enumerate(zip(owners, spans, strict=True)):
            player = corpus.players[corpus.names[number]][1]
            start, stop = player.beats[first], player.beats[last]
            shift = int(noise.integers(-5, 7))
            search.reset()
            for frame in query_frames(player.fine[max(0, int(10 * start) - 10) : int(10 * stop) + 10]):
                search.push(np.roll(frame, shift))
            best = search.peak(int(search.document_scores().argmax()))
            hits.append(best.document == theme and best.key == shift)
        print(f"heard, {len(every)} themes, law {name}: P@1 {cell(hits)}")
        results[f"heard {name}"] = float(np.mean(hits))
    documents = corpus.documents()
    search = Scan([part_of(documents)], KEYS, law=THEME)
    hits = []
    for theme, number in enumerate(owners):
        search.reset()
        for frame in chroma[theme]:
            search.push(np.roll(frame, 3))
        hits.append(search.peak(int(search.document_scores().argmax())).document == number)
    hours = sum(map(len, documents)) / 3600 / features.FRAME_RATE
    print(f"asked, {len(documents)} recordings, {hours:.1f} h: P@1 {cell(hits)}")
    results["asked"] = float(np.mean(hits))
    hits = []
    for theme, number in zip(themes, owners, strict=True):
        moved = theme * (1.3, 1.3, 1.0, 1.0) + (0.0, 0.0, 4.0, 0.0)
        moved[:, 0] += noise.normal(0.0, 0.01, len(moved))
        wanted = Theme(Points(moved))
        places = [wanted.aligned(text) for text in scores]
        counts = [0 if place is None else place.notes for place in places]
        hits.append(int(np.argmax(counts)) == number // 2)
    print(f"notes, {len(scores)} scores: P@1 {cell(hits)}")
    results["notes"] = float(np.mean(hits))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
