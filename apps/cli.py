"""The command line: one verb per job, each in a module of its own, imported when it is asked for.

Exit status: 0 when the job is done, 2 when a file, preset, device or argument is bad (one line on stderr
says which and how to mend it), 1 for a fault of Followspot itself, 130 after Ctrl-C. Results go to
stdout, one flushed line at a time; progress and remarks go to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from typing import NoReturn

from engine.errors import FollowspotError, suggestion

#: Verb -> one line of help. The verb `new-node` lives in `apps/new_node.py`: `add_arguments(parser)` declares
#: its arguments, `run(args)` does the job and returns the exit status (None is 0).
VERBS = {
    "demo": "play a short piece that Followspot makes itself and show its beats; needs no hardware",
    "beats": "beats of a file or of live sound",
    "run": "run a preset on a file or on live sound",
    "follow": "where in a score, or in another recording, the performer is",
    "sync": "align two versions of a piece: which second of one is which second of the other",
    "switcher": "hear recordings of a piece side by side: switch to the same place in another one",
    "accompany": "play the other parts of a score in time with a soloist",
    "library": "keep a library of references for `identify`: add, list, remove, info, verify, search",
    "identify": "what is being played, and where in it",
    "separate": "take a song apart: drums, vocals, bass and the rest as WAV files",
    "sound-check": "learn a kit from takes of each part alone, for `separate --kit`",
    "mosaic": "play one recording with the sounds of another",
    "trigger": "notes of drums, of one voice or of a piano, as events and MIDI",
    "monitor": "watch a show that runs elsewhere, on this terminal",
    "replay": "run a recorded show again, exactly as it was",
    "learn": "move a control of a desk to give it to a parameter of a preset",
    "calibrate": "measure what a speaker or a lamp takes, so that outputs fire that much ahead",
    "devices": "list the audio inputs and outputs of this machine",
    "nodes": "list the nodes and sinks, or show the page of one",
    "check": "say whether a preset is sound, and if not, every fault of it",
    "graph": "draw a preset, with rate and latency on every wire",
    "latency": "from a sound at the input to every output: least, typical, most",
    "bench": "what every node of a preset costs on this machine",
    "schema": "print the JSON Schema of presets, for editors",
    "new-node": "write a new node and its test",
    "check-node": "run the conformance checks on anyone's node",
    "warmup": "compile all kernels now, so that the next start is quick",
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise FollowspotError(f"{message}; see `{self.prog} --help`")


def main(argv: list[str] | None = None) -> int:
    """Run one verb; returns the exit status. `argv`: the arguments without the program's name."""
    try:
        args = _parse(sys.argv[1:] if argv is None else argv)
        status = int(args.run(args) or 0)
        sys.stdout.flush()
        return status
    except FollowspotError as error:
        for line in str(error).splitlines():
            print(f"followspot: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if os.environ.get("FOLLOWSPOT_TRACEBACK"):
            traceback.print_exc()
        else:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            print(
                f"followspot: a fault of Followspot itself: {reason}; "
                "set FOLLOWSPOT_TRACEBACK=1 to see where",
                file=sys.stderr,
            )
        return 1


def _parse(argv: list[str]) -> argparse.Namespace:
    """The arguments of one verb, whose module alone is imported."""
    parser = _Parser(
        prog="followspot",
        description="Listens to live music and tells the rig what it hears.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=16),
    )
    subparsers = parser.add_subparsers(metavar="VERB", required=True)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    if chosen is not None and chosen not in VERBS:
        raise FollowspotError(f"there is no verb {chosen!r}; {suggestion(chosen, VERBS)}")
    for verb, help in VERBS.items():
        if verb != chosen:
            subparsers.add_parser(verb, help=help)
            continue
        module = importlib.import_module("apps." + verb.replace("-", "_"))
        own = subparsers.add_parser(
            verb,
            help=help,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(own)
        own.set_defaults(run=module.run)
    if not argv:
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
