"""Nobody drives the show who should not: other origins, other names of this machine, no token."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from apps.console.server import Console
from apps.console.site import parse_bind
from engine.errors import FollowspotError


def ask(url: str, path: str = "/api/telemetry", **more: Any) -> tuple[int, str, Any]:
    """(status, text, headers) of a request."""

    async def request() -> tuple[int, str, Any]:
        async with aiohttp.ClientSession(cookies=more.pop("cookies", None)) as session:
            method = more.pop("method", "GET")
            async with session.request(method, url + path, allow_redirects=False, **more) as answer:
                return answer.status, await answer.text(), answer.headers

    return asyncio.run(request())


def connect(url: str, **headers: str) -> int:
    """Status of the WebSocket's handshake; 101 if it opens."""

    async def shake() -> int:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(url + "/api/ws", headers=headers),
            ):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status

    return asyncio.run(shake())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "192.168.7.7"])
def test_addresses_and_own_names_are_served(console, url, host):
    assert ask(url, headers={"Host": f"{host}:{console.port}"})[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""])
def test_a_foreign_name_that_points_here_gets_nothing(console, url, host):
    assert ask(url, headers={"Host": f"{host}:{console.port}"})[0] in (400, 403)
    assert connect(url, Host=f"{host}:{console.port}") in (400, 403)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_no_other_origin_drives_it(show, url, origin):
    before = show.desk.values["click.bpm"]
    command = {"do": "set", "target": "click.bpm", "value": 99.0}
    assert connect(url, Origin=origin) == 403
    assert ask(url, "/api/do", method="POST", json=command, headers={"Origin": origin})[0] == 403
    assert ask(url, "/api/events", headers={"Origin": origin})[0] == 403
    assert show.desk.values["click.bpm"] == before


def test_its_own_origin_does(url):
    assert connect(url, Origin=url) == 101


def test_a_form_or_a_plain_post_of_a_page_does_not_drive_it(url):
    text = json.dumps({"do": "undo"})
    assert ask(url, "/api/do", method="POST", data=text, headers={"Content-Type": "text/plain"})[0] == 415
    assert ask(url, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})[0] == 403
    assert ask(url, "/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})[0] == 200


def test_every_answer_forbids_frames_and_foreign_sources(url):
    for path in ("/", "/page/main.js", "/api/about", "/nothing"):
        headers = ask(url, path)[2]
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in headers


def test_only_the_page_is_served(url):
    for path in ("/page/../server.py", "/page/%2e%2e/server.py", "/page//etc/passwd", "/page/"):
        assert ask(url, path)[0] in (403, 404)


def test_other_machines_need_the_token(show):
    console = Console(show.desk, "0.0.0.0:0")
    try:
        url, token = f"http://127.0.0.1:{console.port}", console.guard.token
        assert len(token) >= 20
        assert f"token={token}" in console.urls[0]
        assert ask(url)[0] == 401
        assert connect(url) == 401
        assert ask(url, "/api/events")[0] == 401
        assert ask(url, "/page/main.js")[0] == 401
        status, text, _ = ask(url, "/")
        assert (status, "Token" in text) == (401, True)
        assert ask(url, "/?token=wrong")[0] == 403
        assert ask(url, headers={"Authorization": "Bearer wrong"})[0] == 401
        assert ask(url, headers={"Authorization": f"Bearer {token}"})[0] == 200
        assert connect(url, Authorization=f"Bearer {token}") == 101
        assert ask(url, "/api/telemetry?token=" + token)[0] == 401  # only the page takes it so
        status, _, headers = ask(url, "/?token=" + token)
        assert (status, headers["Location"]) == (303, "/")
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert ask(url, "/", headers={"Cookie": cookie.partition(";")[0]})[0] == 200
        assert connect(url, Authorization=f"Bearer {token}", Origin="http://evil.example") == 403
    finally:
        show.desk.faces.remove(console)
        console.close()


def test_where_it_binds():
    assert parse_bind("0.0.0.0") == ("0.0.0.0", 0)
    assert parse_bind("192.168.1.5:80") == ("192.168.1.5", 80)
    assert parse_bind(":8080") == ("0.0.0.0", 8080)
    assert parse_bind("[::1]:99") == ("::1", 99)
    with pytest.raises(FollowspotError, match="HOST:PORT"):
        parse_bind("here:there")


def test_a_taken_port_is_said(show, console):
    with pytest.raises(FollowspotError, match="free port"):
        Console(show.desk, f"127.0.0.1:{console.port}")
