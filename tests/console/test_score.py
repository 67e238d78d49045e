"""The score on the page: engraved, lit, turned in time, on a phone, by keyboard, and as a piano roll."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest
import soundfile

from apps.console.server import Console
from apps.score_view.engraver import Layout, _page
from apps.score_view.pages import ScorePages
from apps.score_view.printed import load_printed
from engine.errors import FollowspotError
from engine.events import Event
from nodes.follow.made_up import made_up_notes, made_up_score, play
from tests.console.conftest import RATE, wait
from tests.console.scores import BARS, REPEATED, musicxml
from tests.console.test_page import ask, fits, press, shot

BAR = 2.0  # seconds


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("score") / "slow movement.musicxml"
    path.write_text(musicxml())
    return path


def opened(chromium: Any, console: Console, size: tuple[int, int] = (1280, 800)) -> Any:
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 500},
    )
    chromium.get_log("browser")
    chromium.get(console.urls[0])
    wait(lambda: ask(chromium, "return window.followspot?.view.shown.length > 0"))
    return chromium


@pytest.fixture(scope="module")
def pages(score: Path) -> Any:
    pytest.importorskip("verovio", reason="engraving needs the extra score")
    pages = ScorePages(score)
    yield pages
    pages.close()


@pytest.fixture
def console(show: Any, pages: ScorePages) -> Any:
    console = Console(show.desk, "127.0.0.1:0", front=pages.front)
    yield console
    show.desk.faces.remove(console)
    console.close()


def say(console: Console, seconds: float, state: str = "tracking", speed: float = 1.0) -> None:
    """The follower's word, ten times in a row as if time passed, ending at `seconds` of the score."""
    now = console.desk.now()
    for k in range(10, -1, -1):
        at = round((now - 0.02 * k) * RATE)
        place = seconds - 0.02 * k * speed
        values = {"seconds": place, "bpm": 120.0 * speed, "confidence": 0.8, "state": state}
        console.event(Event("position", at, at, "follower", values=values))


def test_every_note_of_the_score_is_on_a_page(console, pages):
    def fetch(path: str) -> Any:
        with urllib.request.urlopen(console.urls[0] + path) as answer:
            return json.load(answer)

    timeline = fetch("score/timeline")
    layout = fetch("score/layout?width=640&height=700&scale=40")
    assert timeline["kind"] == "engraved"
    assert len(timeline["notes"]) == (BARS + REPEATED) * 6
    assert len(layout["page_of"]) == len(timeline["notes"])
    assert set(layout["page_of"]) == set(range(1, layout["pages"] + 1))
    # What is repeated is printed once.
    first = {name for on, *_, name in timeline["notes"] if on < REPEATED * BAR}
    again = {name for on, *_, name in timeline["notes"] if REPEATED * BAR <= on < 2 * REPEATED * BAR}
    assert first == again
    assert [number for _, number in timeline["bars"]] == [1, 2, 3, 4, 1, 2, 3, 4, *range(5, BARS + 1)]
    for bad in ("width=9&height=700&scale=40", "width=640&height=700&scale=x"):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            fetch(f"score/layout?{bad}")


def test_playing_notes_are_lit_and_the_cursor_stands_there(chromium, console):
    page = opened(chromium, console)
    wait(lambda: ask(page, "return document.querySelectorAll('.leaf > svg').length") == 2)
    say(console, 1.1)
    wait(lambda: ask(page, "return followspot.performer.state") == "tracking")

    def lit():
        say(console, 1.1, speed=0.0)
        return sorted(ask(page, "return [...document.querySelectorAll('.playing')].map(n => n.id)"))

    expected = {name for on, off, _, name in load_printed_notes(console) if on <= 1.1 < off}
    assert len(expected) == 2
    wait(lambda: lit() == sorted(expected))
    say(console, 1.1, speed=0.0)
    cursor, head = ask(
        page,
        "const box = q => document.querySelector(q).getBoundingClientRect().toJSON();"
        "return [box('.cursor'), box('.playing .notehead')]",
    )
    assert abs(cursor["x"] - head["x"]) < 60
    assert cursor["top"] < head["top"] < cursor["bottom"] + 40
    shot(page, "score")
    assert ask(page, "return document.querySelector('#pill').textContent") == "tracking"
    assert fits(page)
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []


