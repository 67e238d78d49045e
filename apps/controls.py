"""Moves the live parameters of a running preset from outside, as its [controls] table says: OSC and MIDI.

OSC carries the value in the parameter's own unit. A MIDI controller spans the parameter's range; a switch is
on from 64 up. A MIDI note toggles a switch, and sets a number by its velocity. All MIDI inputs are heard.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import rtmidi
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer

from apps.terminal import note, quietly
from engine.errors import FollowspotError
from engine.params import Param, params_of
from engine.preset import Preset
from nodes.outputs.midi_port import open_inputs

#: Where OSC controls come in, unless --listen says otherwise: this machine only.
LISTEN = "127.0.0.1:9001"

Change = Callable[[str, Any], None]


class Controls:
    """Listens until `close`.

    Parameters
    ----------
    preset : its controls are served.
    change : called with "node.param" and the new value, on a thread of the listener.
    listen : HOST:PORT of OSC.

    Raises FollowspotError if the port is taken or a parameter has no range that MIDI could span.
    """

    def __init__(self, preset: Preset, change: Change, listen: str = LISTEN) -> None:
        self._change = change
        self._server: ThreadingOSCUDPServer | None = None
        self._midi: list[rtmidi.MidiIn] = []
        self._by_message: dict[tuple[int, int], list[_Target]] = {}
        osc = Dispatcher()
        for target, control in preset.controls.items():
            moved = _Target(target, preset)
            system, _, rest = control.partition(":")
            if system == "osc":
                osc.map(rest, self._osc, moved)
            else:
                moved.check_span()
                kind, channel, number = rest.split(":")
                status = (0xB0 if kind == "cc" else 0x90) | (int(channel) - 1)
                self._by_message.setdefault((status, int(number)), []).append(moved)
        if any(control.startswith("osc:") for control in preset.controls.values()):
            self._listen(osc, listen)
        if self._by_message:
            self._open_midi()

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        for port in self._midi:
            port.delete()

    def _listen(self, osc: Dispatcher, listen: str) -> None:
        host, _, port = listen.rpartition(":")
        try:
            self._server = ThreadingOSCUDPServer((host or "127.0.0.1", int(port)), osc)
        except (OSError, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise FollowspotError(f"--listen {listen}: {reason}; give a free HOST:PORT") from None
        threading.Thread(target=self._server.serve_forever, name="osc controls", daemon=True).start()
        note(f"controls: OSC on {listen}")

    def _osc(self, address: str, fixed: list[_Target], *values: Any) -> None:
        if values:
            self._try(fixed[0], lambda: fixed[0].from_osc(values[0]))

    def _open_midi(self) -> None:
        with quietly():
            self._midi = open_inputs("Followspot")
        for port in self._midi:
            port.set_callback(self._message)
        if not self._midi:
            note("controls: there is no MIDI input; plug the controller in, then start again")

    def _message(self, event: tuple[list[int], float], _: object) -> None:
        """A MIDI message, on rtmidi's thread."""
        message = event[0]
        if len(message) != 3:
            return
        status, number, value = message
        for target in self._by_message.get((status, number), ()):
            if status & 0xF0 == 0xB0:
                self._try(target, lambda target=target: target.from_controller(value))
            elif value > 0:
                self._try(target, lambda target=target: target.from_note(value))

    def _try(self, target: _Target, value: Callable[[], Any]) -> None:
        try:
            self._change(target.name, value())
        except (ValueError, TypeError) as error:
            note(f"control of {target.name}: {error}")


class _Target:
    """A live parameter and what a control's value means to it."""

    def __init__(self, name: str, preset: Preset) -> None:
        self.name = name
        id, _, param = name.partition(".")
        kind, values = (preset.nodes | preset.sinks)[id]
        self._param: Param[Any] = params_of(kind)[param]
        self._value = values.get(param, self._param.default)

    def check_span(self) -> None:
        """FollowspotError if 0 to 127 has no meaning here."""
        param = self._param
        if param.kind is not bool and not param.choices and (param.low is None or param.high is None):
            raise FollowspotError(f"controls.{self.name}: has no range that MIDI could span; use OSC")

    def from_osc(self, value: Any) -> Any:
        """A value in the parameter's own unit."""
        return self._param.check(bool(value) if self._param.kind is bool else value)

    def from_controller(self, value: int) -> Any:
        """0 to 127 over the whole range."""
        param = self._param
        if param.kind is bool:
            return value >= 64
        if param.choices:
            return param.choices[min(len(param.choices) - 1, value * len(param.choices) // 128)]
        assert param.low is not None and param.high is not None
        return param.kind(param.low + (param.high - param.low) * value / 127)

    def from_note(self, velocity: int) -> Any:
        """A switch toggles; anything else takes the velocity as a controller's value."""
        if self._param.kind is not bool:
            return self.from_controller(velocity)
        self._value = not self._value
        return self._value
