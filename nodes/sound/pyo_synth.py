"""A pyo synthesiser played by events."""

from __future__ import annotations

import ctypes
import os
from math import gcd
from typing import Any

import numpy as np

from engine.errors import FollowspotError
from engine.node import AudioFormat, AudioOut, EventsFormat, EventsIn, Node, Param
from engine.pending import Pending

VOICES = 4
CONTROLS = 3  # per voice: trigger, frequency in Hz, amplitude
LARGEST_BLOCK = 64


class PyoSynth(Node):
    """A note on a pyo synthesiser for every event, exact to the sample.

    pyo runs in its manual mode: it renders in our thread, when asked, and opens no device. Triggers, pitches
    and amplitudes go in as audio, so that notes start on their sample and the same events give the same
    sound, bit by bit, for every quantum. Each node has a pyo server of its own, made in `prepare` and shut
    down in `release`.

    An event's `pitch` (MIDI note number) and `velocity` (1 to 127) are used where it has them. A future event
    waits for its sample and may be amended until then; a late one sounds at once. Four voices take turns.

    Latency: none: output sample n is input sample n. Mono, float32. Needs the optional module pyo.

    Source: O. Belanger, "Pyo, the Python DSP toolbox", ACM Multimedia 2016.
    """

    requires = ("pyo",)

    events = EventsIn("what to play")
    audio = AudioOut("the synthesiser, float32 (1, quantum)")

    sound = Param("fm", choices=("fm", "sine"), help="fm: a bell; sine: a plain tone")
    pitch = Param(76.0, low=0.0, high=127.0, live=True, help="MIDI note of events that have no pitch")
    attack = Param(2.0, low=0.1, high=1000.0, unit="ms", help="until the tone is at its loudest")
    decay = Param(250.0, low=5.0, high=10000.0, unit="ms", help="from there to silence")
    gain = Param(
        -9.0, low=-60.0, high=0.0, unit="dB", live=True, help="peak level of events without velocity"
    )

    def prepare(self, events: EventsFormat) -> AudioFormat:
        self._pyo = _import_pyo()
        self._block = gcd(self.quantum, LARGEST_BLOCK)
        self._pending = Pending()
        self._next = 0
        self._boot()
        return AudioFormat(events.rate, 1)

    def _boot(self) -> None:
        """A server of our own, as new: pyo's objects have no other way back to their first state."""
        self.release()
        pyo, inlets = self._pyo, VOICES * CONTROLS
        server = pyo.Server(
            sr=self.rate, nchnls=1, ichnls=inlets, buffersize=self._block, duplex=1, audio="manual"
        )
        server.setVerbosity(1)
        server.boot()
        server.setServer()  # objects made from here on belong to it
        server.start()
        self._server: Any = server
        self._objects = [self._voice(pyo, CONTROLS * voice) for voice in range(VOICES)]
        self._controls = _floats(server.getInputAddr(), self._block * inlets).reshape(self._block, inlets)
        self._rendered = _floats(server.getOutputAddr(), self._block)
        self._controls[:] = 0.0

    def _voice(self, pyo: Any, inlet: int) -> list[Any]:
        """One voice; the objects must be kept, pyo drops what nobody holds."""
        trigger = pyo.Input(inlet)
        frequency = pyo.SampHold(pyo.Input(inlet + 1), trigger, 1.0)
        amplitude = pyo.SampHold(pyo.Input(inlet + 2), trigger, 1.0)
        seconds = (self.attack + self.decay) / 1000
        top = max(1, round(8191 * self.attack / (self.attack + self.decay)))
        shape = pyo.ExpTable([(0, 0.0), (top, 1.0), (8191, 0.0)], exp=3, inverse=False)
        envelope = pyo.TrigEnv(trigger, shape, dur=seconds, mul=amplitude)
        if self.sound == "fm":
            tone = pyo.FM(carrier=frequency, ratio=1.414, index=3 * envelope, mul=envelope)
        else:
            tone = pyo.Sine(freq=frequency, mul=envelope)
        return [trigger, frequency, amplitude, shape, envelope, tone.out()]

    def reset(self) -> None:
        self._pending.clear()
        self._next = 0
        self._boot()

    def gap(self, start: int, length: int) -> None:
        """What was due in the lost part is not played any more; what sounds, sounds on."""
        self._pending.pop_due(start + length)

    def process(self) -> None:
        for event in self.events:
            self._pending.add(event)
        start, stop, controls, audio = self.clock.start, self.clock.stop, self._controls, self.audio
        for begin in range(start, stop, self._block):
            controls[:] = 0.0
            for event in self._pending.pop_due(begin + self._block):
                inlet = CONTROLS * self._next
                self._next = (self._next + 1) % VOICES
                at = max(0, event.time - begin)
                pitch = event.values.get("pitch", self.pitch)
                velocity = event.values.get("velocity", 127)
                controls[at, inlet] = 1.0
                controls[at, inlet + 1] = 440.0 * 2 ** ((pitch - 69) / 12)
                controls[at, inlet + 2] = 10 ** (self.gain / 20) * velocity / 127
            self._server.process()
            audio[0, begin - start : begin - start + self._block] = self._rendered

    def release(self) -> None:
        server = self.__dict__.pop("_server", None)
        if server is not None:
            self._objects.clear()
            server.stop()
            server.shutdown()


def _import_pyo() -> Any:
    os.environ.setdefault("PYO_GUI_WX", "0")  # or it prints advice about wxPython on stdout
    try:
        import pyo
    except ImportError as error:
        raise FollowspotError(f"pyo cannot be imported ({error}): pip install 'followspot[pyo]'") from None
    return pyo


def _floats(address: object, count: int) -> np.ndarray:
    """pyo's buffer at `address` as an array of float32."""
    number = int(address, 16) if isinstance(address, str) else int(address)  # type: ignore[call-overload]
    return np.ctypeslib.as_array(ctypes.cast(number, ctypes.POINTER(ctypes.c_float)), (count,))
