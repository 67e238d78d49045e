"""Hear several recordings of a piece side by side: switch to the same place in another one, without a gap.

Aligns the recordings, then serves a page on this machine that plays them. Switch there with the keys 1 to 9,
by a click, by OSC (/switch 2, /play, /pause, /seek SECONDS) or by MIDI (program change, or notes upwards
from C4: the first is recording 1).
"""

from __future__ import annotations

import argparse
import contextlib
from time import perf_counter

from apps.sync import DOUBTFUL, align_with_progress
from apps.terminal import duration, note
from engine.errors import FollowspotError
from nodes.follow.score import SUFFIXES
from nodes.sync.align import Alignment
from nodes.sync.features import Features, load_features

#: Where OSC comes in, unless --listen says otherwise: this machine only.
LISTEN = "127.0.0.1:9001"
_MOST = 9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recordings", metavar="FILE", nargs="+", help="two to nine recordings of one piece")
    parser.add_argument(
        "--bind",
        metavar="HOST[:PORT]",
        help="where the page is; 0.0.0.0 lets other machines in, with a token (default: 127.0.0.1:8770)",
    )
    parser.add_argument("--token", metavar="TEXT", help="the token that the page asks for")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", default=LISTEN, help="where OSC comes in (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> None:
    paths: list[str] = args.recordings
    if not 2 <= len(paths) <= _MOST:
        raise FollowspotError(f"give two to {_MOST} recordings of one piece")
    for path in paths:
        if any(path.lower().endswith(suffix) for suffix in SUFFIXES):
            raise FollowspotError(f"{path}: is a score, and a score has no sound; give recordings")
    from apps.switcher_page import SwitcherSite, listen_to_midi, listen_to_osc

    with contextlib.ExitStack() as closing:
        site = SwitcherSite(paths, args.bind, args.token)
        closing.callback(site.close)
        closing.callback(listen_to_osc(args.listen, site.command))
        site.show(*_aligned(paths))
        closing.callback(listen_to_midi(site.command))
        for url in site.urls:
            note(f"switcher: {url}")
        with contextlib.suppress(KeyboardInterrupt):
            site.wait()


def _aligned(paths: list[str]) -> tuple[list[Features], list[Alignment]]:
    """Features of all, and the alignment of the first with each of the others."""
    begun = perf_counter()
    features = []
    for path in paths:
        note(f"listening to {path}")
        features.append(load_features(path))
    alignments = []
    for path, other in zip(paths[1:], features[1:], strict=True):
        alignment = align_with_progress(features[0], other)
        if alignment.agreement < DOUBTFUL:
            note(f"{path} is hardly the same piece as {paths[0]} (likeness {alignment.agreement:.2f})")
        alignments.append(alignment)
    spent = perf_counter() - begun
    note(f"{len(paths)} recordings of {duration(features[0].seconds)} aligned in {spent:.1f} s")
    return features, alignments
