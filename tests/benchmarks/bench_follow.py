"""How well the score follower follows: python -m tests.benchmarks.bench_follow [--pianists N] [--only PART].

Parts: asap, vienna, bach10 (accuracy), fused (through recordings of others), symbolic (MIDI in), stress
(detuning, hall, noise, slips, tempo, gain, another piece), jumps (15 s skipped or played again, cold start),
cost. --seconds N takes the first N seconds of each performance only. Every position is the last one said at
or before the instant at which a beat sounds; nothing is excluded. "Next beat": the time of the next beat
foretold when a beat sounds, less when it sounded; "steady": where two successive beats differ by under 10 %.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import soundfile

from nodes.follow.bands import HOP, LONG, Bands, Ear
from nodes.follow.reference import COARSE_STEP, Reference, load_reference, reference_of_score
from nodes.follow.score import Score, load_score
from nodes.follow.symbolic import SymbolicTracker
from nodes.follow.tracker import Tracker
from tests.benchmarks import follow_data as data
from tests.benchmarks.follow_stress import hardships, notes_of

RATE = 44100
WITHIN = (25, 50, 100, 300, 500, 1000, 2000)  # ms


def hear(sound: np.ndarray, bands: Bands) -> list[np.ndarray]:
    """What the ear says per hop: flux, pitches, (power, level)."""
    ear = Ear(bands)
    padded = np.concatenate([np.zeros(LONG, np.float32), sound.astype(np.float32)])
    count = len(sound) // HOP
    flux = np.zeros((count, bands.shape[0]), np.float32)
    pitches = np.zeros((count, bands.shape[1]), np.float32)
    power = np.zeros((count, 2))
    for i in range(count):
        stop = LONG + (i + 1) * HOP
        ear.step(padded[stop - LONG : stop])
        flux[i], pitches[i], power[i] = ear.flux, ear.pitches, (ear.power, ear.level)
    return [flux, pitches, power]


def track(reference, heard) -> tuple[np.ndarray, np.ndarray]:
    """(position s, tempo) per hop, and the CPU seconds of each hop."""
    tracker = Tracker(reference, RATE)
    said, cost = np.zeros((len(heard[0]), 2)), np.zeros(len(heard[0]))
    for i, (flux, pitches, (power, level)) in enumerate(zip(*heard, strict=True)):
        begin = time.thread_time()
        tracker.step(flux, pitches, power, level)
        cost[i] = time.thread_time() - begin
        said[i] = tracker.position, tracker.tempo
    return said, cost


def performance_time(position: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """Time at which the performance is at `position`, by the true beats; slope 1 outside them."""
    inside = np.interp(position, beats[:, 0], beats[:, 1])
    return inside + np.minimum(position - beats[0, 0], 0) + np.maximum(position - beats[-1, 0], 0)


def errors_at_beats(said: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """ms: time of the position last said when beat k sounds, less the time of beat k."""
    row = np.clip((beats[:, 1] * RATE / HOP).astype(int) - 1, 0, len(said) - 1)
    return 1e3 * (performance_time(said[row, 0], beats) - beats[:, 1])


def errors_of_arrival(said: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """ms: when beat k was first reached for good, less when it sounds (the other direction)."""
    times = (np.arange(len(said)) + 1) * HOP / RATE
    first = [np.flatnonzero(said[:, 0] < position) for position in beats[:, 0]]
    reached = np.array([times[min(rows[-1] + 1, len(times) - 1)] if len(rows) else 0.0 for rows in first])
    return 1e3 * (reached - beats[:, 1])


def errors_of_the_next_beat(said: np.ndarray, beats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ms: time foretold for beat k + 1 when beat k sounds, less the true one; and where it is steady."""
    row = np.clip((beats[:, 1] * RATE / HOP).astype(int) - 1, 0, len(said) - 1)[:-1]
    speed = np.maximum(said[row, 1], 1e-3)
    told = (row + 1) * HOP / RATE + (beats[1:, 0] - said[row, 0]) / speed
    length = np.diff(beats[:, 1])
    steady = np.zeros(len(length), bool)
    steady[1:] = np.abs(np.log(length[1:] / length[:-1])) < 0.1
    return 1e3 * (told - beats[1:, 1]), steady


