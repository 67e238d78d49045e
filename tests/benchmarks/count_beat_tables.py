"""Count what the beat network says is worth: python -m tests.benchmarks.count_beat_tables NETWORK FOLDER...

NETWORK: the .npz that `train_beat_network` wrote. FOLDER...: songs of `make_beat_songs`; of those with drums
beside the mix the mean of both logits is counted, as `BeatActivation` says it. Writes
`nodes/rhythm/beat_network.npz`: the weights and the log likelihood ratios of the logits on the beat and half
way, against elsewhere.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from nodes.rhythm.beat_network import DELAY, FILE, read_weights
from nodes.rhythm.belief import TEMPO_BANDS
from nodes.rhythm.belief_kernels import TICKS
from nodes.rhythm.network_kernels import BANDS, CHANNELS, ROWS, TAPS, network_step

RATE, HOP = 44100, 512
REACH, BINS = 7, 23  # ticks around a beat; logits in steps of 0.5 from -9
START_UP = 1.5  # seconds that are not counted: nothing can be known yet


def logits(bands: np.ndarray, network: Path) -> np.ndarray:
    """(frames, 2): beat and downbeat logits."""
    weights = read_weights(network)
    out = np.zeros((len(bands) // 2 * 2, 2), np.float32)
    window, rows = np.zeros(4 * BANDS, np.float32), np.zeros((ROWS, CHANNELS), np.float32)
    count, scratch = np.zeros(1, np.int64), np.zeros((TAPS + 2) * CHANNELS, np.float32)
    answer = np.zeros(4, np.float32)
    for k in range(0, len(out), 2):
        window[2 * BANDS : 3 * BANDS], window[3 * BANDS :] = bands[k], bands[k + 1]
        network_step(*weights, window, rows, count, scratch, answer)
        out[k], out[k + 1] = answer[0::2], answer[1::2]
    return out


def binned(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round((values + 9.0) * 2.0), 0, BINS - 1).astype(int)


def count_beats(output: np.ndarray, beats: np.ndarray, counts: np.ndarray) -> None:
    """Add one song to `counts` (on, half way, elsewhere; tempo bands; ticks; logits)."""
    at = (beats * RATE / HOP + 1 + DELAY) * TICKS  # tick at which a beat shows
    if len(at) < 4:
        return
    tempo = np.searchsorted(TEMPO_BANDS, 60 / np.median(np.diff(beats)))
    tick = np.arange(len(output)) * TICKS
    after = np.searchsorted(at, tick)
    inside = (after > 0) & (after < len(at)) & (tick > TICKS * START_UP * RATE / HOP)
    tick, after, values = tick[inside], after[inside], binned(output[inside, 0])
    ahead, behind = at[after] - tick, at[after - 1] - tick
    nearest = np.where(-behind < ahead, behind, ahead)
    middle = (at[after] + at[after - 1]) / 2 - tick
    on = np.abs(nearest) <= REACH + 0.5
    half = (np.abs(middle) <= REACH + 0.5) & ~on
    for row, chosen, distance in ((0, on, nearest), (1, half, middle)):
        place = np.clip(np.round(distance[chosen]).astype(int) + REACH, 0, 2 * REACH)
        np.add.at(counts[row, tempo], (place, values[chosen]), 1.0)
    np.add.at(counts[2, tempo, 0], values[~on & ~half], 1.0)


def beat_table(counts: np.ndarray) -> np.ndarray:
    """(2, tempo bands, ticks, logits): log ratios to elsewhere, smoothed, shrunk towards all tempi."""
    counts = counts + 0.15 * counts.sum(axis=1, keepdims=True)
    counts[2] = counts[2].sum(axis=0)[None] / len(counts[2])  # one for all tempi, so that they compare fairly
    share = gaussian_filter(counts, (0, 0, 1.0, 1.0))
    share[2] = gaussian_filter(counts[2, 0, 0], 1.0)[None, None]
    share = share + 2e-4 * share.sum(axis=3, keepdims=True) + 1e-9
    share /= share.sum(axis=3, keepdims=True)
    table = np.log(share[:2] / share[2])
    table[..., 20:] = table[..., 20:21]  # too few logits beyond 1 to tell them apart
    return np.asarray(table, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    options = parser.parse_args()
    beat_counts = np.zeros((3, len(TEMPO_BANDS) + 1, 2 * REACH + 1, BINS))
    for folder in options.folders:
        for path in sorted(folder.glob("*.npz")):
            with np.load(path) as song:
                if "style" not in song or str(song["style"]) == "noise":
                    continue
                sounds = [song[name].astype(np.float32) for name in ("x", "drums") if name in song]
                beats = song["beats"]
            output = np.mean([logits(bands, options.network) for bands in sounds], axis=0)
            count_beats(output, beats[:, 0], beat_counts)
    with np.load(options.network) as file:
        weights = {name: file[name].astype(np.float32) for name in file.files if "table" not in name}
    np.savez(FILE, **weights, beat_table=beat_table(beat_counts))


if __name__ == "__main__":
    main()
