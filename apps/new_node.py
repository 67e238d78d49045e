"""Write a new node and its test into a folder; the test passes as it stands.

Then change `step` to compute what you want, and run the test again.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from apps.terminal import note
from engine.errors import FollowspotError

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")

_NODE = '''"""{title}: say here what it is for."""

from __future__ import annotations

import numpy as np

from engine.node import AudioFormat, AudioIn, FramesFormat, FramesOut, HopNode, Param


class {name}(HopNode):
    """Mean power of a sliding window, in dB below full scale. (Say in one line what yours computes.)

    Latency: half a window.
    """

    audio = AudioIn("any number of channels; their mean power counts")
    {port} = FramesOut("mean power, shape (), dB, -120 (silence) to 0")

    window = Param(1024, low=64, high=16384, unit="samples", help="length of the window")
    hop = Param(512, low=32, high=16384, unit="samples", help="from one frame to the next")
    gain = Param(0.0, low=-60.0, high=60.0, unit="dB", live=True, help="added to the result")

    def prepare(self, audio: AudioFormat) -> FramesFormat:
        """Sees the format of the input, allocates everything, returns the format of the output."""
        self._square = np.zeros((audio.channels, self.window), np.float32)
        return self.framing(audio, self.window, self.hop, unit="dB")

    def step(self, window: np.ndarray, {port}: np.ndarray) -> None:
        """One window (channels, samples) in, one frame out: no new arrays, no locks, no printing."""
        np.multiply(window, window, out=self._square)
        {port}[...] = 10.0 * np.log10(max(1e-12, float(self._square.mean()))) + self.gain
'''

_TEST = '''"""{name}: the checks that every node passes, and its values against the definition."""

import numpy as np

from {module} import {name}
from engine.graph import Graph
from engine.offline import quanta
from engine.plan import compile_graph
from engine.runner import Runner
from engine.testing import assert_conforms


def test_conforms():
    assert_conforms({name})


def test_values():
    """A sine of amplitude 0.5 has a mean power of 0.5 ** 2 / 2."""
    graph = Graph().add("node", {name}()).connect("input", "node")
    runner = Runner(compile_graph(graph), strict=True)
    sine = 0.5 * np.sin(2 * np.pi * 441 * np.arange(44100) / 44100)
    for block in quanta(sine, graph.quantum):
        runner.tick(block)
    frames = runner.plan.streams["node.{port}"]
    assert abs(frames.slots[0] - 10 * np.log10(0.125)) < 0.1
'''


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="in small letters, like `roughness` or `my_level`")
    parser.add_argument("--into", metavar="DIR", default=".", help="the folder (default: where you are)")


def run(args: argparse.Namespace) -> None:
    if not _NAME.match(args.name):
        raise FollowspotError(
            f"new-node {args.name}: is no name for a node; use small letters, digits and _, like my_level"
        )
    folder = Path(args.into)
    title = args.name.replace("_", " ").capitalize()
    name = "".join(part.capitalize() for part in args.name.split("_"))
    words = {"module": args.name, "name": name, "title": title, "port": "power"}
    files = {
        folder / f"{args.name}.py": _NODE.format(**words),
        folder / f"test_{args.name}.py": _TEST.format(**words),
    }
    for path in files:
        if path.exists():
            raise FollowspotError(f"{path} is there already; choose another name or folder")
    try:
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
            print(path)
    except OSError as error:
        raise FollowspotError(f"{path}: cannot be written ({error.strerror}); check the folder") from None
    node, test = files
    note(
        f"\ntest it:         python -m pytest {test}\n"
        f"check it:        followspot check-node {node}:{name}\n"
        f"see its page:    followspot nodes {args.name} --plugin {node}\n"
        f"use it:          followspot run PRESET --plugin {node} --input FILE"
    )