def row(errors: np.ndarray) -> dict[str, float]:
    """Median, bias and shares of a set of errors."""
    size = np.abs(errors)
    shares = {f"<= {w}": 100 * float(np.mean(size <= w)) for w in WITHIN}
    return {"median": float(np.median(size)), "bias": float(np.median(errors)), **shares}


def show(name: str, values: dict[str, float]) -> None:
    print(f"{name[:58]:58}" + "".join(f"{value:8.1f}" for value in values.values()), flush=True)


def accuracy(performances, bands: Bands, seconds: float) -> dict[str, dict[str, float]]:
    """One row per performance, then all beats together in both directions, and the next beat."""
    table, at_beats, arrival, following, steady = {}, [], [], [], []
    for performance in performances:
        sound, _ = soundfile.read(performance.audio, dtype="float32", frames=_frames(seconds))
        said, _ = track(load_reference(performance.score, bands), hear(sound, bands))
        beats = performance.beats[performance.beats[:, 1] < len(sound) / RATE]
        at_beats.append(errors_at_beats(said, beats))
        arrival.append(errors_of_arrival(said, beats))
        told, calm = errors_of_the_next_beat(said, beats)
        following.append(told)
        steady.append(told[calm])
        table[performance.name] = row(at_beats[-1])
        show(performance.name, table[performance.name])
    table["ALL, position at the beat"] = row(np.concatenate(at_beats))
    table["ALL, arrival at the beat"] = row(np.concatenate(arrival))
    table["ALL, next beat"] = row(np.concatenate(following))
    table["ALL, next beat where steady"] = row(np.concatenate(steady))
    for name in list(table)[-4:]:
        show(name, table[name])
    return table


def fused(performances, bands: Bands) -> dict[str, dict[str, float]]:
    """Every second pianist followed through the recording of another, and through three others fused."""
    table, errors = {}, {1: [], 3: []}
    pieces: dict[str, list] = {}
    for performance in performances:
        pieces.setdefault(performance.name[:-4], []).append(performance)
    for several in pieces.values():
        for k, performance in list(enumerate(several))[::2]:
            others = [several[(k + i) % len(several)] for i in (1, 2, 3)]
            heard = hear(soundfile.read(performance.audio, dtype="float32")[0], bands)
            beats = in_time_of(others[0], performance)
            for count in errors:
                names = "|".join(str(other.audio) for other in others[:count])
                said, _ = track(load_reference(names, bands), heard)
                errors[count].append(errors_at_beats(said, beats))
    for count, found in errors.items():
        name = f"ALL, through {count} recording{'s fused' if count > 1 else ''} ({len(found)} performances)"
        table[name] = row(np.concatenate(found))
        show(name, table[name])
    return table


def in_time_of(other, performance) -> np.ndarray:
    """(beats, 2): when the other performance sounds the beat, and when this one does."""
    there = np.interp(
        performance.beats[:, 0] / performance.firsts[-1, 0],
        other.beats[:, 0] / other.firsts[-1, 0],
        other.beats[:, 1],
    )
    rising = np.concatenate([[True], np.diff(np.maximum.accumulate(there)) > 0])
    return np.stack([there, performance.beats[:, 1]], axis=1)[rising]


def _frames(seconds: float) -> int:
    return int(min(seconds, 36000.0) * RATE)


def symbolic(performances) -> dict[str, dict[str, float]]:
    """Each onset of the score: when the MIDI follower first said it was played, less its first note."""
    table, found = {}, []
    for performance in performances:
        tracker = SymbolicTracker(load_score(performance.score))
        reached = np.full(len(tracker.onset), 1e3)
        begin, count = time.thread_time(), 0
        for onset, _, pitch, _ in notes_of(performance.midi):
            tracker.note(onset, pitch)
            here = int(np.searchsorted(tracker.onset, tracker.position + 1e-6)) - 1
            reached[: here + 1] = np.minimum(reached[: here + 1], onset)
            count += 1
        spent = 1e3 * (time.thread_time() - begin) / count
        truth = performance.firsts if performance.firsts is not None else performance.beats
        nearest = np.abs(tracker.onset[:, None] - truth[:, 0]).argmin(axis=0)
        known = np.abs(tracker.onset[nearest] - truth[:, 0]) < 0.02
        found.append(1e3 * (reached[nearest] - truth[:, 1])[known])
        table[performance.name] = row(found[-1]) | {"ms a note": spent}
        show(performance.name, table[performance.name])
    table["ALL, onset reached"] = row(np.concatenate(found))
    show("ALL, onset reached", table["ALL, onset reached"])
    return table


