"""Every verb as a user runs it: what it prints, where, and with which status."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from apps.cli import VERBS, main
from apps.demo_music import Piece, compose

PLUGIN = str(Path(__file__).with_name("apps_plugin.py"))
TICKER = """\
name = "ticker"
wires = ["input -> ticker"]
[nodes.ticker]
type = "ticker"
"""


@pytest.fixture
def preset(tmp_path):
    path = tmp_path / "ticker.toml"
    path.write_text(TICKER)
    return str(path)


@pytest.fixture
def song(tmp_path):
    """4.8 seconds of noise at 22.05 kHz, stereo."""
    path = tmp_path / "song.wav"
    noise = 0.1 * np.random.default_rng(0).standard_normal((round(4.8 * 22050), 2))
    soundfile.write(path, noise, 22050)
    return str(path)


def followspot(*arguments: str, **options) -> subprocess.Popen:
    """The program itself, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "apps.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
        # A shell that runs the tests in the background leaves SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


# ---- the program ----------------------------------------------------------------------------------


def test_help_is_quick_and_lists_every_verb():
    script = "import sys, apps.cli\ntry: apps.cli.main(['--help'])\nfinally: print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert all(verb in done.stdout for verb in VERBS)
    assert done.stdout.rstrip().endswith("False")  # loading numba takes longer than all the rest


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_help(verb, capsys):
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    assert f"followspot {verb}" in capsys.readouterr().out


