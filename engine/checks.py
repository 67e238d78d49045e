"""The checks of the conformance kit, one small function each: it returns the problems it found.

STATIC_CHECKS look at the class, NODE_CHECKS run a `Case` (see `engine.testing_inputs`).
"""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import math
import sys
import tracemalloc
from functools import partial
from typing import Any

import numpy as np

from engine.errors import FollowspotError
from engine.formats import EventsFormat, FramesFormat
from engine.node import Node
from engine.params import Param, params_of
from engine.ports import Emitter, Frames
from engine.sink import Sink
from engine.testing_inputs import RATE, UNIT, Case, Recording, Rig, differences, rejected

FORBIDDEN = {"time", "random", "threading", "logging", "asyncio", "multiprocessing", "datetime"}
QUANTA = (64, 256, 512)

# ---- the class -------------------------------------------------------------------------------------


def documented(cls: type[Node]) -> list[str]:
    """docstring with latency and units, help on every port, parameter and event kind"""
    problems = []
    text = cls.__dict__.get("__doc__") or ""
    if not text.strip():
        problems.append("the class has no docstring: one line on what it computes, then units and latency")
    elif "latency" not in text.lower():
        problems.append("the docstring does not say its latency: add a line 'Latency: ...'")
    ports = {**cls.inputs, **cls.outputs}
    for name, port in ports.items():
        if not port.help:
            problems.append(f"port {name} has no help: say what it carries, its shape and unit")
        for kind, payload in getattr(port, "kinds", {}).items():
            if not payload:
                problems.append(f"port {name}: event kind {kind!r} does not say its payload")
    return problems + _undocumented_params(params_of(cls))


def _undocumented_params(params: dict[str, Param[Any]]) -> list[str]:
    return [f"parameter {name} has no help" for name, param in params.items() if not param.help]


def imports(cls: type[Node]) -> list[str]:
    """its module and the kernels it imports keep away from clocks, threads, chance and logging"""
    problems = []
    for name in _modules_of(cls):
        bad = sorted(_imported(name) & FORBIDDEN)
        if bad:
            problems.append(
                f"{name} imports {', '.join(bad)}: a node reads no clock; chance comes from self.seed"
            )
    return problems


def _modules_of(cls: type) -> list[str]:
    """The module of the class and the kernel modules that it imports."""
    own = cls.__module__
    names = {own}
    for imported in _imported(own, whole=True):
        if imported.endswith("_kernels"):
            names.add(imported)
    return sorted(names)


def _imported(module: str, *, whole: bool = False) -> set[str]:
    """Names of the modules that `module` imports: their first part, or whole."""
    found = sys.modules.get(module) or importlib.import_module(module)
    tree = ast.parse(inspect.getsource(found))
    names: set[str] = set()
    for item in ast.walk(tree):
        if isinstance(item, ast.Import):
            names |= {alias.name for alias in item.names}
        elif isinstance(item, ast.ImportFrom) and item.module:
            names.add(item.module)
            names |= {f"{item.module}.{alias.name}" for alias in item.names} if whole else set()
    return names if whole else {name.partition(".")[0] for name in names}


STATIC_CHECKS = (documented, imports)

# ---- construction ----------------------------------------------------------------------------------


def constructs(case: Case) -> list[str]:
    """constructed from its parameters, repr and command line text give the same ones back"""
    return round_trip(case.cls, case.params)


def round_trip(cls: type[Node] | type[Sink], params: dict[str, Any]) -> list[str]:
    """Problems of construction, repr and the parsing of parameters."""
    problems = []
    node = cls(**params)
    try:
        again = eval(repr(node), {cls.__name__: cls})
    except Exception as error:
        return [f"repr {node!r} cannot be read back: {error}"]
    if again.param_values() != node.param_values():
        problems.append(f"repr {node!r} gives other parameters back")
    for name, param in params_of(cls).items():
        value = getattr(node, name)
        if param.parse(str(value)) != value:
            problems.append(f"parameter {name}: {value!r} written and parsed is {param.parse(str(value))!r}")
        beyond = [x for x in (param.low, param.high) if x is not None]
        for end in beyond:
            outside = end - abs(end) - 1 if end == param.low else end + abs(end) + 1
            if not _refuses(cls, {**params, name: param.kind(outside)}):
                problems.append(f"parameter {name} takes {outside}, beyond its declared range")
    if not _refuses(cls, {**params, "no_such_parameter": 1}):
        problems.append("takes a parameter that does not exist: pass **values on to the base class")
    return problems