def stress(performances, bands: Bands, seconds: float) -> dict[str, dict[str, float]]:
    """The same performances made harder, and the share of frames that say `lost` in another piece."""
    found: dict[str, list[np.ndarray]] = {}
    for performance in performances:
        reference = load_reference(performance.score, bands)
        for what, sound, changed in hardships(performance, performance.midi, min(seconds, 60.0)):
            said, _ = track(reference, hear(sound, bands))
            beats = changed.beats[changed.beats[:, 1] < len(sound) / RATE]
            found.setdefault(what, []).append(errors_at_beats(said, beats))
    table = {what: row(np.concatenate(errors)) for what, errors in found.items()}
    for what, values in table.items():
        show(what, values)
    lost = []
    for performance, other in zip(performances, performances[1:] + performances[:1], strict=True):
        sound, _ = soundfile.read(other.audio, dtype="float32", frames=_frames(min(seconds, 60.0)))
        tracker = Tracker(load_reference(performance.score, bands), RATE)
        states = []
        for flux, pitches, (power, level) in zip(*hear(sound, bands), strict=True):
            tracker.step(flux, pitches, power, level)
            states.append(tracker.state)
        lost.append(100.0 * np.mean(np.array(states[len(states) // 6 :]) == "lost"))
    table["another piece"] = {"% lost": float(np.mean(lost)), "least % lost": float(np.min(lost))}
    show("another piece: % of frames lost, least", table["another piece"])
    return table


def relock(wrong: np.ndarray) -> float:
    """Seconds from which nothing is wrong any more; inf if not for 3 s. By hops."""
    last = np.flatnonzero(wrong)
    if len(last) == 0:
        return 0.0
    return float("inf") if last[-1] > len(wrong) - 3 * RATE / HOP else (last[-1] + 1) * HOP / RATE


def sounds_the_same(reference: Reference, here: float, there: float) -> bool:
    """Whether the score is the same for 3 s round two of its places (s), give or take half a second.

    The mean cosine of its coarse chroma is above 0.95: a repeat that is written out, or taken.
    """
    cells = reference.coarse.shape[1]
    first, second = (
        round((np.interp(place, reference.seconds, reference.time) - reference.time[0]) / COARSE_STEP)
        for place in (here, there)
    )
    reach, slack = round(1.5 / COARSE_STEP), round(0.5 / COARSE_STEP)
    if not reach <= first < cells - reach:
        return False
    own = reference.coarse[:, first - reach : first + reach]
    starts = range(max(second - slack - reach, 0), min(second + slack - reach, cells - 2 * reach) + 1)
    return any(float((own * reference.coarse[:, k : k + 2 * reach]).sum(0).mean()) > 0.95 for k in starts)


def jumps(performances, bands: Bands) -> dict[str, dict[str, float]]:
    """At 40 % of the performance 15 s are skipped or played again; and three starts in the middle.

    Seconds until the position is within 1 s of the truth and stays so. Nothing tells one time of a repeat
    from another: rows called "the same" count a place where the score is the same as right (every 0.1 s).
    """
    found: dict[str, list[float]] = {}
    hops, after = int(15 * RATE / HOP), int(40 * RATE / HOP)
    for k, performance in enumerate(performances):
        sound, _ = soundfile.read(performance.audio, dtype="float32")
        reference = load_reference(performance.score, bands)
        # Where the performer is after the last beat is not known.
        count = min(len(sound), int(performance.beats[-1, 1] * RATE)) // HOP
        cut = int(0.4 * count)
        plans = [
            ("skip 15 s", cut, [*range(cut), *range(cut + hops, min(count, cut + hops + after))]),
            ("repeat 15 s", cut, [*range(cut), *range(cut - hops, min(count, cut - hops + after))]),
        ]
        for third in range(3):
            cold = int((0.2 + 0.6 * ((0.37 * k + third / 3) % 1)) * count)
            plans.append(("cold start", 0, [*range(cold, min(count, cold + after))]))
        for kind, start, order in plans:
            if min(order) < 0 or len(order) - start < 8 * RATE / HOP:
                continue
            rows = np.array(order)
            cut_sound = sound[: count * HOP].reshape(count, HOP)[rows].ravel()
            said, _ = track(reference, hear(cut_sound, bands))
            true = np.interp((rows + 1) * HOP / RATE, performance.beats[:, 1], performance.beats[:, 0])
            wrong = np.abs(said[start:, 0] - true[start:]) >= 1.0
            found.setdefault(kind, []).append(relock(wrong))
            each = round(0.1 * RATE / HOP)
            for i in range(0, len(wrong), each):
                if wrong[i : i + each].any():
                    same = sounds_the_same(reference, true[start + i], said[start + i, 0])
                    wrong[i : i + each] &= not same
            found.setdefault(f"{kind}, or the same", []).append(relock(wrong))
    table = {}
    for kind, seconds in found.items():
        never = float(np.isinf(seconds).sum())
        table[kind] = {"median s": float(np.median(seconds)), "never": never, "of": float(len(seconds))}
        show(kind, table[kind])
    return table


def cost(performances, bands: Bands) -> dict[str, dict[str, float]]:
    """CPU time of a hop in the tracker, ms, and memory, for references of 10 and 60 minutes."""
    sound, _ = soundfile.read(performances[0].audio, dtype="float32")
    heard = hear(sound[: 90 * RATE], bands)
    ear = Ear(bands)
    begin = time.thread_time()
    for i in range(2000):
        ear.step(sound[i * HOP : i * HOP + LONG])
    table = {"ear": {"mean ms": 1e3 * (time.thread_time() - begin) / 2000}}
    show("ear", table["ear"])
    score = load_reference(performances[0].score, bands).score
    for minutes in (10, 60):
        reference = reference_of_score(_repeated(score, 60.0 * minutes), bands)
        _, spent = track(reference, heard)
        p50, p95, p99 = 1e3 * np.percentile(spent[100:], [50, 95, 99])
        table[f"{minutes} min"] = {"p50": p50, "p95": p95, "p99": p99, "MB": reference.bytes / 1e6}
        show(f"{minutes}-minute reference: p50 p95 p99 ms, MB", table[f"{minutes} min"])
    return table


def _repeated(score: Score, seconds: float) -> Score:
    """The score over and over, a semitone higher or lower each time, until it is so long."""
    length = float(score.end.max())
    turns = int(np.ceil(seconds / length))
    return Score(
        np.concatenate([score.onset + turn * length for turn in range(turns)]),
        np.concatenate([score.end + turn * length for turn in range(turns)]),
        np.concatenate([np.clip(score.pitch + turn % 5 - 2 * (turn > 0), 21, 108) for turn in range(turns)]),
        score.knots,
        score.bars,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pianists", type=int, default=2, help="per (n)ASAP piece")
    parser.add_argument(
        "--only", choices=["asap", "vienna", "bach10", "fused", "symbolic", "stress", "jumps", "cost"]
    )
    parser.add_argument("--seconds", type=float, default=1e9, help="of each performance")
    args = parser.parse_args()
    bands = Bands(RATE)
    parts = {
        "bach10": lambda: accuracy(data.bach10(), bands, args.seconds),
        "vienna": lambda: accuracy(data.vienna(), bands, args.seconds),
        "asap": lambda: accuracy(data.asap(args.pianists), bands, args.seconds),
        "fused": lambda: fused(data.vienna(), bands),
        "symbolic": lambda: symbolic(data.vienna()),
        "stress": lambda: stress([*data.vienna()[::8], *data.asap(1)[::4]], bands, args.seconds),
        "jumps": lambda: jumps([*data.vienna()[::2], *data.asap(1)], bands),
        "cost": lambda: cost(data.asap(1), bands),
    }
    out = data.BUILD.parent / "follow.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    results = json.loads(out.read_text()) if out.exists() else {}
    for name, part in parts.items():
        if args.only in (None, name):
            columns = ["median", "bias", *(f"<={w}" for w in WITHIN)]
            print(f"\n{name:58}" + "".join(f"{c:>8}" for c in columns))
            results[name] = part()
            out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