BAD = [
    (["dmo"], "there is no verb 'dmo'; did you mean 'demo'?"),
    (["run"], "the following arguments are required: PRESET; see `followspot run --help`"),
    (["run", "PRESET", "--offlin"], "unrecognized arguments: --offlin"),
    (["run", "PRESET", "--plugin", PLUGIN, "--input", "gone.wav"], "input gone.wav: there is no such file"),
    (["run", "PRESET", "--plugin", PLUGIN, "--input", "PRESET"], "cannot be read as sound"),
    (["run", "PRESET", "--plugin", PLUGIN, "--offline"], "--offline and --realtime are for files"),
    (["run", "PRESET", "--plugin", PLUGIN, "--input", "SONG", "--record", "x"], "add --realtime"),
    (["run", "PRESET", "--plugin", PLUGIN, "--input", "SONG", "--set", "ticker.tempo=1"], "30 to 300 BPM"),
    (["run", "PRESET", "--plugin", PLUGIN, "--input", "SONG", "--set", "input.channels=[7]"], "channel 7"),
    (["run", "PRESET", "--plugin", PLUGIN, "--input", "SONG", "--events", "/gone/x"], "cannot be written"),
    (["run", "PRESET", "--input", "SONG"], "there is no node or sink 'ticker'"),
    (["run", "nothing", "--input", "SONG"], "preset nothing: there is no such file or preset"),
    (["check", "PRESET", "--plugin", "gone.py"], "plug-in gone.py: there is no such file"),
    (["graph", "PRESET", "--plugin", PLUGIN, "--svg", "/gone/x.svg"], "/gone/x.svg: cannot be written"),
    (["bench", "PRESET", "--plugin", PLUGIN, "--seconds", "0"], "give a number above 0"),
    (["nodes", "stftt"], "did you mean 'stft'?"),
    (["new-node", "My-Node"], "is no name for a node"),
    (["new-node", "mine", "--into", "/gone"], "cannot be written"),
    (["check-node", "gone.py:Node"], "there is no such file"),
    (["check-node", f"{PLUGIN}:Tickr"], "did you mean 'ticker'?"),
    (["check-node", PLUGIN], "say which class of the file"),
    (["check-node", "no.such.module:Node"], "cannot be imported"),
    (["check-node", "nodes.spectral.stft:Stf"], "did you mean 'Stft'?"),
    (["replay", "gone"], "is no recorded session"),
    (["beats", "gone.mp3"], "input gone.mp3: there is no such file"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda x: x if isinstance(x, str) else "")
def test_what_is_bad_gives_one_line_and_status_2(arguments, words, preset, song, capsys):
    names = {"PRESET": preset, "SONG": song}
    assert main([names.get(word, word) for word in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("followspot: ")
    assert words in err


def test_a_fault_of_our_own_is_one_line_and_status_1(monkeypatch, preset, capsys):
    monkeypatch.setattr("apps.check.compile_preset", lambda args: 1 / 0)
    assert main(["check", preset]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_ctrl_c_is_quiet(monkeypatch, preset, capsys):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("apps.check.compile_preset", interrupted)
    assert main(["check", preset]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_leaves_is_no_fault(preset, song):
    with followspot("run", preset, "--plugin", PLUGIN, "--input", song, "--events", "-") as program:
        program.stdout.close()
        assert program.stderr.read() == ""
        assert program.wait(60) == 141


# ---- running --------------------------------------------------------------------------------------


def test_offline_events_are_json_lines(preset, song, capsys):
    assert main(["run", preset, "--plugin", PLUGIN, "--input", song, "--offline", "--events", "-"]) == 0
    out, err = capsys.readouterr()
    beats = events(out)
    assert [beat["time"] for beat in beats] == [0.5 * n for n in range(1, 10)]
    assert all(beat["kind"] == "beat" and beat["bpm"] == 120.0 for beat in beats)
    assert all(beat["time"] - 0.25 <= beat["emitted"] <= beat["time"] for beat in beats)
    assert "9 beat" in err


def test_events_go_to_a_file_and_parameters_are_set(preset, song, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    arguments = ["--plugin", PLUGIN, "--set", "ticker.tempo=60", "--events", str(out)]
    assert main(["run", preset, "--input", song, *arguments]) == 0
    assert capsys.readouterr().out == ""
    assert [event["time"] for event in events(out.read_text())] == [1.0, 2.0, 3.0, 4.0]


def test_truncating_a_file_changes_nothing_before(preset, song, tmp_path, capsys):
    music, rate = soundfile.read(song)
    short = tmp_path / "short.wav"
    soundfile.write(short, music[: 3 * rate], rate)
    outputs = []
    for path in (song, str(short)):
        assert main(["run", preset, "--plugin", PLUGIN, "--input", path, "--events", "-"]) == 0
        outputs.append(capsys.readouterr().out.splitlines())
    whole, part = outputs
    assert 0 < len(part) < len(whole)
    assert whole[: len(part)] == part


def test_a_broken_off_file_gives_what_it_has(preset, song, tmp_path, capsys):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(Path(song).read_bytes()[:-200_000])
    assert main(["run", preset, "--plugin", PLUGIN, "--input", str(broken), "--events", "-"]) == 2
    out, err = capsys.readouterr()
    assert len(events(out)) == 5
    assert "breaks off" in err


def test_a_node_that_fails_is_taken_out(preset, song, tmp_path, capsys):
    path = tmp_path / "brittle.toml"
    path.write_text(TICKER.replace('"]', '", "input -> brittle"]') + '[nodes.brittle]\ntype = "brittle"\n')
    assert main(["run", str(path), "--plugin", PLUGIN, "--input", song, "--events", "-"]) == 0
    out, err = capsys.readouterr()
    kinds = [event["kind"] for event in events(out)]
    assert kinds.count("beat") == 9
    assert kinds.count("fault") == 1
    assert "node brittle failed and was taken out: RuntimeError: the spring broke" in err


def test_realtime_recorded_and_replayed_to_the_bit(preset, song, tmp_path, capsys):
    show = tmp_path / "show"
    arguments = [preset, "--plugin", PLUGIN, "--input", song, "--events", "-"]
    program = followspot("run", *arguments, "--realtime", "--record", str(show))
    live, err = program.communicate(timeout=120)
    assert program.returncode == 0, err
    assert main(["replay", str(show)]) == 0
    assert capsys.readouterr().out == live
    assert main(["run", *arguments]) == 0
    assert capsys.readouterr().out == live
    assert "0 gaps" in err


def test_ctrl_c_ends_a_live_run_well(preset, song):
    program = followspot("run", preset, "--plugin", PLUGIN, "--input", song, "--realtime", "--events", "-")
    assert json.loads(program.stdout.readline())["kind"] == "beat"  # flushed while it runs
    time.sleep(0.1)
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=60)
    assert program.returncode == 0
    assert "Traceback" not in err
    assert len(out.splitlines()) < 9


# ---- beats and the demo ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Fifteen seconds of the demo's music."""
    piece = compose()
    path = tmp_path_factory.mktemp("music") / "music.wav"
    soundfile.write(path, piece.samples[: 15 * piece.rate], piece.rate)
    return str(path)


def test_beats_in_a_pipe_are_columns(music, capsys):
    assert main(["beats", music]) == 0
    out, err = capsys.readouterr()
    rows = np.array([[float(cell) for cell in line.split("\t")] for line in out.splitlines()])
    assert len(rows) > 20
    assert np.median(rows[:, 1]) == pytest.approx(112, abs=1)
    assert np.all((rows[:, 2] >= 0) & (rows[:, 2] <= 1))
    assert re.search(r"\d+ beats in 0:15.0, median 11[12]\.\d BPM", err)


def test_beats_as_json(music, capsys):
    assert main(["beats", music, "--json"]) == 0
    beats = [event for event in events(capsys.readouterr().out) if event["kind"] == "beat"]
    assert {"time", "emitted", "bpm", "confidence"} <= set(beats[0])


def test_beats_for_people(music, monkeypatch, capsys):
    monkeypatch.setattr("apps.beats.is_terminal", lambda stream: True)
    assert main(["beats", music]) == 0
    assert re.search(r"^ +0:10\.\d .* 11[12]\.\d BPM  █+", capsys.readouterr().out, re.M)


def test_demo_hears_its_music(capsys):
    assert main(["demo", "--offline"]) == 0
    out, err = capsys.readouterr()
    heard, there = re.search(r"It heard (\d+) of (\d+) beats within 70 ms", err).groups()
    assert int(there) == 65
    assert int(heard) >= 55
    assert len(out.splitlines()) >= int(heard)


def test_demo_at_its_own_pace_shows_a_line(monkeypatch, capsys):
    piece = compose()
    short = Piece(piece.rate, piece.samples[: 4 * piece.rate], piece.beats[:7], piece.downbeats[:2])
    monkeypatch.setattr("apps.demo.compose", lambda rate: short)
    monkeypatch.setattr("apps.demo.is_terminal", lambda stream: True)
    monkeypatch.setattr("apps.demo.loudspeaker", lambda mix, rate: None)
    begun = time.monotonic()
    assert main(["demo"]) == 0
    assert time.monotonic() - begun > 4.0
    assert re.search(r"11[123]\.\d BPM", capsys.readouterr().out)


# ---- looking at presets ---------------------------------------------------------------------------


def test_check(preset, capsys):
    assert main(["check", preset, "--plugin", PLUGIN]) == 0
    assert "sound. 1 node (ticker), 44100 Hz" in capsys.readouterr().out


def test_check_tells_every_fault(tmp_path, capsys):
    path = tmp_path / "bad.toml"
    path.write_text(TICKER.replace("name", "nam") + 'tempo = "fast"\n')
    assert main(["check", str(path), "--plugin", PLUGIN]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_node_that_cannot_be_prepared_is_named(tmp_path, capsys):
    plugin = tmp_path / "careless.py"
    plugin.write_text(Path(PLUGIN).read_text().replace("audio.rate // 4", "audio.rat // 4"))
    path = tmp_path / "p.toml"
    path.write_text(TICKER)
    assert main(["check", str(path), "--plugin", str(plugin)]) == 2
    assert "node ticker: its prepare failed: AttributeError" in capsys.readouterr().err


def test_latency(preset, capsys):
    assert main(["latency", preset, "--plugin", PLUGIN]) == 0
    row = capsys.readouterr().out.splitlines()[-1].split()
    assert row[0] == "ticker.beats"
    assert [float(cell) for cell in row[2:5]] == [-250.0, -122.1, 5.8]


def test_latency_of_a_sink_that_leads(preset, tmp_path, capsys):
    path = tmp_path / "lamp.toml"
    path.write_text(
        TICKER + '[sinks.lamp]\ntype = "osc"\nfrom = ["ticker.beats"]\nlatency_ms = 40\noffset_ms = -20\n'
    )
    assert main(["latency", str(path), "--plugin", PLUGIN]) == 0
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.split()[:2] == ["ticker.beats", "lamp"]
    assert row.endswith("60.0  up to 65.8 ms late")


def test_graph_as_table_mermaid_and_drawing(preset, tmp_path, capsys):
    arguments = ["graph", preset, "--plugin", PLUGIN]
    assert main(arguments) == 0
    assert re.search(r"input.audio +ticker.audio +audio 1 ch 44100 Hz +5.8", capsys.readouterr().out)
    assert main([*arguments, "--mermaid"]) == 0
    mermaid = capsys.readouterr().out
    assert mermaid.startswith("flowchart LR")
    assert "n_input -- " in mermaid
    drawing = tmp_path / "graph.svg"
    assert main([*arguments, "--svg", str(drawing)]) == 0
    texts = " ".join(ElementTree.parse(drawing).getroot().itertext())
    assert "ticker" in texts
    assert "44100 Hz" in texts


def test_graph_without_graphviz_says_what_to_do(preset, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["graph", preset, "--plugin", PLUGIN, "--svg", "-"]) == 2
    assert "apt-get install graphviz" in capsys.readouterr().err


def test_bench(preset, song, capsys):
    assert main(["bench", preset, "--plugin", PLUGIN, "--input", song, "--seconds", "2"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^ticker +\d", out, re.M)
    assert "period: 5805 us" in out
    assert "verdict: " in out


# ---- nodes ----------------------------------------------------------------------------------------


def test_nodes_lists_what_is_there_and_what_is_broken(tmp_path, capsys):
    faulty = tmp_path / "faulty.py"
    faulty.write_text("import there_is_no_such_module\n")
    assert main(["nodes", "--plugin", PLUGIN, "--plugin", str(faulty)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^ticker +audio +events +A beat at a steady tempo", out, re.M)
    assert re.search(rf"^{faulty} +ModuleNotFoundError", out, re.M)


def test_a_nodes_page_comes_from_its_declaration(capsys):
    assert main(["nodes", "ticker", "--plugin", PLUGIN]) == 0
    out = capsys.readouterr().out
    for words in (
        "# ticker",
        "Causal",
        "`audio` (audio)",
        "event `beat`",
        "30 to 300 BPM",
        'type = "ticker"',
    ):
        assert words in out


def test_schema(capsys):
    assert main(["schema", "--plugin", PLUGIN]) == 0
    assert "ticker" in json.dumps(json.loads(capsys.readouterr().out))


def test_new_node_passes_its_own_test(tmp_path, capsys):
    assert main(["new-node", "my_level", "--into", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == [
        str(tmp_path / "my_level.py"),
        str(tmp_path / "test_my_level.py"),
    ]
    test = subprocess.run([sys.executable, "-m", "pytest", "-q", "-W", "error"], cwd=tmp_path, check=False)
    assert test.returncode == 0
    assert main(["new-node", "my_level", "--into", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_check_node(tmp_path, capsys):
    assert main(["check-node", f"{PLUGIN}:Ticker"]) == 0
    assert "ok   causal" in capsys.readouterr().out
    careless = tmp_path / "careless.py"
    careless.write_text(Path(PLUGIN).read_text().replace("Latency: none; it foretells.", ""))
    assert main(["check-node", f"{careless}:Ticker"]) == 1
    out, err = capsys.readouterr()
    assert "FAIL documented" in out
    assert "1 failed" in err


def test_devices_lists_or_says_that_there_are_none(capfd):
    assert main(["devices"]) == 0
    out, _ = capfd.readouterr()
    assert out.startswith("audio input")
    assert "MIDI output" in out
