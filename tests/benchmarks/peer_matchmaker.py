"""Matchmaker 0.3 (its default audio method, Arzt on chroma) on the sound and truth of `bench_follow`.

It pins numpy < 2, so it runs in an environment of its own:

    python -m tests.benchmarks.peer_matchmaker list > PAIRS.json         # with Followspot's Python
    PEER/bin/python tests/benchmarks/peer_matchmaker.py run PAIRS.json   # with Matchmaker's

The score is rendered with another sound font than the performance. Chroma is computed for the whole file at
once, so its tuning is known beforehand, which is in the peer's favour. Two rows: positions when they are said
(window complete), and, in the peer's favour again, dated back to the middle of the window.
"""

from __future__ import annotations

import json
import sys

import numpy as np

WITHIN = (25, 50, 100, 300, 500, 1000, 2000)  # ms


def pairs(pieces: int) -> list[dict[str, object]]:
    """Reference sound, performance sound and (reference s, performance s) of chorales and some pieces."""
    from tests.benchmarks import follow_data as data

    found = []
    for performance in [*data.bach10(), *data.asap(1)[:pieces]]:
        reference = data.render(performance.score, f"{performance.name}-score", 2)
        found.append(
            {
                "name": performance.name,
                "reference": str(reference.resolve()),
                "audio": str(performance.audio.resolve()),
                "beats": performance.beats.tolist(),
            }
        )
    return found


def follow(pair: dict[str, object]) -> tuple[np.ndarray, np.ndarray]:
    """ms at each beat: said live, and dated back to the middle of the window."""
    import librosa
    from matchmaker.dp.oltw_arzt import OnlineTimeWarpingArztFrame
    from matchmaker.features.audio import FRAME_RATE, HOP_LENGTH, SAMPLE_RATE, ChromagramProcessor

    processor = ChromagramProcessor()
    sounds = [librosa.load(str(pair[what]), sr=SAMPLE_RATE)[0] for what in ("reference", "audio")]
    reference, heard = (processor((sound, 0.0))[0] for sound in sounds)
    middle = (np.arange(len(reference)) + 1) * HOP_LENGTH / SAMPLE_RATE
    follower = OnlineTimeWarpingArztFrame(
        reference_features=reference,
        score_positions=middle,
        ref_frame_to_beat=middle,
        frame_rate=FRAME_RATE,
    )
    said = np.array([follower(frame[None], k / FRAME_RATE) for k, frame in enumerate(heard)])
    beats = np.array(pair["beats"])
    errors = []
    for delay in (2, 1):  # hops from the start of a window to its end, and to its middle
        row = np.clip((beats[:, 1] * SAMPLE_RATE / HOP_LENGTH).astype(int) - delay, 0, len(said) - 1)
        place = said[row]
        time = np.interp(place, beats[:, 0], beats[:, 1])
        time += np.minimum(place - beats[0, 0], 0) + np.maximum(place - beats[-1, 0], 0)
        errors.append(1e3 * (time - beats[:, 1]))
    return errors[0], errors[1]


def show(name: str, errors: np.ndarray) -> None:
    size = np.abs(errors)
    shares = "".join(f"{100 * np.mean(size <= within):8.1f}" for within in WITHIN)
    print(f"{name[:58]:58}{np.median(size):8.1f}{np.median(errors):8.1f}{shares}", flush=True)


def main() -> None:
    if sys.argv[1] == "list":
        print(json.dumps(pairs(int(sys.argv[2]) if len(sys.argv) > 2 else 3)))
        return
    sys.modules["fluidsynth"] = None  # type: ignore[assignment]  # or partitura reaches for the network
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    with open(sys.argv[2], encoding="utf-8") as file:
        listed = json.load(file)
    for pair in listed:
        errors = follow(pair)
        found.setdefault(str(pair["name"]).partition("-")[0], []).append(errors)
        show(str(pair["name"]), errors[0])
    for group, errors_of in found.items():
        for k, what in enumerate(("when said", "dated back to the middle of the window")):
            show(f"ALL {group}, {what}", np.concatenate([errors[k] for errors in errors_of]))


if __name__ == "__main__":
    main()
