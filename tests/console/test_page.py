"""The page in a real browser: what is drawn, what the keyboard does, on a phone, without a network."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.console.conftest import wait

#: If set, screenshots are kept there, to be looked at.
KEEP = os.environ.get("FOLLOWSPOT_SCREENSHOTS")

Image = pytest.importorskip("PIL.Image", reason="pictures are read with Pillow")


@pytest.fixture
def page(chromium: Any, url: str, show: Any) -> Any:
    """The page, loaded and running, at 1280 x 900."""
    show.hands_off()
    chromium.set_window_size(1280, 900)
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.get_log("browser")
    chromium.get(url)
    chromium.execute_script("localStorage.clear()")
    wait(lambda: ask(chromium, "return document.querySelector('#pill').textContent") == "an output is down")
    wait(lambda: ask(chromium, "return followspot.music.heard.length") > 1)
    yield chromium
    assert [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"] == []


def ask(page: Any, script: str) -> Any:
    return page.execute_script(script)


def go(page: Any, view: str) -> None:
    page.execute_script(f"location.hash = '{view}'")
    wait(lambda: ask(page, f"return !document.querySelector('#view-{view}').hidden"))


def press(page: Any, key: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(page).send_keys(key).perform()


def shot(page: Any, name: str) -> np.ndarray:
    """The window as an array (height, width, 3); kept as a file if wanted."""
    png = page.get_screenshot_as_png()
    if KEEP:
        Path(KEEP, f"{name}.png").write_bytes(png)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def fits(page: Any) -> bool:
    """Whether nothing sticks out to the right."""
    return ask(page, "return document.documentElement.scrollWidth <= innerWidth")


def strip(page: Any, picture: np.ndarray, title: str) -> np.ndarray:
    """The part of a picture that one strip covers."""
    box = ask(
        page,
        f"return [...document.querySelectorAll('.strip')].find(s => s.textContent.startsWith('{title}'))"
        ".getBoundingClientRect().toJSON()",
    )
    left, top = round(box["left"]), round(box["top"])
    return picture[top : top + round(box["height"]), left : left + round(box["width"])]


def test_monitor_draws_what_is_heard(page):
    go(page, "monitor")
    time.sleep(4)
    picture = shot(page, "monitor")
    assert ask(page, "return document.querySelector('[data-show=bpm]').textContent") == "120.0"
    assert ask(page, "return document.querySelector('[data-show=confidence]').textContent") == "75 %"
    assert ask(page, "return document.querySelector('[data-show=state]').textContent") == "tracking"
    assert int(ask(page, "return document.querySelector('[data-show=bar]').textContent")) > 0
    for title in ("Pulse", "Waveform", "Spectrogram", "Chroma"):
        part = strip(page, picture, title)
        past = part[20:, : int(part.shape[1] * 0.7)]
        assert past.std() > 10, title
    missing = ask(
        page,
        "const strip = followspot.monitor.strips.find(s => s.stream.output === 'click.phase');"
        "const now = followspot.link.now();"
        "return [...strip.visible(now - 3, now - 0.3)].filter(([, at]) => isNaN(strip.values[at])).length",
    )
    assert missing == 0
    # Beats to come are blue lines at the right of now.
    pulse = strip(page, picture, "Pulse")
    future = pulse[:, int(pulse.shape[1] * 0.82) :]
    blue = (future[..., 2] > 90) & (future[..., 2] > future[..., 0] + 40)
    assert blue.any(axis=1).mean() > 0.9  # from top to bottom
    assert 3 <= ask(page, "return followspot.music.coming(followspot.link.now(), 2).length") <= 4
    assert fits(page)


def test_a_beat_flashes_when_it_sounds(page, show):
    """Against the engine's own clock: what the page believes to be now, and the phase of the beat there."""
    errors = []
    for _ in range(20):
        before = show.desk.now()
        theirs = ask(page, "return followspot.link.now()")
        errors.append(theirs - (before + show.desk.now()) / 2)
        time.sleep(0.02)
    assert np.median(np.abs(errors)) < 0.1
    ahead = ask(
        page,
        "const now = followspot.link.now(), at = followspot.music.at(now);"
        "return [(at.time / 0.5) % 1, now - at.time, at.beat]",
    )
    assert min(ahead[0], 1 - ahead[0]) < 0.001
    assert 0 <= ahead[1] < 0.55
    assert ahead[2] in (1, 2, 3, 4)


def test_stage_is_readable_from_three_metres(page):
    go(page, "stage")
    time.sleep(0.5)
    shot(page, "stage")
    height = ask(page, "return innerHeight")
    sizes = ask(
        page,
        "return ['beat', 'bpm'].map(n => parseFloat(getComputedStyle(document.querySelector("
        "`#view-stage [data-show=${n}]`)).fontSize))",
    )
    assert sizes[0] > 0.4 * height
    assert sizes[1] > 0.15 * height
    for beat in ("1", "2", "3", "4"):
        wait(
            lambda beat=beat: (
                ask(page, "return document.querySelector('#view-stage [data-show=beat]').textContent") == beat
            )
        )
    assert fits(page)


