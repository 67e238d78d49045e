"""A picture of an alignment: the cost matrix of the chroma, and the warping path on it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from engine.errors import FollowspotError
from nodes.sync.align import Alignment, cosine_distance
from nodes.sync.features import FRAMES, Features, smoothed

SUFFIXES = (".svg", ".png", ".pdf")
#: Cells along the longer side of the picture.
_CELLS = 1200


def check_plot(path: str) -> None:
    """FollowspotError if the picture could not be drawn: said before the work, not after it."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise FollowspotError(f"--plot {path}: give a file that ends in {', '.join(SUFFIXES)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise FollowspotError("--plot needs matplotlib: pip install 'followspot[plot]'")


def plot(path: str, a: str, b: str, first: Features, second: Features, alignment: Alignment) -> None:
    """Draw into a file. Dark is alike, the path is the line. FollowspotError if it cannot be written."""
    from matplotlib.figure import Figure

    factor = max(1, -(-max(len(first.chroma), len(second.chroma)) // _CELLS))
    cost = cosine_distance(smoothed(first.chroma, factor), smoothed(second.chroma, factor))
    figure = Figure(figsize=(9, 8), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(
        cost.T,
        origin="lower",
        aspect="auto",
        cmap="gray",
        extent=(0, cost.shape[0] * factor / FRAMES, 0, cost.shape[1] * factor / FRAMES),
    )
    pairs = alignment.seconds()
    axes.plot(pairs[:, 0], pairs[:, 1], color="#d62728", linewidth=1.2)
    axes.set_xlabel(f"{Path(a).name}, s")
    axes.set_ylabel(f"{Path(b).name}, s")
    figure.colorbar(image, label="cost: 1 - cosine of the chroma")
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise FollowspotError(f"--plot {path}: cannot be written ({error.strerror})") from None
