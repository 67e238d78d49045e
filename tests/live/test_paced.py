"""A file at the pace of real time, through the same engine process as a live input."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.audio.files import AudioFile
from engine.errors import FollowspotError
from engine.events import Event
from engine.live.replay import replay
from engine.live.session import Session, full_record
from engine.live.supervisor import Supervisor
from engine.offline import collect
from engine.plan import compile_graph
from engine.preset import PresetSource
from engine.runner import Runner
from tests.live.conftest import RATE, Build


def offline(source: PresetSource, file: Path) -> list[Event]:
    """What the preset says about the file offline, without its sinks."""
    graph = source.load().build()
    graph.wires = [(a, b) for a, b in graph.wires if b not in graph.sinks]
    graph.sinks.clear()
    return collect(Runner(compile_graph(graph)), AudioFile(file, graph.rate, graph.quantum).blocks())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_events_are_those_of_an_offline_run_to_the_bit(show: Build, music: Path, tmp_path: Path) -> None:
    source = show()
    events: list[Event] = []
    supervisor = Supervisor(source, file=music, record=tmp_path / "session", events=events.append)
    began = time.monotonic()
    supervisor.run()
    assert time.monotonic() - began > 4.0
    expected = offline(source, music)
    assert len(expected) > 12
    assert events == expected
    again: list[Event] = []
    replay(tmp_path / "session", again.append)
    assert again == expected
    written = lines(tmp_path / "session" / "take-1" / "events.jsonl")
    assert written == [full_record(event) for event in expected]


def test_sinks_fire_on_time_and_ahead_by_their_latency(show: Build, music: Path, tmp_path: Path) -> None:
    log, lamp, file = tmp_path / "log", tmp_path / "lamp", tmp_path / "file"
    source = show(
        f'[sinks.log]\ntype = "lines"\nfrom = ["onsets.events", "onsets.level"]\npath = "{log}"\n'
        f'[sinks.lamp]\ntype = "lines"\nfrom = ["onsets.events"]\npath = "{lamp}"\nlatency_ms = 80.0\n'
        f'[sinks.file]\ntype = "log"\nfrom = ["onsets.events"]\npath = "{file}"\n'
    )
    with Supervisor(source, file=music) as supervisor:
        assert supervisor.join(30)
        snapshot = supervisor.snapshot()
    beats = [line for line in lines(log) if line["kind"] == "beat"]
    ahead = [line for line in lines(lamp) if line["kind"] == "beat"]
    assert len(beats) >= 7
    assert {line["bpm"] for line in beats} == {120.0}  # the amended ones, and only those
    assert 0.0 <= np.min([line["late"] for line in beats]) < 20.0
    assert -80.0 <= np.min([line["late"] for line in ahead]) < -60.0
    frames = [line["time"] for line in lines(log) if line["kind"] == "frame"]
    assert frames == list(range(0, 512 * len(frames), 512))
    assert len(frames) > 4 * RATE / 512 - 2
    offline_times = [event.time for event in offline(show(), music)]
    assert [line["time"] for line in lines(file)] == offline_times
    assert snapshot.state == "ended"
    assert snapshot.sinks["log"].fired == len(lines(log)) - len(frames)
    assert snapshot.loads["onsets"][0] > 0
    assert snapshot.position > 4 * RATE - 256


def test_a_broken_and_a_slow_sink_delay_nobody(show: Build, music: Path, tmp_path: Path) -> None:
    good, dead, slow, broken = (tmp_path / name for name in ("good", "dead", "slow", "broken"))
    broken.touch()
    template = '[sinks.{0}]\ntype = "lines"\nfrom = ["onsets.events"]\npath = "{1}"\n{2}\n'
    source = show(
        template.format("good", good, "")
        + template.format("dead", dead, f'broken = "{broken}"')
        + template.format("slow", slow, "slow_ms = 300.0")
    )
    told: list[tuple[str, str, str]] = []
    with Supervisor(source, file=music, status=lambda *words: told.append(words)) as supervisor:
        time.sleep(1.5)
        assert supervisor.snapshot().sinks["dead"].status == "retrying"
        broken.unlink()
        time.sleep(1.3)
        assert supervisor.snapshot().sinks["dead"].status == "ok"
        assert supervisor.join(30)
        health = supervisor.snapshot().sinks
    assert ("sink dead", "retrying", "the receiver is gone") in told
    assert ("sink dead", "ok", "") in told
    assert 0 < len(lines(dead)) < len(lines(good))
    # The slow one takes 300 ms an event.
    assert np.median([line["late"] for line in lines(good) if line["kind"] == "beat"]) < 100.0
    assert health["good"].late_p50 < 100.0
    assert health["dead"].failures > 1
    assert health["dead"].stale > 0


def test_parameters_change_live_and_in_the_replay(show: Build, music: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    told: list[tuple[str, str, str]] = []
    with Supervisor(
        show(),
        file=music,
        record=tmp_path / "session",
        events=events.append,
        status=lambda *words: told.append(words),
    ) as supervisor:
        time.sleep(1.2)
        supervisor.set("onsets.threshold", 0.9)
        supervisor.set("onsets.treshold", 0.1)
        time.sleep(1.0)
        supervisor.set("onsets.threshold", 0.2)
        assert supervisor.join(30)
    assert ("command", "refused", "onsets has no parameter 'treshold'; did you mean 'threshold'?") in told
    journal = lines(tmp_path / "session" / "take-1" / "journal.jsonl")
    assert [(line["do"], line["value"]) for line in journal] == [("change", 0.9), ("change", 0.2)]
    onsets = [event.time / RATE for event in events if event.kind == "onset"]
    assert not [at for at in onsets if 1.4 < at < 2.1]
    assert [at for at in onsets if at > 2.5]
    again: list[Event] = []
    replay(tmp_path / "session", again.append)
    assert again == events
    paced: list[Event] = []
    Supervisor(show(), replay=tmp_path / "session", events=paced.append).run()
    assert paced == events


def test_late_deferred_work_is_replayed(show: Build, music: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    supervisor = Supervisor(show(slow=True), file=music, record=tmp_path / "session", events=events.append)
    supervisor.run()
    journal = lines(tmp_path / "session" / "take-1" / "journal.jsonl")
    assert "late" in {line["do"] for line in journal}
    again: list[Event] = []
    replay(tmp_path / "session", again.append)
    assert again == events
    assert len([event for event in events if event.kind == "sum"]) > 50


def test_a_killed_engine_comes_back_and_the_session_stays_whole(
    show: Build, music: Path, tmp_path: Path
) -> None:
    events: list[Event] = []
    told: list[str] = []
    with Supervisor(
        show(),
        file=music,
        record=tmp_path / "session",
        events=events.append,
        status=lambda what, state, reason: told.append(state),
    ) as supervisor:
        time.sleep(1.2)
        assert supervisor.pid is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        assert supervisor.join(60)
    assert supervisor.restarts == 1
    assert "restarting" in told
    gap = next(event for event in events if event.kind == "gap")
    assert gap.time == 0  # of the second process: nothing was heard until it ran
    session = Session.open(tmp_path / "session")
    assert len(session.takes) == 2
    again: list[Event] = []
    replay(tmp_path / "session", again.append)
    assert set(map(str, again)) >= {str(event) for event in events if event.time < 0.5 * RATE}
    kept = [len(list(session.items(take))) for take in session.takes]
    assert kept[0] > 20


def test_faults_before_the_start_are_one_line(show: Build, music: Path, tmp_path: Path) -> None:
    for choice, fault in {
        "file": (tmp_path / "none.wav", "no such file"),
        "replay": (tmp_path, "is no recorded session"),
    }.items():
        with pytest.raises(FollowspotError, match=fault[1]):
            Supervisor(show(), **{choice: fault[0]}).run()
    with pytest.raises(FollowspotError, match="is there already"):
        Supervisor(show(), file=music, record=tmp_path).run()


def test_a_file_that_breaks_off_is_played_to_there(show: Build, music: Path) -> None:
    music.write_bytes(music.read_bytes()[: music.stat().st_size // 2])
    events: list[Event] = []
    with pytest.raises(FollowspotError, match="breaks off at 2"):
        Supervisor(show(), file=music, events=events.append).run()
    assert len(events) > 4
