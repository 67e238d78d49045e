"""How far the accompaniment is from the soloist: chorales whose four players were recorded apart.

Each player in turn is the soloist, heard alone; the other three parts are played by `followspot accompany`,
causally. Truth: when the soloist's own notes sound, straight lines between. Error: time of a note of the
accompaniment less the soloist's time at its place in the score; all notes between the soloist's first and
last. Beside it the same for the real players of the other parts, so that one sees what people do.

    python -m tests.benchmarks.bench_accompany [--pieces N]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from apps.cli import main as followspot
from tests.benchmarks.follow_data import DATA, ROOT

PLAYERS = ("violin", "clarinet", "saxophone", "bassoon")
OUT = ROOT / "build" / "benchmarks" / "accompany.json"


def played(folder: Path, part: int) -> list[tuple[float, float]]:
    """(place in the score s, time it was said to sound s) of every note of the accompaniment."""
    with tempfile.TemporaryDirectory() as temporary:
        events = Path(temporary, "events.jsonl")
        sound = folder / f"{PLAYERS[part - 1]}.flac"
        command = ["accompany", str(folder / "score.mid"), "--solo", str(part), "--input", str(sound)]
        assert followspot([*command, "--events", str(events)]) == 0
        said: dict[int, tuple[float, float]] = {}
        for line in events.read_text().splitlines():
            event = json.loads(line)
            if event["kind"] == "note":
                said[event["key"]] = event["beat"], event["time"]  # the last word counts
    return sorted(said.values())


def figures(errors: np.ndarray) -> dict[str, float]:
    """Of errors in seconds: milliseconds and percentages."""
    size = np.abs(errors) * 1000
    return {
        "notes": len(errors),
        "bias_ms": round(float(np.median(errors)) * 1000, 1),
        "median_ms": round(float(np.median(size)), 1),
        **{
            f"within_{limit}": round(float(100 * np.mean(size <= limit)), 1) for limit in (50, 100, 200, 1000)
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pieces", type=int, default=5)
    args = parser.parse_args()
    rows, machine, people = [], [], []
    for folder in sorted((DATA / "bach10").iterdir())[: args.pieces]:
        notes = np.loadtxt(folder / "notes.txt")
        for part, player in enumerate(PLAYERS, 1):
            own = notes[notes[:, 3] == part]
            score, first = np.unique(own[:, 1] / 1000, return_index=True)
            times = own[first, 0] / 1000
            said = np.array([pair for pair in played(folder, part) if score[0] <= pair[0] <= score[-1]])
            errors = said[:, 1] - np.interp(said[:, 0], score, times)
            others = notes[(notes[:, 3] != part) & (notes[:, 1] / 1000 <= score[-1])]
            real = others[:, 0] / 1000 - np.interp(others[:, 1] / 1000, score, times)
            machine.append(errors)
            people.append(real)
            rows.append({"piece": folder.name, "solo": player, **figures(errors)})
            print(f"{folder.name[:24]:24} {player:10}", figures(errors), flush=True)
    total = {"accompanist": figures(np.concatenate(machine)), "players": figures(np.concatenate(people))}
    for name, row in total.items():
        print(f"{name:12}", row)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"rows": rows, "total": total}, indent=1))


if __name__ == "__main__":
    main()
