"""Play the other parts of a score in time with a soloist.

The soloist is followed through the part that --solo names (a part of its name, or its number); all other
parts are played as MIDI, to a port live, to a file with --out, or through the sound card with --sound. Live
sound runs until Ctrl-C; a file runs as fast as the machine can if only --out is given.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from apps import run as run_verb
from apps.controls import LISTEN
from apps.live import is_file
from apps.score_parts import choose, load_parts, write_midi
from apps.terminal import note
from engine.errors import FollowspotError
from nodes.outputs.fluid_synth import PREFIX, FluidSynth

#: ms that FluidSynth and the sound server take.
SYNTH_LATENCY = 20.0

_PRESET = """
preset = 1
name = "accompany"
wires = ["input -> follower", "follower.position -> accompanist"]
[nodes.follower]
type = "score_follower"
[nodes.accompanist]
type = "accompanist"
"""
_SINK = """
[sinks.{id}]
type = "{kind}"
from = ["accompanist.notes"]
notes = "note -> pitch"
channel = {channel}
length_ms = 0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("score", metavar="SCORE", help="MusicXML, .mxl or MIDI with at least two parts")
    parser.add_argument("--solo", metavar="PART", required=True, help="the part that is followed, not played")
    parser.add_argument(
        "--input",
        metavar="FILE|mic|NAME",
        default="mic",
        help="the soloist: a sound file, `mic`, or a part of the name of an input device",
    )
    parser.add_argument("--port", metavar="NAME", help="MIDI port to play to (default: one of our own)")
    parser.add_argument(
        "--sound",
        metavar="FONT.sf2",
        nargs="?",
        const="",
        help="play through the sound card with FluidSynth instead; without FONT with the system's sound font",
    )
    parser.add_argument("--channel", metavar="1..16", type=int, default=1, help="MIDI channel (default: 1)")
    parser.add_argument("--out", metavar="FILE.mid", help="keep what is played as a MIDI file")
    parser.add_argument(
        "--latency",
        metavar="MS",
        type=float,
        help="what the synthesiser takes; played earlier by (default: 0; with --sound 20)",
    )
    parser.add_argument("--realtime", action="store_true", help="a file at its own pace, to the MIDI port")
    parser.add_argument("--events", metavar="OUT.jsonl", help="every event as a line of JSON; `-` for stdout")
    parser.set_defaults(
        plugins=[], record=None, listen=LISTEN, view=False, bind=None, token=None, tui=False, front=None
    )


def run(args: argparse.Namespace) -> None:
    score = Path(args.score)
    if not score.is_file():
        raise FollowspotError(f"score {args.score}: there is no such file; check the path")
    if not 1 <= args.channel <= 16:
        raise FollowspotError(f"--channel {args.channel}: give 1 to 16")
    file = is_file(args.input)
    args.offline = file and not args.realtime
    if args.sound is not None and (args.port or args.offline):
        raise FollowspotError(
            "--sound plays live or with --realtime, and in place of a --port; leave one out"
        )
    if args.offline and not (args.out or args.events):
        raise FollowspotError("a file: add --out FILE.mid, or --realtime to play to a MIDI port")
    if args.realtime and not file:
        raise FollowspotError("--realtime is for files: give one with --input FILE")
    port, latency = args.port or "", 0.0
    if args.sound is not None:
        port, latency = PREFIX + args.sound, SYNTH_LATENCY
        FluidSynth(args.sound).close()  # what is missing is said before anything starts
    if args.latency is not None:
        latency = args.latency
    solo, others = choose(load_parts(score), args.solo, score)
    note(f"following {solo.name}: {len(solo.notes)} notes; playing {len(others)} notes of the other parts")
    with tempfile.TemporaryDirectory() as folder:
        write_midi(solo.notes, Path(folder, "solo.mid"))
        write_midi(others, Path(folder, "parts.mid"))
        preset = Path(folder, "accompany.toml")
        preset.write_text(_preset(args))
        args.preset = str(preset)
        args.overrides = [
            f"follower.reference={folder}/solo.mid",
            f"accompanist.solo={folder}/solo.mid",
            f"accompanist.parts={folder}/parts.mid",
            *([f"file.path={args.out}"] if args.out else []),
            *([] if args.offline else [f"midi.port={port}", f"midi.latency_ms={latency}"]),
        ]
        run_verb.run(args)


def _preset(args: argparse.Namespace) -> str:
    """With the outputs that are wanted."""
    text = _PRESET
    if not args.offline:
        text += _SINK.format(id="midi", kind="midi_notes", channel=args.channel)
    if args.out:
        text += _SINK.format(id="file", kind="midi_file", channel=args.channel)
    return text