def _refuses(cls: type[Node] | type[Sink], params: dict[str, Any]) -> bool:
    try:
        cls(**params)
    except (ValueError, TypeError):
        return True
    return False


def speaks(case: Case) -> list[str]:
    """every output says something about the test music, and something else about silence"""
    recording = case.recording()
    problems = []
    for name, frames in recording.frames.items():
        if not frames:
            problems.append(f"{name} delivered no frame")
    for name, audio in recording.audio.items():
        if not audio.any():
            problems.append(f"{name} is silent")
    for name, port in case.cls.outputs.items():
        kinds = getattr(port, "kinds", None)
        if kinds is not None and not any(event.kind in kinds for event in recording.events):
            problems.append(f"{name} emitted no event")
    if not problems and not differences(recording, case.run(np.zeros_like(case.music()))):
        problems.append("the outputs do not depend on the input at all")
    return problems


def stereo(case: Case) -> list[str]:
    """a two-channel input works, or is refused in words"""
    reason = rejected(case, 2)
    if reason:
        return [] if "channel" in reason else [f"two channels are refused, but not in clear words: {reason}"]
    return _not_finite(case.run(case.music(channels=2)))


# ---- determinism -----------------------------------------------------------------------------------


def quantum_invariance(case: Case) -> list[str]:
    """quanta of 64, 256 and 512 samples give the same frames, audio and events, bit by bit"""
    reference = case.recording(QUANTA[0])
    problems = []
    for quantum in QUANTA[1:]:
        found = differences(reference, case.recording(quantum), exact_emission=False)
        problems += [f"quantum {QUANTA[0]} against {quantum}: {text}" for text in found]
    return problems


def reset_is_fresh(case: Case) -> list[str]:
    """after reset() it behaves as a new one, whatever it heard before"""
    rig = case.rig()
    rig.run(case.music(seed=7))
    rig.runner.reset()
    return differences(case.recording(), rig.run(case.music()))