def test_keyboard(page, show):
    press(page, "2")
    wait(lambda: ask(page, "return location.hash") == "#stage")
    press(page, "d")
    wait(lambda: show.desk.values["conductor.octave"] == "double")
    wait(
        lambda: "on" in ask(page, "return [...document.querySelectorAll('#hands button.on')].map(b => 'on')")
    )
    press(page, "l")
    wait(lambda: show.desk.values["conductor.lock"] is True)
    press(page, "z")
    wait(lambda: show.desk.values["conductor.lock"] is False)
    press(page, "z")
    wait(lambda: show.desk.values["conductor.octave"] == "heard")
    press(page, "b")
    wait(lambda: show.desk.values["rig.blackout"] is True)
    press(page, "b")
    wait(lambda: show.desk.values["rig.blackout"] is False)
    press(page, "b")
    press(page, "b")  # before the first has got about
    press(page, "b")
    blackouts = ("rig.blackout", "conductor.blackout")
    wait(lambda: all(show.desk.values[target] is True for target in blackouts))
    show.desk.set("rig.blackout", False)  # by other hands: half of it is out
    wait(lambda: ask(page, "return followspot.hands.values['rig.blackout']") is False)
    press(page, "b")
    wait(lambda: not any(show.desk.values[target] for target in blackouts))
    press(page, "?")
    assert ask(page, "return document.querySelector('#help').open")
    ask(page, "document.querySelector('#help').close()")


def test_tapping_sets_tempo_and_phase(page, show):
    state = "return document.querySelector('#view-stage [data-show=state]').textContent"
    go(page, "stage")
    while show.desk.can_undo:
        show.desk.undo()

    def conducted():
        """Taps on until it is conducted: taps that come too unevenly are no tempo."""
        press(page, " ")
        time.sleep(0.4)
        return ask(page, state) == "conducted"

    wait(conducted, 60)
    wait(lambda: 60.0 < ask(page, "return followspot.music.bpm") < 170.0)
    assert not show.desk.can_undo  # a tap is no change that could be taken back
    shot(page, "tapped")
    press(page, "r")
    wait(lambda: ask(page, state) == "tracking")


def test_parameters_are_edited_and_undone(page, show):
    press(page, "r")  # whatever was tapped before
    go(page, "controls")
    shot(page, "controls")
    field = page.find_element("id", "param-click.bpm")
    field.clear()
    field.send_keys("90\n")
    wait(lambda: show.desk.values["click.bpm"] == 90.0)
    wait(lambda: ask(page, "return document.querySelector('[data-show=bpm]').textContent") == "90.0")
    page.find_element("id", "undo").click()
    wait(lambda: show.desk.values["click.bpm"] == 120.0)
    wait(lambda: page.find_element("id", "param-click.bpm").get_property("value") == "120")
    field.clear()
    field.send_keys("9999\n")
    wait(lambda: "allowed: 30 to 240" in ask(page, "return document.querySelector('#toast').textContent"))
    assert show.desk.values["click.bpm"] == 120.0
    page.find_element("id", "find").send_keys("rig blackout")
    shown = "return [...document.querySelectorAll('.param')].filter(p => p.offsetParent).length"
    assert ask(page, shown) == 1


def test_graph_and_engine(page):
    go(page, "graph")
    time.sleep(0.5)
    picture = shot(page, "graph")
    assert picture.std() > 5
    assert "click" in ask(page, "return document.querySelector('#drawing').textContent")
    assert "µs" in ask(page, "return document.querySelector('#drawing').textContent")
    go(page, "engine")
    time.sleep(0.5)
    shot(page, "engine")
    text = ask(page, "return document.querySelector('#view-engine').innerText")
    for word in ("retrying", "nobody answers", "click", "Xruns", "rig", "par2"):
        assert word in text, word
    colours = ask(page, "return [...document.querySelectorAll('#rig i')].map(i => i.style.background)")
    assert {"rgb(255, 0, 0)", "rgb(0, 0, 255)"} & set(colours)


def test_on_a_phone(page):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True},
    )
    for view in ("monitor", "stage", "controls", "graph", "engine"):
        go(page, view)
        time.sleep(0.5)
        shot(page, f"phone-{view}")
        assert fits(page), view
    go(page, "stage")
    size = ask(page, "return document.querySelector('#hands button').getBoundingClientRect().height")
    assert size >= 44  # a thumb
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_comes_from_elsewhere(page, url):
    sources = ask(page, "return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert sources
    assert all(source.startswith(url) for source in sources)


def test_it_finds_back_after_a_restart_of_the_server(page, console, show):
    from apps.console.server import Console

    console.close()
    wait(lambda: ask(page, "return document.querySelector('#pill').textContent") == "no connection")
    again = Console(show.desk, f"127.0.0.1:{console.port}")
    try:
        wait(lambda: ask(page, "return document.querySelector('#pill').textContent") == "an output is down")
        before = ask(page, "return followspot.link.pictures")
        wait(lambda: ask(page, "return followspot.link.pictures") > before + 10)
        page.get_log("browser")  # it says itself that the connection was lost
    finally:
        show.desk.faces.remove(again)
        again.close()
        page.get("about:blank")
        page.get_log("browser")
