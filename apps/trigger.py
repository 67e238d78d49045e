"""Turn what is played into notes: drums, one voice, or a piano.

    followspot trigger take.wav --preset drums --events take.jsonl --midi take.mid
    followspot trigger mic --preset mono                 plays a MIDI port, until Ctrl-C
    followspot trigger --preset drums --learn kick       then play the pad that kick shall play
    followspot trigger --preset drums --takes kick=kick.wav snare=snare.wav hihat=hat.wav --kit mine.toml
    followspot trigger mic --preset mine.toml            drums named by how yours sound

Every line of --events is a note: time (where it began) and emitted (when it was said) in seconds, pitch
(MIDI), velocity, label. A later line with the same key puts an earlier one right (a drum's class). `note_end`
tells where a note ends. What was learnt is kept in the user's own folder.
"""

from __future__ import annotations

import argparse
import contextlib
import queue
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from apps import config
from apps.drum_kit import learn_kit
from apps.live import is_file, run_live
from apps.midi_listener import MidiListener
from apps.offline import event_lines, run_file
from apps.terminal import duration, note
from engine.errors import FollowspotError
from engine.events import Event
from engine.formats import EventsFormat
from engine.params import params_of
from engine.preset import Preset, PresetSource
from nodes.outputs.midi_file import MidiFile
from nodes.outputs.midi_port import open_inputs

PRESETS = ("drums", "drums_in_mix", "mono", "piano")
SAID = ("note", "note_end")
NOTES = "notes.toml"  # what was learnt, by preset: "node.param" = note


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", nargs="?", metavar="FILE|mic|NAME",
        help="a sound file, `mic`, or a part of the name of an input device",
    )  # fmt: skip
    parser.add_argument(
        "--preset", default="drums", help=f"{', '.join(PRESETS)}, or a preset file (default: %(default)s)"
    )
    parser.add_argument("--events", metavar="OUT.jsonl", help="write the notes as JSON lines; `-` for stdout")
    parser.add_argument("--midi", metavar="OUT.mid", help="write a file's notes as a MIDI file")
    parser.add_argument("--learn", metavar="LABEL", help="give the next MIDI pad that is played to this drum")
    parser.add_argument(
        "--takes", metavar="NAME=FILE", nargs="+", help="takes of each drum of your kit alone, for --kit"
    )
    parser.add_argument("--kit", metavar="OUT.toml", help="write what was learnt from --takes as a preset")
    parser.add_argument(
        "--set", metavar="NODE.PARAM=VALUE", action="append", default=[], dest="overrides",
        help="change a parameter of the preset; may be given several times",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    source = preset_source(args.preset, args.overrides)
    preset = source.load()
    if args.learn:
        learn(preset, args.learn)
        return
    if args.takes or args.kit:
        if not (args.takes and args.kit):
            raise FollowspotError("--takes NAME=FILE ... and --kit OUT.toml go together")
        learn_kit(preset, source.preset, args.takes, args.kit)
        return
    if args.input is None:
        raise FollowspotError("give a sound file, `mic`, or a part of the name of an input device")
    if is_file(args.input):
        run_on_file(preset, args.input, args.events, args.midi)
        return
    if args.midi:
        raise FollowspotError("--midi is for files; live, add a sink of type midi_file to the preset")
    run_live(source, events=args.events, device=args.input)


def preset_source(name: str, overrides: list[str]) -> PresetSource:
    """The preset by its short name or file, with the notes that this user has taught it."""
    full = f"trigger_{name}" if name in PRESETS else name
    preset = PresetSource(full, tuple(overrides)).load()
    learnt = [
        f"{target}={value}"
        for target, value in config.read(NOTES).get(preset.name, {}).items()
        if target.partition(".")[0] in preset.nodes
    ]
    return PresetSource(full, (*learnt, *overrides))


def run_on_file(preset: Preset, path: str, events: str | None, midi: str | None) -> None:
    """A file as fast as it goes."""
    counts: dict[str, int] = {}
    with contextlib.ExitStack() as outputs:
        line = outputs.enter_context(event_lines(events, preset.rate)) if events is not None else None
        play = outputs.enter_context(midi_notes(midi, preset)) if midi is not None else None

        def listener(event: Event) -> None:
            counts[event.kind] = counts.get(event.kind, 0) + (event.revision == 0)
            if line is not None and event.kind in SAID:
                line(event)
            if play is not None:
                play(event)

        seconds, spent = run_file(without_sinks(preset), path, listener, progress=events != "-")
    note(
        f"{counts.get('note', 0)} notes in {duration(seconds)}; "
        f"{seconds / spent:.0f} times as fast as real time"
    )


def without_sinks(preset: Preset) -> Preset:
    """The preset for a file: nothing goes to the outputs of a show."""
    wires = [(output, target) for output, target in preset.wires if target.partition(".")[0] in preset.nodes]
    return replace(preset, sinks={}, wires=tuple(wires))


@contextlib.contextmanager
def midi_notes(path: str, preset: Preset) -> Iterator[Callable[[Event], None]]:
    """Writes notes to a MIDI file, by the channel, mapping and length of the preset's MIDI sink."""
    values: dict[str, Any] = {"notes": "note -> pitch", "channel": 1, "length_ms": 0.0}
    for kind, given in preset.sinks.values():
        if kind.__name__ == "MidiNotes":
            values = {name: given.get(name, params_of(kind)[name].default) for name in values}
    sink = MidiFile(path=path, **values)
    sink.id, sink.rate = "midi", preset.rate
    sink.open({"notes": EventsFormat(preset.rate)})
    try:
        yield lambda event: sink.send_event(event, 0, 1)
    finally:
        sink.close()


def learn(preset: Preset, label: str) -> None:
    """Wait for a MIDI note and keep it as the note of a drum."""
    target = _note_parameter(preset, label)
    played: queue.SimpleQueue[int] = queue.SimpleQueue()

    def hear(message: list[int], _: float) -> None:
        if len(message) == 3 and message[0] & 0xF0 == 0x90 and message[2] > 0:
            played.put(message[1])

    inputs = open_inputs("followspot trigger")
    if not inputs:
        raise FollowspotError("there is no MIDI input: plug the pads in, or start their program")
    listener = MidiListener(inputs, hear)
    try:
        note(f"play the pad that {label} shall play")
        try:
            pitch = played.get(timeout=60.0)
        except queue.Empty:
            raise FollowspotError("no pad was played in 60 s; is it plugged in?") from None
    finally:
        listener.close()
    tables = config.read(NOTES)
    tables.setdefault(preset.name, {})[target] = pitch
    path = config.write(NOTES, tables)
    print(f"{label} plays note {pitch}", flush=True)
    note(f"kept in {path}")


def _note_parameter(preset: Preset, label: str) -> str:
    """The "node.param" that holds the note of a drum."""
    for id, (kind, _) in preset.nodes.items():
        param = params_of(kind).get(label)
        if param is not None and param.kind is int and param.high == 127:
            return f"{id}.{label}"
    raise FollowspotError(f"--learn {label}: preset {preset.name!r} has no drum of that name")