def instances_apart(case: Case) -> list[str]:
    """two instances that run at once do not disturb each other"""
    one, other = case.rig(), case.rig()
    music, noise = case.music(), case.music(seed=5)

    def interfere(_: Rig) -> None:
        i = one.runner.position
        other.runner.tick(noise[:, i : i + 256])

    recording = one.run(music, dict.fromkeys(range(music.shape[1] // 256), interfere))
    return differences(case.recording(), recording)


def causal(case: Case) -> list[str]:
    """truncating or changing the input never changes what was said before"""
    music, cut = case.music(), UNIT * (case.music().shape[1] // UNIT * 3 // 5)
    before = case.recording().until(cut)
    changed = music.copy()
    changed[:, cut:] = -0.5 * music[:, : music.shape[1] - cut]
    found = [f"input cut off: {text}" for text in differences(before, case.run(music[:, :cut]))]
    found += [f"future changed: {text}" for text in differences(before, case.run(changed).until(cut))]
    return found


def live_params(case: Case) -> list[str]:
    """a live parameter changed at a quantum's edge acts there, the same for every quantum"""
    node = case.cls(**case.params)
    problems = []
    for name, param in params_of(case.cls).items():
        if not param.live:
            continue
        for value in _other_values(param, getattr(node, name)):
            runs = []
            for quantum in (256, UNIT):
                rig = case.rig(quantum)
                change = partial(_set, name, value)
                runs.append(rig.run(case.music(), {10 * UNIT // quantum: change}))
                rig.plan.release()
            found = differences(*runs, exact_emission=False) + _not_finite(runs[0])
            problems += [f"{name} = {value!r}: {text}" for text in found]
    return problems


def _set(name: str, value: Any, rig: Rig) -> None:
    rig.runner.set(f"node.{name}", value)


def _other_values(param: Param[Any], now: Any) -> list[Any]:
    if param.choices:
        return [choice for choice in param.choices if choice != now]
    if param.kind is bool:
        return [not now]
    return [param.kind(end) for end in (param.low, param.high) if end is not None and end != now]


# ---- hostile input ---------------------------------------------------------------------------------


def hostile_input(case: Case) -> list[str]:
    """silence, DC, full scale, denormals, NaN and overload leave finite outputs and no fault"""
    music = case.music()
    n = music.shape[1]
    square = np.sign(np.sin(2 * np.pi * 441 / RATE * np.arange(n) + 0.1)).astype(np.float32)[None]
    broken = music.copy()
    broken[:, n // 3 : n // 3 + 700 : 7] = np.nan
    broken[:, n // 2] = np.inf
    signals = {
        "silence": np.zeros_like(music),
        "DC": np.ones_like(music),
        "full scale": square,
        "denormals": (music * np.float32(1e-39)).astype(np.float32),
        "NaN": broken,
        "40 dB over full scale": 100 * music,
    }
    problems = []
    for name, signal in signals.items():
        try:
            problems += [f"{name}: {text}" for text in _not_finite(case.run(signal))]
        except FollowspotError as error:
            problems.append(f"{name}: {error}")
    return problems


def _not_finite(recording: Recording) -> list[str]:
    """Outputs with values that are not finite, and events whose payload cannot be written down."""
    problems = []
    for name, frames in recording.frames.items():
        bad = [f[1] for f in frames if f[3].dtype.kind in "fc" and not np.isfinite(f[3]).all()]
        if bad:
            problems.append(f"{name} is not finite at sample {bad[0]}")
    for name, audio in recording.audio.items():
        if not np.isfinite(audio).all():
            problems.append(f"{name} is not finite")
    for event in recording.events:
        for key, value in event.values.items():
            if not isinstance(value, bool | int | float | str):
                problems.append(f"event {event.kind}: {key} is a {type(value).__name__}, no number or string")
            elif isinstance(value, float) and not math.isfinite(value):
                problems.append(f"event {event.kind}: {key} = {value}")
    return problems[:3]


def survives_gap(case: Case) -> list[str]:
    """input lost: outputs stay finite, frames keep their grid, nothing is said about the lost part later"""
    rig = case.rig()
    lost = 37
    at = case.music().shape[1] // 256 // 2
    recording = rig.run(case.music(), {at: lambda rig: rig.gap(lost)})
    problems = _not_finite(recording) + _off_grid(recording)
    for name, frames in recording.frames.items():
        if not any(delivered > (at + lost) * 256 for *_, delivered, _ in frames):
            problems.append(f"{name} delivers no frames after a gap")
    return problems


# ---- time ------------------------------------------------------------------------------------------


def delivery(case: Case) -> list[str]:
    """frames come exactly their declared latency after their time, one after the other"""
    return _off_grid(case.recording(64))


def _off_grid(recording: Recording) -> list[str]:
    problems = []
    for name, frames in recording.frames.items():
        format = recording.formats[name]
        assert isinstance(format, FramesFormat)
        previous = -1
        for index, time, delivered, _ in frames:
            due = max(time + format.latency, 1)
            if not due <= delivered < due + recording.quantum:
                problems.append(
                    f"{name}: frame {index} of sample {time} came at {delivered}, not at {due} "
                    f"as its latency {format.latency} says"
                )
                break
            if index <= previous:
                problems.append(f"{name}: frame {index} came after frame {previous}")
                break
            previous = index
    return problems


def centred(case: Case) -> list[str]:
    """a click shows at its own time: within a hop in frames, at the declared latency in audio"""
    at = 20 * UNIT + 100
    silence = np.zeros((1, 40 * UNIT), np.float32)
    click = silence.copy()
    click[0, at] = 0.9
    quiet, heard = case.run(silence, 64), case.run(click, 64)
    problems = []
    for name in heard.frames:
        format = heard.formats[name]
        assert isinstance(format, FramesFormat)
        pairs = zip(quiet.frames[name], heard.frames[name], strict=True)
        times = [b[1] for a, b in pairs if a[3].tobytes() != b[3].tobytes()]
        # Only a short response has a middle; one with a memory rings on.
        if not times or times[-1] - times[0] > max(2 * format.latency, 4096) + 2 * format.hop:
            continue
        middle = (times[0] + times[-1]) / 2
        if abs(middle - at) > format.hop:
            problems.append(f"{name}: a click at sample {at} shows around {middle:.0f}: check the origin")
    for name, audio in heard.audio.items():
        response = np.abs(audio - quiet.audio[name]).max(axis=0)
        due = at + getattr(heard.formats[name], "latency", 0)
        peak = int(np.argmax(response))
        if response[peak] > 0 and peak != due:
            problems.append(f"{name}: a click at {at} comes out at {peak}, not at {due} as its latency says")
    return problems


def event_times(case: Case) -> list[str]:
    """events come within their declared latency, revisions of one event only go up"""
    recording = case.recording(64)
    spans = {}
    for name, port in case.cls.outputs.items():
        format = recording.formats[name]
        if isinstance(format, EventsFormat):
            spans.update(dict.fromkeys(getattr(port, "kinds", ()), (name, format.latency)))
    problems = []
    latest: dict[tuple[str, int], int] = {}
    for event in recording.events:
        name, (least, most) = spans[event.kind]
        if not event.retracted and not least <= event.emitted - event.time < most + recording.quantum:
            problems.append(
                f"{name}: {event.kind} {event.key} of sample {event.time} was said at {event.emitted}, "
                f"{event.emitted - event.time} after it; declared are {least} to {most}"
            )
        identity = (event.kind, event.key)
        if event.revision <= latest.get(identity, -1):
            problems.append(
                f"{name}: {event.kind} {event.key} is said again with revision {event.revision}: count up"
            )
        latest[identity] = event.revision
    return problems[:3]


# ---- memory ----------------------------------------------------------------------------------------


def inputs_untouched(case: Case) -> list[str]:
    """it does not write to its inputs"""
    rig = case.rig()
    node = rig.node
    process = node.process
    touched: set[str] = set()

    def watched() -> None:
        before = {name: _contents(node.__dict__[name]) for name in node.inputs}
        process()
        touched.update(name for name in node.inputs if _contents(node.__dict__[name]) != before[name])

    node.process = watched  # type: ignore[method-assign]
    rig.runner.reset()
    rig.run(case.music())
    return [f"it writes to its input {name}" for name in sorted(touched)]


def _contents(stream: Any) -> object:
    if isinstance(stream, Frames):
        return stream.count, stream.first, stream.data.tobytes()
    if isinstance(stream, np.ndarray):
        return stream.tobytes()
    return list(stream)


def allocation(case: Case) -> list[str]:
    """memory stays level, and a quantum allocates no arrays"""
    rig = case.rig()
    music = case.music()
    blocks = [np.ascontiguousarray(music[:, i : i + 256]) for i in range(0, music.shape[1] - 255, 256)]
    process = rig.node.process
    peaks, turn, at = np.zeros((4, len(blocks) + 1), np.int64), -1, 0

    def watched() -> None:
        nonlocal at
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        process()
        said = sum(len(e.events) for e in rig.node.__dict__.values() if isinstance(e, Emitter))
        peaks[turn, at] = tracemalloc.get_traced_memory()[1] - before - 2000 * said
        at += 1

    def play() -> int:
        nonlocal turn, at
        turn, at = turn + 1, 0
        for block in blocks:
            rig.runner.tick(block)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    rig.node.process = watched  # type: ignore[method-assign]
    rig.runner.reset()
    play()  # caches fill, kernels compile
    running = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        first = play()  # lists reach their size
        play()
        growth = play() - first
    finally:
        if not running:
            tracemalloc.stop()
    problems = []
    if growth > 16_000:
        problems.append(f"memory grows: {growth} bytes more after {2 * len(blocks)} quanta")
    # What the node allocates it allocates for the same music again; what else the process does, it does not.
    peak = peaks[-2:].min(axis=0).max()
    if peak > 4096:
        problems.append(f"a quantum allocates {peak} bytes: preallocate in prepare, use out=")
    return problems


def finishes(case: Case) -> list[str]:
    """the end of the input, with or without any, is no fault"""
    for blocks in (0, 40):
        rig = case.rig()
        rig.run(case.music()[:, : 256 * blocks]) if blocks else None
        rig.runner.finish()
        rig.plan.release()
    return []


NODE_CHECKS = (
    constructs,
    speaks,
    stereo,
    quantum_invariance,
    reset_is_fresh,
    instances_apart,
    causal,
    live_params,
    hostile_input,
    survives_gap,
    delivery,
    centred,
    event_times,
    inputs_untouched,
    allocation,
    finishes,
)
