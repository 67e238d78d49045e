"""The API as docs/console.md tells it: WebSocket, Server-Sent Events, POST."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import numpy as np
import pytest
from pythonosc.udp_client import SimpleUDPClient

from apps.console.streams import MESSAGE, PART
from tests.console.conftest import wait

Socket = aiohttp.ClientWebSocketResponse


def over(url: str, job: Callable[[Socket], Awaitable[Any]]) -> Any:
    """The result of `job` on a WebSocket."""

    async def run() -> Any:
        async with aiohttp.ClientSession() as session, session.ws_connect(url + "/api/ws") as socket:
            return await asyncio.wait_for(job(socket), 30)

    return asyncio.run(run())


async def until(socket: Socket, kind: str, accept: Callable[[Any], bool] = lambda message: True) -> Any:
    """The next JSON message of a type that is acceptable."""
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            content = json.loads(message.data)
            if content["type"] == kind and accept(content):
                return content
    raise AssertionError("closed")


def parts(data: bytes) -> tuple[float, list[tuple[int, float, float, np.ndarray]]]:
    """Stream time and (stream, time of the first item, step, items (n, rows)) of a binary message."""
    _, zero, now = MESSAGE.unpack_from(data)
    assert zero == 0
    found, at = [], MESSAGE.size
    while at < len(data):
        index, count, rows, kind, zero, time, step = PART.unpack_from(data, at)
        at += PART.size
        dtype = np.dtype("u1" if kind else "<f4")
        size = count * rows * dtype.itemsize
        found.append((index, time, step, np.frombuffer(data, dtype, count * rows, at).reshape(count, rows)))
        at += -(-size // 8) * 8
    assert at == len(data)
    return now, found


def test_a_new_client_learns_all(show, url):
    async def job(socket: Socket) -> list[Any]:
        return [await until(socket, kind) for kind in ("about", "values", "telemetry")]

    about, values, telemetry = over(url, job)
    assert about["name"] == "show"
    assert [node["id"] for node in about["nodes"]] == ["click", "conductor"]
    assert [sink["id"] for sink in about["sinks"]] == ["rig", "deaf"]
    bpm = next(p for p in about["nodes"][0]["params"] if p["name"] == "bpm")
    assert (bpm["low"], bpm["high"], bpm["unit"], bpm["live"]) == (30.0, 240.0, "BPM", True)
    assert {wire["from"] for wire in about["wires"]} == {"input.audio", "click.beats"}
    assert {row["sink"] for row in about["latency"]} == {"rig", "deaf", ""}
    modes = {stream["output"]: (stream["mode"], stream["rows"]) for stream in about["streams"]}
    assert modes["input.audio"] == ("wave", 2)
    assert modes["click.phase"] == ("curves", 1)
    assert modes["click.chroma"] == ("heat", 12)
    assert modes["click.magnitude"][0] == "heat"
    assert about["beats"] == "conductor"  # not the node before it, which says beats, too
    assert about["hands"]["tap"] == ["conductor.tap"]
    assert about["hands"]["octave"] == ["conductor.octave"]
    assert about["hands"]["blackout"] == ["conductor.blackout", "rig.blackout"]
    assert about["rig"] == ["rig.par1", "rig.par2"]
    assert values["values"]["click.window"] == 512
    assert telemetry["state"] == "running"
    assert telemetry["loads"].keys() == {"click", "conductor", "quantum"}
    assert telemetry["sinks"]["deaf"]["status"] == "retrying"
    assert telemetry["sinks"]["rig"]["status"] == "ok"


def test_pictures_come_thirty_times_a_second_and_leave_nothing_out(show, url):
    async def job(socket: Socket) -> list[Any]:
        about = await until(socket, "about")
        await socket.send_json({"do": "watch", "streams": [s["output"] for s in about["streams"]]})
        began, found = time.monotonic(), []
        while time.monotonic() - began < 3.0:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                found.append(parts(message.data))
        return [about, found]

    about, found = over(url, job)
    assert 30 <= len(found) <= 120
    for stream in about["streams"]:
        mine = [part for _, content in found for part in content if part[0] == stream["index"]]
        times = np.concatenate([time + step * np.arange(len(items)) for _, time, step, items in mine])
        assert len(times) > 100
        assert np.allclose(np.diff(times), stream["step"])
        assert all(items.shape[1] == stream["rows"] for *_, items in mine)
        assert {items.dtype for *_, items in mine} == {
            np.dtype("u1") if stream["mode"] == "heat" else np.dtype("f4")
        }
    now, content = found[-1]
    latest = max(time + step * len(items) for _, time, step, items in content)
    assert abs(now - latest) < 2.0
    chroma = next(s["index"] for s in about["streams"] if s["output"] == "click.chroma")
    lines = np.concatenate([items for _, content in found for i, _, _, items in content if i == chroma])
    assert set(lines.max(axis=1)) == {255}
    assert (np.sort(lines, axis=1)[:, -2] < 10).all()


def test_only_what_is_watched_is_sent(url):
    async def job(socket: Socket) -> set[int]:
        about = await until(socket, "about")
        index = next(s["index"] for s in about["streams"] if s["output"] == "click.phase")
        await socket.send_json({"do": "watch", "streams": ["click.phase", "no.such"]})
        await asyncio.sleep(0.3)
        seen: set[int] = set()
        began = time.monotonic()
        while time.monotonic() - began < 1.0:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                seen |= {part[0] for part in parts(message.data)[1]}
        assert seen == {index}
        return seen

    over(url, job)


def test_beats_are_told_ahead_and_again_when_they_fall_due(url):
    def of(event: Any) -> bool:
        return event["source"] == "click" and event["kind"] == "beat"

    async def job(socket: Socket) -> tuple[Any, Any]:
        said: dict[int, Any] = {}
        while True:
            message = await socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            content = json.loads(message.data)
            if content["type"] == "ahead":
                said |= {event["key"]: event for event in content["events"] if of(event)}
            elif content["type"] == "event" and of(content["event"]) and content["event"]["key"] in said:
                return said[content["event"]["key"]], content["event"]

    said, beat = over(url, job)
    assert beat["time"] == pytest.approx(said["time"], abs=1e-5)
    assert beat["emitted"] == pytest.approx(beat["time"] - 0.3, abs=0.02)
    assert (beat["bpm"], beat["meter"]) == (120.0, 4)
    assert beat["beat"] == (beat["key"] - 1) % 4 + 1


def test_parameters_change_are_undone_and_done_again(show, url):
    def want(value: float) -> Callable[[Any], bool]:
        return lambda message: message["values"]["click.bpm"] == value

    async def job(socket: Socket) -> Any:
        for value in (100.0, 90.0, 80.0):  # one gesture
            await socket.send_json({"do": "set", "target": "click.bpm", "value": value})
        done = await until(socket, "values", want(80.0))
        await until(socket, "event", lambda m: m["event"].get("bpm") == 80.0)  # the engine has it
        await socket.send_json({"do": "undo"})
        undone = await until(socket, "values", want(120.0))
        await until(socket, "event", lambda m: m["event"].get("bpm") == 120.0)
        await socket.send_json({"do": "redo"})
        again = await until(socket, "values", want(80.0))
        await socket.send_json({"do": "undo"})
        await until(socket, "values", want(120.0))
        return done, undone, again

    done, undone, again = over(url, job)
    assert (done["can_undo"], done["can_redo"]) == (True, False)
    assert (undone["can_undo"], undone["can_redo"]) == (False, True)
    assert (again["can_undo"], again["can_redo"]) == (True, False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"do": "set", "target": "click.bpm", "value": 1000}', "allowed: 30 to 240 BPM"),
        ('{"do": "set", "target": "click.bpm", "value": "fast"}', "is not a number"),
        ('{"do": "set", "target": "click.bmp", "value": 1}', "did you mean 'bpm'"),
        ('{"do": "set", "target": "clack.bpm", "value": 1}', "did you mean 'click'"),
        ('{"do": "set", "target": "click.window", "value": 64}', "cannot change while running"),
        ('{"do": "set"}', "no node or sink"),
        ('{"do": "jump"}', "is no command"),
        ('{"do": "preset", "name": "/etc/passwd"}', "not in the list"),
        ('{"do": "watch", "streams": 3}', "list"),
        ("[1, 2]", "is no command"),
        ("{", "Expecting"),
        ("NaN", "is no command"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(show, url, text, reason):
    before = dict(show.desk.values)

    async def job(socket: Socket) -> Any:
        await socket.send_str(text)
        error = await until(socket, "error")
        await until(socket, "telemetry")  # and the connection lives
        return error["text"]

    assert reason in over(url, job)
    assert show.desk.values == before


def test_commands_come_by_post_too(show, url):
    async def post(command: Any) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.post(url + "/api/do", json=command) as answer:
            return answer.status, await answer.json()

    assert asyncio.run(post({"do": "set", "target": "click.title", "value": "hello"})) == (200, {"ok": True})
    assert show.desk.values["click.title"] == "hello"
    status, answer = asyncio.run(post({"do": "set", "target": "click.title", "value": 3}))
    assert (status, "is not a string" in answer["error"]) == (400, True)
    assert asyncio.run(post({"do": "undo"}))[0] == 200
    assert show.desk.values["click.title"] == ""


def test_server_sent_events(url):
    async def listen() -> list[Any]:
        found: list[Any] = []
        async with aiohttp.ClientSession() as session, session.get(url + "/api/events?kinds=beat") as answer:
            assert answer.content_type == "text/event-stream"
            async for line in answer.content:
                if line.startswith(b"event:"):
                    assert line == b"event: beat\n"
                elif line.startswith(b"data:"):
                    record = json.loads(line[5:])
                    found += [record] if record["source"] == "click" else []
                    if len(found) == 3:
                        return found
        return found

    beats = asyncio.run(asyncio.wait_for(listen(), 20))
    assert np.diff([beat["time"] for beat in beats]) == pytest.approx(0.5, abs=1e-4)


def test_lights_of_the_rig(url):
    async def job(socket: Socket) -> list[Any]:
        await until(socket, "rig", lambda m: any(map(any, m["lights"].values())))
        return [(await until(socket, "rig"))["lights"] for _ in range(4)]

    seen = over(url, job)
    assert all(lights.keys() == {"rig.par1", "rig.par2"} for lights in seen)
    lit = [next(name for name, colour in lights.items() if any(colour)) for lights in seen]
    assert set(lit) == {"rig.par1", "rig.par2"}
    assert {tuple(lights[name]) for lights, name in zip(seen, lit, strict=True)} <= {(255, 0, 0), (0, 0, 255)}


def test_a_browser_that_does_not_read_holds_up_nobody(show, url, console):
    async def run() -> int:
        host, port = "127.0.0.1", console.port
        _, writer = await asyncio.open_connection(host, port, limit=1024)
        writer.write(
            f"GET /api/ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        text = json.dumps(
            {"do": "watch", "streams": ["input.audio", "click.magnitude", "click.chroma"]}
        ).encode()
        mask = b"\0\0\0\0"
        writer.write(b"\x81" + bytes([0x80 | 126]) + struct.pack(">H", len(text)) + mask + text)
        await writer.drain()
        async with aiohttp.ClientSession() as session, session.ws_connect(url + "/api/ws") as socket:
            await socket.send_json({"do": "watch", "streams": ["click.phase"]})
            began, pictures = time.monotonic(), 0
            while time.monotonic() - began < 2.0:
                message = await socket.receive()
                pictures += message.type is aiohttp.WSMsgType.BINARY
        writer.close()
        return pictures

    assert asyncio.run(run()) > 20


def test_a_control_is_learnt_by_moving_it(show, url):
    async def job(socket: Socket) -> Any:
        await socket.send_json({"do": "learn", "target": "click.title"})
        await until(socket, "status", lambda m: m["state"] == "learning")
        with SimpleUDPClient("127.0.0.1", show.osc) as osc:
            osc.send_message("/desk/title", "learnt")
            values = await until(socket, "values", lambda m: "click.title" in m["controls"])
            osc.send_message("/desk/title", "moved")
        await until(socket, "values", lambda m: m["values"]["click.title"] == "moved")
        await socket.send_json({"do": "learn", "target": "click.windo"})
        assert "no live parameter" in (await until(socket, "error"))["text"]
        return values["controls"]["click.title"]

    try:
        assert over(url, job) == ["osc:/desk/title"]
    finally:
        show.desk.undo()


def test_another_preset_and_back(show, url):
    async def job(socket: Socket) -> list[str]:
        about = await until(socket, "about")
        other = next(name for name in about["presets"] if name.endswith("other.toml"))
        names = []
        for name in (other, about["preset"]):
            await socket.send_json({"do": "preset", "name": name})
            message = await until(socket, "about", lambda m, name=name: m["preset"] == name and m["streams"])
            names.append(message["name"])
            await until(socket, "event", lambda m: m["event"]["kind"] == "beat")
        return names

    assert over(url, job) == ["other", "show"]
    wait(lambda: show.desk.snapshot().state == "running")


def test_a_preset_that_does_not_load_is_refused_and_the_show_goes_on(show, url):
    bad = show.folder / "bad.toml"
    bad.write_text("preset = 1\nwires = ['input -> nothing']\n")

    async def job(socket: Socket) -> str:
        await socket.send_json({"do": "preset", "name": str(bad)})
        status = await until(socket, "status", lambda m: m["state"] == "refused")
        await until(socket, "event", lambda m: m["event"]["kind"] == "beat")
        return status["reason"]

    try:
        assert "nothing" in over(url, job)
        assert show.desk.preset.name == "show"
    finally:
        bad.unlink()
