"""A synthesiser in place of a MIDI port: FluidSynth with a sound font, through the sound card."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.errors import FollowspotError
from nodes.outputs.midi_port import MidiPort

PREFIX = "fluidsynth:"
FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts", "~/.sounds")
GAIN = 0.6
#: Tried where the system's usual driver does not open.
DRIVERS = ("pulseaudio", "jack", "alsa")
#: Frames of a period and periods ahead of the sound card: 12 ms at 44.1 kHz.
PERIOD, PERIODS = 128, 4


class FluidSynth:
    """Plays what is sent with a sound font; used like a `MidiPort`.

    Parameters
    ----------
    font : path of a sound font (.sf2, .sf3); "" takes the first that the system has.

    Latency: 512 frames (12 ms at 44.1 kHz), and what the sound server adds.
    Raises FollowspotError if FluidSynth, a sound font or a sound card is missing. Needs the extra `sound`
    (pyfluidsynth) and the library itself, both LGPL-2.1.
    """

    def __init__(self, font: str) -> None:
        try:
            self._module: Any = import_module("fluidsynth")
        except ImportError:
            raise FollowspotError(
                "sound needs FluidSynth: pip install 'followspot[sound]', and the library "
                "(Debian: libfluidsynth3)"
            ) from None
        path = find_font(font)
        _silence(self._module)
        self._synth: Any = self._module.Synth(gain=GAIN, samplerate=44100.0)
        if self._synth.sfload(path, update_midi_preset=1) < 0:
            self._synth.delete()
            raise FollowspotError(f"sound font {path}: is none; give a .sf2 or .sf3 file")
        self._synth.setting("audio.period-size", PERIOD)
        self._synth.setting("audio.periods", PERIODS)
        for driver in (self._synth.get_setting("audio.driver"), *DRIVERS):
            self._synth.setting("audio.driver", driver)
            self._synth.audio_driver = self._module.new_fluid_audio_driver(
                self._synth.settings, self._synth.synth
            )
            if self._synth.audio_driver:
                return
        self._synth.delete()
        raise FollowspotError("FluidSynth finds no sound card; start PulseAudio or JACK, or use a MIDI port")

    def send(self, message: Sequence[int]) -> None:
        """Play the bytes of one MIDI message: a note on, a note off or a bend."""
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind == 0x90:
            self._synth.noteon(channel, message[1], message[2])
        elif kind == 0x80:
            self._synth.noteoff(channel, message[1])
        elif kind == 0xE0:
            self._synth.pitch_bend(channel, message[1] + 128 * message[2] - 8192)

    def check(self) -> None:
        """Always there."""

    def close(self) -> None:
        """End what sounds."""
        self._synth.delete()


def _silence(module: Any) -> None:
    """Keep FluidSynth from writing to the terminal about drivers that are not there."""
    for level in range(4):
        module._fl.fluid_set_log_function(level, None, None)


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