def load_printed_notes(console: Console) -> list[list[Any]]:
    with urllib.request.urlopen(console.urls[0] + "score/timeline") as answer:
        return json.load(answer)["notes"]


def test_on_a_phone_the_page_is_turned_before_its_end_and_back_for_the_repeat(chromium, console):
    page = opened(chromium, console, (390, 780))
    shown = "return followspot.view.shown"
    wait(lambda: ask(page, shown) == [1])
    page_of = ask(page, "return followspot.view.pageOf")
    notes = load_printed_notes(console)
    assert fits(page)
    # The first note of the second page, and where it is played before.
    turn = next(on for (on, *_), number in zip(notes, page_of, strict=True) if number == 2)

    def at(seconds: float) -> Any:
        def there():
            say(console, seconds)
            return ask(page, shown)

        return there

    wait(lambda: at(turn - 3.0)() == [1])
    wait(lambda: at(turn - 0.7)() == [2])  # before its first note sounds
    wait(lambda: at(turn + 0.5)() == [2])
    shot(page, "score-phone")
    wait(lambda: at(1.0)() == [1])  # the performer begins anew
    press(page, "\ue014")  # right arrow
    wait(lambda: ask(page, shown) == [2])
    say(console, 1.0)
    time.sleep(0.3)
    assert ask(page, shown) == [2]  # looked at by hand: not turned back
    press(page, "f")
    wait(lambda: at(1.0)() == [1])
    press(page, "p")
    assert ask(page, "return document.body.classList.contains('paper')")
    shot(page, "score-paper")
    press(page, "p")
    say(console, 1.0, state="lost")
    wait(lambda: ask(page, "return document.querySelector('#pill').textContent") == "lost")


def test_midi_is_shown_as_a_piano_roll(chromium, show):
    pages = ScorePages(made_up_score())
    console = Console(show.desk, "127.0.0.1:0", front=pages.front)
    try:
        page = opened(chromium, console)
        say(console, 3.0)
        wait(lambda: ask(page, "return followspot.performer.state") == "tracking")
        say(console, 3.0)
        time.sleep(0.2)
        picture = shot(page, "score-roll")
        amber = (picture[..., 0] > 200) & (picture[..., 2] < 110) & (picture[..., 1] > 140)
        assert amber[60:-60].sum() > 100
        assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    finally:
        show.desk.faces.remove(console)
        console.close()


def test_compressed_scores_and_doubled_names(tmp_path):
    text = re.sub("<note>", "<note id='same'>", musicxml(4))
    path = tmp_path / "score.mxl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "META-INF/container.xml",
            "<container><rootfiles><rootfile full-path='in.musicxml'/></rootfiles></container>",
        )
        archive.writestr("in.musicxml", text)
    timeline = load_printed(path).timeline()
    assert len({name for *_, name in timeline["notes"]}) == 4 * 6


@pytest.mark.parametrize("text", ["", "<score-partwise>", "no score at all"])
def test_a_broken_score_is_one_line(tmp_path, text):
    path = tmp_path / "broken.musicxml"
    path.write_text(text)
    with pytest.raises(FollowspotError, match=r"broken.musicxml: cannot be read \(") as caught:
        load_printed(path)
    assert "\n" not in str(caught.value)


def test_the_verb_serves_the_score(tmp_path):
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, play(made_up_notes(), RATE, 12.0), RATE)
    command = [sys.executable, "-m", "apps.cli", "follow", str(made_up_score()), "--input", str(sound)]
    with subprocess.Popen(
        [*command, "--view", "--bind", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith("score: http://127.0.0.1:")
            url = line.split()[1]
            with urllib.request.urlopen(url) as answer:
                assert b"/score/score.js" in answer.read()
        finally:
            process.terminate()
            process.communicate(timeout=30)


def test_the_picture_is_free_of_styles_that_the_browser_would_refuse(pages, monkeypatch):
    import apps.score_view.engraver as engraver

    monkeypatch.setattr(engraver, "_engraving", pages.printed.engraving)
    svg = _page(Layout(640, 700, 40), 1)
    assert "<style" not in svg and ' style="' not in svg
    assert svg.count('class="note"') > 20
