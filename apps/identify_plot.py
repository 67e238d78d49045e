"""`followspot identify --plot`: what the matcher saw, as a picture (SVG)."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from apps.terminal import note
from engine.audio.files import AudioFile
from engine.errors import FollowspotError
from nodes.match import features
from nodes.match.fingerprints import Alignment
from nodes.match.hypotheses import Statement
from nodes.match.matcher import KEYS, Matcher
from nodes.match.shards import open_folder

#: Documents drawn over time.
_DOCUMENTS = 6
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_WIDTH, _HEIGHT, _LEFT, _GAP = 960, 230, 60, 60


@dataclass
class Seen:
    """What is drawn.

    Parameters
    ----------
    times, evidence : of every update, seconds and the evidence of the documents.
    statements : what was said, each with its second.
    curves : matching curves (tempi, frames) where the evidence of the winner was highest.
    winner, key, moment : its name, its key and that second.
    peaks : seconds, Hz and whether they match, where the landmarks had most votes, that many votes and
        the document.
    """

    documents: list[str]
    tempi: Any
    times: list[float] = field(default_factory=list)
    evidence: list[Any] = field(default_factory=list)
    statements: list[tuple[float, Statement]] = field(default_factory=list)
    curves: Any = None
    winner: str = ""
    key: int = 0
    moment: float = 0.0
    peaks: tuple[Any, Any, Any] | None = None
    votes: float = 0.0
    named: str = ""


def plot(library: str, file: str, out: str, transpose: str, index: str) -> None:
    """Let a matcher hear a file and draw what it saw."""
    path = Path(out)
    if path.suffix.lower() != ".svg":
        raise FollowspotError(f"--plot {out}: the picture is an SVG; let its name end in .svg")
    matcher = Matcher(open_folder(library), KEYS if transpose == "all" else KEYS[:1], index)
    seen = _listen(matcher, AudioFile(file, features.RATE, features.HOP))
    try:
        path.write_text(_draw(seen, Path(file).name), encoding="utf-8")
    except OSError as error:
        raise FollowspotError(f"--plot {out}: cannot be written ({error.strerror}); choose another") from None
    note(f"{out}: matching curves, hypotheses and constellation")


def _listen(matcher: Matcher, file: AudioFile) -> Seen:
    seen = Seen([document.id for document in matcher.documents], matcher.scan.tempi)
    most = 0.0
    for n, block in enumerate(file.blocks()):
        now = (n + 1) * features.HOP / features.RATE
        seen.statements += [(now, statement) for statement in matcher.push(block[0])]
        scores = matcher.scan.document_scores()
        seen.times.append(now)
        seen.evidence.append(scores)
        if len(scores) and scores.max() > most:
            most = float(scores.max())
            peak = matcher.scan.peak(int(scores.argmax()))
            seen.curves = matcher.scan.curves(peak.document, peak.key)
            seen.winner, seen.key, seen.moment = seen.documents[peak.document], peak.key, now
        if n % 10 == 9:
            _look_at_peaks(matcher, seen)
    return seen


def _look_at_peaks(matcher: Matcher, seen: Seen) -> None:
    """Keep the constellation with most votes."""
    alignments: list[Alignment] = matcher.prints.best()
    if alignments and alignments[0].votes > seen.votes:
        seen.votes = alignments[0].votes
        seen.peaks = matcher.prints.constellation(alignments[0])
        seen.named = matcher.segments[alignments[0].segment].documents[alignments[0].document].id


def _draw(seen: Seen, name: str) -> str:
    evidence = np.zeros((len(seen.times), len(seen.documents)))
    for row, scores in zip(evidence, seen.evidence, strict=True):
        row[: len(scores)] = scores
    panels = [_over_time(seen, evidence), _curves(seen), _constellation(seen)]
    height = len(panels) * (_HEIGHT + _GAP) + 64
    body = "".join(
        f'<g transform="translate({_LEFT},{64 + n * (_HEIGHT + _GAP)})">{panel}</g>'
        for n, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + _LEFT + 260} {height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="{_LEFT}" y="20" font-size="15">{escape(name)}</text>{body}</svg>\n'
    )


def _over_time(seen: Seen, evidence: Any) -> str:
    """Evidence of the best documents, and above it what was said."""
    end = seen.times[-1] if seen.times else 1.0
    top = float(evidence.max()) if evidence.size else 1.0
    axes = _Axes((0.0, end), (0.0, max(top, 1.0)), "s of the music", "evidence by document; above: said")
    best = np.argsort(-evidence.max(axis=0), kind="stable")[:_DOCUMENTS] if evidence.size else []
    parts = [axes.frame()]
    for n, document in enumerate(best):
        colour = _COLOURS[n]
        parts.append(axes.line(seen.times, evidence[:, document], colour))
        parts.append(_legend(n, colour, seen.documents[document]))
    colours = {int(document): _COLOURS[n] for n, document in enumerate(best)}
    for at, said in seen.statements:
        if said.kind in ("match", "candidate", "unknown"):
            document = None if said.hypothesis is None else said.hypothesis.document
            colour = "#bbbbbb" if document is None else colours.get(document, "black")
            opacity = 1.0 if said.kind == "match" else 0.4
            parts.append(
                f'<rect x="{axes.x(at) - 3:.1f}" y="-10" width="6" height="7" fill="{colour}" '
                f'opacity="{opacity}"><title>{escape(_told(seen, at, said))}</title></rect>'
            )
    return "".join(parts)


def _told(seen: Seen, at: float, said: Statement) -> str:
    found = said.hypothesis
    if found is None:
        return f"{at:.1f} s: {said.kind}"
    return (
        f"{at:.1f} s: {said.kind} {seen.documents[found.document]} at {found.position:.1f} s, tempo "
        f"{found.tempo:.2f}, key {found.transposition:+d}, confidence {found.confidence:.3f}, {found.lane}"
    )


def _curves(seen: Seen) -> str:
    """Matching curves of the winner by tempo."""
    if seen.curves is None:
        return '<text y="20">no document has any evidence</text>'
    frames = seen.curves.shape[1]
    seconds = [features.frame_time(n) for n in range(frames)]
    title = f"matching curves of {seen.winner} after {seen.moment:.1f} s, key {seen.key:+d}"
    axes = _Axes((0.0, seconds[-1]), (0.0, float(seen.curves.max())), "s of the document", title)
    parts = [axes.frame()]
    for n, (tempo, curve) in enumerate(zip(seen.tempi, seen.curves, strict=True)):
        parts.append(axes.line(seconds, curve, _COLOURS[n % len(_COLOURS)]))
        parts.append(_legend(n, _COLOURS[n % len(_COLOURS)], f"tempo {tempo:.2f}"))
    return "".join(parts)


def _constellation(seen: Seen) -> str:
    """Peaks of what sounded; filled: those that vote for the document."""
    if seen.peaks is None:
        return '<text y="20">no landmarks agree</text>'
    seconds, hertz, matching = seen.peaks
    title = f"peaks; filled: vote for {seen.named} ({seen.votes:.0f} votes)"
    logs = np.log2(hertz)
    axes = _Axes(
        (float(seconds.min()), float(seconds.max())),
        (float(logs.min()), float(logs.max())),
        "s of the music",
        title,
        power_of_two=True,
    )
    dots = [
        f'<circle cx="{axes.x(t):.1f}" cy="{axes.y(f):.1f}" r="3" stroke="{_COLOURS[0]}" '
        f'fill="{_COLOURS[0] if match else "none"}"/>'
        for t, f, match in zip(seconds, logs, matching, strict=True)
    ]
    return axes.frame() + "".join(dots)


def _legend(n: int, colour: str, text: str) -> str:
    y = 14 + 18 * n
    return (
        f'<rect x="{_WIDTH + 12}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
        f'<text x="{_WIDTH + 28}" y="{y}">{escape(text[-34:])}</text>'
    )


@dataclass(frozen=True)
class _Axes:
    """A panel of _WIDTH x _HEIGHT with values of x and y."""

    across: tuple[float, float]
    up: tuple[float, float]
    below: str
    title: str
    power_of_two: bool = False

    def x(self, value: float) -> float:
        low, high = self.across
        return _WIDTH * (value - low) / max(high - low, 1e-9)

    def y(self, value: float) -> float:
        low, high = self.up
        return _HEIGHT * (1.0 - (value - low) / max(high - low, 1e-9))

    def frame(self) -> str:
        parts = [
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#888"/>'
            f'<text y="-14">{escape(self.title)}</text>'
            f'<text x="{_WIDTH}" y="{_HEIGHT + 32}" text-anchor="end">{escape(self.below)}</text>'
        ]
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            x = self.across[0] + share * (self.across[1] - self.across[0])
            y = self.up[0] + share * (self.up[1] - self.up[0])
            text = f"{2**y:.0f} Hz" if self.power_of_two else f"{y:.1f}"
            parts.append(
                f'<text x="{self.x(x):.1f}" y="{_HEIGHT + 16}" text-anchor="middle">{x:.1f}</text>'
                f'<text x="-6" y="{self.y(y) + 4:.1f}" text-anchor="end">{text}</text>'
            )
        return "".join(parts)

    def line(self, across: Any, up: Any, colour: str) -> str:
        points = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in zip(across, up, strict=True))
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2"/>'
