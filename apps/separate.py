"""Take a song apart: drums, vocals, bass and the rest, each as a WAV file.

The files have the input's rate, channels and length, lie exactly under it, and add up to it. What is in them
is what a live run would have put out, so the latency that is told is what a live run would take. With a kit
of `followspot sound-check` the stems are its parts. With the score of what is played, the stems are the
score's parts (the first six; `rest` holds what is beyond them, and what no note explains): the score is
followed as in a live run, and the file may begin before the music does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from time import perf_counter

import numpy as np
import soundfile

from apps.offline import bar
from apps.terminal import duration, milliseconds, note
from engine.audio.files import AudioFile
from engine.errors import FollowspotError
from engine.graph import Graph
from engine.node import Node
from engine.plan import Plan, compile_graph
from engine.runner import Runner
from nodes.follow.follower import ScoreFollower
from nodes.follow.score import load_score
from nodes.separate.kit import Kit
from nodes.separate.masked import MODES, framing_of
from nodes.separate.score_masked import SCORE_MODES, score_framing
from nodes.separate.score_separate import ScoreSeparate
from nodes.separate.separate import Separate
from nodes.separate.sound_check import SoundCheck

STEMS = tuple(Separate.outputs)
Writers = dict[str, soundfile.SoundFile]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="FILE", help="a sound file of any rate, mono or stereo")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="folder for the stems")
    parser.add_argument(
        "--mode",
        choices=tuple(MODES),
        help="milliseconds from sound to stem in a live run: stage 23, studio 46 (the default), quality 93",
    )
    by = parser.add_mutually_exclusive_group()
    by.add_argument("--kit", metavar="KIT.npz", help="take it apart by the parts of this kit")
    by.add_argument(
        "--score",
        metavar="SCORE",
        help="take it apart by the parts of this score; studio or quality (the default)",
    )
    parser.add_argument("--json", action="store_true", help="say what was done as one JSON object")


def run(args: argparse.Namespace) -> None:
    rate, channels = _properties(args.input)
    node, mode, ports = _by_score(args.mode, args.score) if args.score else _node(args.mode, args.kit)
    folder = Path(args.output)
    _spare_the_input(args.input, folder, ports)
    hop = score_framing(mode, rate)[1] if args.score else framing_of(mode, rate)[1]
    file = AudioFile(args.input, rate, hop, tuple(range(1, channels + 1)))
    graph = Graph(rate=rate, quantum=hop, channels=channels)
    graph.add("separate", node).connect("input", "separate.audio")
    if args.score:
        graph.add("follower", ScoreFollower(reference=args.score)).connect("input", "follower.audio")
        graph.connect("follower.position", "separate.position")
    plan = compile_graph(graph)
    begun = perf_counter()
    with _writers(folder, ports, rate, channels) as writers, bar(file.seconds, rate) as moved:
        _run(plan, file, writers, moved)
    spent = perf_counter() - begun
    latency = (plan.formats["separate.rest"].latency + hop) / rate
    if args.json:
        said = {
            "mode": mode,
            "latency_ms": round(1000 * latency, 2),
            "rate": rate,
            "channels": channels,
            "seconds": round(file.seconds, 3),
            "real_time_factor": round(spent / file.seconds, 4),
            "stems": {stem: str(folder / f"{stem}.wav") for stem in ports},
        }
        print(json.dumps(said), flush=True)
        return
    print(f"latency {milliseconds(latency)} ({mode}); the files are aligned to the input", flush=True)
    note(
        f"{', '.join(ports)} of {duration(file.seconds)} in {args.output}; "
        f"{file.seconds / spent:.0f} times as fast as real time"
    )


def _node(mode: str | None, path: str | None) -> tuple[Node, str, dict[str, str]]:
    """The node that takes apart, its mode, and the port of each stem."""
    if path is None:
        mode = mode or "studio"
        return Separate(mode=mode), mode, {stem: stem for stem in STEMS}
    kit = Kit.load(path)
    if mode not in (None, kit.mode):
        raise FollowspotError(f"kit {path}: is of mode {kit.mode}; leave --mode out, or learn it for {mode}")
    ports = ("one", "two", "three")[: len(kit.parts) - 1]
    names = [part.name for part in kit.parts]
    return SoundCheck(kit=path), kit.mode, dict(zip(names, (*ports, "rest"), strict=True))


def _by_score(mode: str | None, path: str) -> tuple[Node, str, dict[str, str]]:
    """The same for the parts of a score; their files are numbered, since two may have one name."""
    mode = mode or "quality"
    if mode not in SCORE_MODES:
        raise FollowspotError(f"--mode {mode}: with a score it is one of {', '.join(SCORE_MODES)}")
    names = load_score(path).parts
    ports = tuple(ScoreSeparate.outputs)
    stems = [f"{number}-" + re.sub(r"[^\w-]+", "_", name) for number, name in enumerate(names, 1)]
    given = dict(zip(stems, ports[:-1], strict=False))
    return ScoreSeparate(reference=path, mode=mode), mode, {**given, "rest": "rest"}


def _properties(path: str) -> tuple[int, int]:
    """Rate and channels of a file; faults as `AudioFile` tells them."""
    file = AudioFile(path, 44100, 512)
    file.close()
    info = soundfile.info(path)
    return info.samplerate, info.channels


def _spare_the_input(path: str, folder: Path, stems: Iterable[str]) -> None:
    """A stem must not overwrite what it is made of."""
    for stem in stems:
        if (folder / f"{stem}.wav").resolve() == Path(path).resolve():
            raise FollowspotError(f"-o {folder}: {stem}.wav there is the input; choose another folder")


def _run(plan: Plan, file: AudioFile, writers: Writers, moved: Callable[[int], None] | None) -> None:
    """Put the file through, and silence behind it, so that the last sound comes out, too."""
    runner = Runner(plan, strict=True)
    latency = plan.formats["separate.rest"].latency
    silence = np.zeros(plan.input.shape, np.float32)
    left = file.samples

    def tick(block: np.ndarray) -> None:
        nonlocal left
        runner.tick(block)
        first = max(0, latency - (runner.position - plan.quantum))
        count = max(0, min(plan.quantum - first, left))
        left -= count
        for port, writer in writers.items():
            writer.write(plan.streams[f"separate.{port}"][:, first : first + count].T)
        if moved is not None:
            moved(min(runner.position, file.samples))

    try:
        for block in file.blocks():
            tick(block)
    finally:  # a file that breaks off gives what came before
        written = file.samples - left
        left = min(left, runner.position - written)
        for _ in range(-(-latency // plan.quantum)):
            tick(silence)


@contextlib.contextmanager
def _writers(folder: Path, ports: Mapping[str, str], rate: int, channels: int) -> Iterator[Writers]:
    """One open WAV file (32-bit float) per stem, by the stem's port."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as files:
            yield {
                port: files.enter_context(
                    soundfile.SoundFile(folder / f"{stem}.wav", "w", rate, channels, "FLOAT", format="WAV")
                )
                for stem, port in ports.items()
            }
    except OSError as error:
        raise FollowspotError(f"-o {folder}: cannot be written ({error.strerror})") from None
    except soundfile.LibsndfileError as error:
        raise FollowspotError(f"-o {folder}: cannot be written ({error.error_string})") from None
