"""Moves the live parameters of a running preset from outside, as its [controls] table says: OSC and MIDI.

OSC carries the value in the parameter's own unit. A MIDI controller spans the parameter's range; a switch is
on from 64 up. A MIDI note toggles a switch, and sets a number by its velocity. All MIDI inputs are heard.
A button (tap, "this is one") is pressed by any note, by a controller from 64 up and by OSC with anything
but 0, and stamped with the stream time of that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer

from apps.midi_listener import MidiListener
from apps.terminal import note, quietly
from engine.errors import FollowspotError, suggestion
from engine.params import Moment, Param, params_of
from engine.preset import Preset, check_control
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
    now : stream time in seconds, with which a button is stamped when it is pressed.

    Raises FollowspotError if the port is taken or a parameter has no range that MIDI could span.
    """

    def __init__(
        self,
        preset: Preset,
        change: Change,
        listen: str = LISTEN,
        now: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._preset, self._change, self._address, self._now = preset, change, listen, now
        self._server: ThreadingOSCUDPServer | None = None
        self._midi: MidiListener | None = None
        self._by_message: dict[tuple[int, int], list[_Target]] = {}
        self._by_address: dict[str, list[_Target]] = {}
        self._pupil: tuple[str, Callable[[str], None]] | None = None
        for target, sources in preset.controls.items():
            for source in sources:
                self._add(target, source)
        if self._by_address:
            self._listen(listen)
        if self._by_message:
            self._open_midi()

    def learn(self, target: str, done: Callable[[str], None]) -> None:
        """The next control that is moved moves `target` from then on.

        `done` is called with it, on a thread of the listener. Raises FollowspotError as the constructor does.
        """
        _Target(target, self._preset, None, self._now)  # its faults now, not when something is moved
        self._pupil = target, done
        if self._server is None:
            self._listen(self._address)
        if self._midi is None:
            self._open_midi()

    def _add(self, target: str, source: str) -> None:
        system, value = check_control(source, param_of(self._preset, target))
        moved = _Target(target, self._preset, value, self._now)
        system, _, rest = system.partition(":")
        if system == "osc":
            self._by_address.setdefault(rest, []).append(moved)
            return
        moved.check_span()
        kind, channel, number = rest.split(":")
        status = (0xB0 if kind == "cc" else 0x90) | (int(channel) - 1)
        self._by_message.setdefault((status, int(number)), []).append(moved)

    def _is_learnt(self, source: str) -> bool:
        """Whether a parameter was waiting to learn this control; then it has."""
        if self._pupil is None:
            return False
        (target, done), self._pupil = self._pupil, None
        try:
            self._add(target, source)
        except FollowspotError as error:
            note(str(error))
            return True
        done(source)
        return True

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._midi is not None:
            self._midi.close()

    def _listen(self, listen: str) -> None:
        osc = Dispatcher()
        osc.set_default_handler(self._osc)
        host, _, port = listen.rpartition(":")
        try:
            self._server = ThreadingOSCUDPServer((host or "127.0.0.1", int(port)), osc)
        except (OSError, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise FollowspotError(f"--listen {listen}: {reason}; give a free HOST:PORT") from None
        threading.Thread(target=self._server.serve_forever, name="osc controls", daemon=True).start()
        note(f"controls: OSC on {listen}")

    def _osc(self, address: str, *values: Any) -> None:
        """An OSC message, on the server's thread. A message without a value presses a button."""
        value = values[0] if values else None
        if value != 0 and self._is_learnt(f"osc:{address}"):
            return
        for target in self._by_address.get(address, ()):
            if value is not None or target.is_button:
                self._try(target, lambda target=target: target.from_osc(value))

    def _open_midi(self) -> None:
        with quietly():
            ports = open_inputs("Followspot")
        if ports:
            self._midi = MidiListener(ports, self._message)
        else:
            note("controls: there is no MIDI input; plug the controller in, then start again")

    def _message(self, message: list[int], _: float = 0.0) -> None:
        """A MIDI message, on the listener's thread."""
        if len(message) != 3:
            return
        status, number, value = message
        kind = {0xB0: "cc", 0x90: "note"}.get(status & 0xF0)
        pressed = kind == "cc" or value > 0
        if kind and pressed and self._is_learnt(f"midi:{kind}:{(status & 15) + 1}:{number}"):
            return
        for target in self._by_message.get((status, number), ()):
            if kind == "cc":
                self._try(target, lambda target=target: target.from_controller(value))
            elif pressed:
                self._try(target, lambda target=target: target.from_note(value))

    def _try(self, target: _Target, value: Callable[[], Any]) -> None:
        try:
            new = value()
            if new is not None:
                self._change(target.name, new)
        except (ValueError, TypeError, FollowspotError) as error:
            note(f"control of {target.name}: {error}")


def param_of(preset: Preset, target: str) -> Param[Any]:
    """The live parameter "node.param" of a preset; FollowspotError if there is none."""
    id, _, name = target.partition(".")
    things = {**preset.nodes, **preset.sinks}
    if id not in things:
        raise FollowspotError(f"there is no node or sink {id!r}; {suggestion(id, things)}")
    live = {name: param for name, param in params_of(things[id][0]).items() if param.live}
    if name not in live:
        raise FollowspotError(f"{id} has no live parameter {name!r}; {suggestion(name, live)}")
    return live[name]


class _Target:
    """A live parameter and what a control's value means to it; None where it means nothing.

    `value`: what it sets whenever it is pressed, or None if the control's own value counts.
    """

    def __init__(self, name: str, preset: Preset, value: Any, now: Callable[[], float | None]) -> None:
        self.name = name
        id, _, param = name.partition(".")
        self._param = param_of(preset, name)
        _, values = {**preset.nodes, **preset.sinks}[id]
        self._value = values.get(param, self._param.default)
        self._fixed, self._now = value, now

    @property
    def is_button(self) -> bool:
        """Whether only being pressed counts, not the control's value."""
        return self._fixed is not None or isinstance(self._param, Moment)

    def check_span(self) -> None:
        """FollowspotError if 0 to 127 has no meaning here."""
        param = self._param
        if self.is_button or param.kind is bool or param.choices:
            return
        if param.low is None or param.high is None:
            raise FollowspotError(f"controls.{self.name}: has no range that MIDI could span; use OSC")

    def _pressed(self) -> Any:
        if self._fixed is not None:
            return self._fixed
        now = self._now()
        return -1.0 if now is None else now

    def from_osc(self, value: Any) -> Any:
        """A value in the parameter's own unit; a button is pressed by anything but 0."""
        if self.is_button:
            return self._pressed() if value is None or value else None
        return self._param.check(bool(value) if self._param.kind is bool else value)

    def from_controller(self, value: int) -> Any:
        """0 to 127 over the whole range; a button is pressed from 64 up."""
        param = self._param
        if self.is_button:
            return self._pressed() if value >= 64 else None
        if param.kind is bool:
            return value >= 64
        if param.choices:
            return param.choices[min(len(param.choices) - 1, value * len(param.choices) // 128)]
        assert param.low is not None and param.high is not None
        return param.kind(param.low + (param.high - param.low) * value / 127)

    def from_note(self, velocity: int) -> Any:
        """A button is pressed, a switch toggles; anything else takes the velocity as a controller's value."""
        if self.is_button:
            return self._pressed()
        if self._param.kind is not bool:
            return self.from_controller(velocity)
        self._value = not self._value
        return self._value
