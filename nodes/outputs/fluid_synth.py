"""A synthesiser in place of a MIDI port: the program FluidSynth with a sound font, through the sound card."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from engine.errors import FollowspotError
from nodes.outputs.midi_port import MidiPort

PREFIX = "fluidsynth:"
FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts", "~/.sounds")
GAIN = 0.6
#: Frames of a period and periods ahead of the sound card: 512 frames, 12 ms at 44.1 kHz.
PERIODS = (128, 4)
#: Sound systems in the order they are tried, each with its periods; the empty one is the program's own
#: choice. For PulseAudio the program asks for one period ahead, whatever their number: with 128 frames
#: a quarter of the sound was missing on a busy machine, with 512 a tenth.
DRIVERS = {"pulseaudio": (512, 2), "": PERIODS, "jack": PERIODS}


class FluidSynth:
    """Plays what is sent with a sound font; used like a `MidiPort`.

    The program runs beside us and takes notes line by line on its standard input. Its Python binding was
    left out: where that is installed, partitura fetches a sound font from the network when it is imported.

    Parameters
    ----------
    font : path of a sound font (.sf2, .sf3); "" takes the first that the system has.

    Latency: 512 frames (12 ms at 44.1 kHz), and what the sound server adds.
    Raises FollowspotError if FluidSynth, a sound font or a sound card is missing.
    """

    def __init__(self, font: str) -> None:
        program = shutil.which("fluidsynth")
        if program is None:
            raise FollowspotError(
                "sound needs FluidSynth: install it (Debian: fluidsynth fluid-soundfont-gm)"
            )
        path = find_font(font)
        for driver, periods in DRIVERS.items():
            process = _start(program, driver, periods, path)
            if process is not None:
                self._process = process
                return
        raise FollowspotError(
            f"FluidSynth does not start with {path}: check the font and the sound server (PulseAudio, JACK)"
        )

    def send(self, message: Sequence[int]) -> None:
        """Play the bytes of one MIDI message: a note on, a note off or a bend."""
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind == 0x90:
            self._say(f"noteon {channel} {message[1]} {message[2]}")
        elif kind == 0x80:
            self._say(f"noteoff {channel} {message[1]}")
        elif kind == 0xE0:
            self._say(f"pitch_bend {channel} {message[1] + 128 * message[2]}")

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def check(self) -> None:
        """OSError if the program has ended."""
        if self._process.poll() is not None:
            raise OSError("FluidSynth has ended")

    def close(self) -> None:
        """End what sounds, and the program."""
        _end(self._process)


def _start(program: str, driver: str, periods: tuple[int, int], font: str) -> subprocess.Popen[str] | None:
    """FluidSynth with its font loaded and the sound card open; None where that fails."""
    frames, ahead = periods
    process = subprocess.Popen(
        [
            *(program, "-q", "-n", "-g", str(GAIN), *(["-a", driver] if driver else [])),
            *("-o", f"audio.period-size={frames}", "-o", f"audio.periods={ahead}", font),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"JACK_NO_START_SERVER": "1"},
    )
    assert process.stdin is not None and process.stdout is not None
    with suppress(OSError):  # where it has ended already, no line comes
        process.stdin.write("echo ready\n")
        process.stdin.flush()
    for line in process.stdout:
        if "ready" in line:
            return process
    _end(process)
    return None


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None and process.stdout is not None
    with suppress(OSError):
        process.stdin.close()  # the end of its input ends the program
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def find_font(font: str) -> str:
    """The sound font, or the first of the system's where none is named."""
    if font:
        if not Path(font).is_file():
            raise FollowspotError(f"sound font {font}: there is no such file; check the path")
        return font
    for folder in FOLDERS:
        for path in sorted(Path(folder).expanduser().glob("*.sf[23]")):
            return str(path)
    raise FollowspotError(
        "no sound font found: install one (Debian: fluid-soundfont-gm), or name a .sf2 file"
    )


def open_port(port: str, name: str) -> MidiPort | FluidSynth:
    """A MIDI port, or a synthesiser where `port` is "fluidsynth:" with or without a sound font."""
    if port.startswith(PREFIX):
        return FluidSynth(port.removeprefix(PREFIX))
    return MidiPort(port, name)
