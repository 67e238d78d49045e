"""Who may use the console: this machine, or whoever has the token; never a page of another origin.

Three checks on every request. Host: it must name this machine by address or by its own name, so that a
foreign name that is made to point here (DNS rebinding) gets nothing. Origin: where a browser tells it, it
must be ours, so that a page of somebody else cannot drive the show. Token: asked for as soon as the console
can be reached from other machines.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Sent with every answer: nothing from elsewhere is loaded, and nobody frames the page.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_LOGIN = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Followspot</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/page/style.css">
<body class="login"><form action="/" method="get"><h1>Followspot</h1>
<label>Token <input name="token" type="password" autocomplete="off" autofocus required></label>
<button>Open the console</button>
<p>It is printed where Followspot was started.</p></form></body></html>"""


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach a server bound to `address`."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class Guard:
    """The middleware.

    Parameters
    ----------
    token : what must be shown, or "" if nothing.
    names : host names, besides addresses, under which the console may be asked for.
    """

    def __init__(self, token: str = "", names: tuple[str, ...] = ()) -> None:
        self.token = token
        own = socket.gethostname().lower()
        self._names = {"localhost", own, f"{own.partition('.')[0]}.local", *names}

    @web.middleware
    async def middleware(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Let the request through, or answer it with what is wrong."""
        refusal = self._refuse(request)
        if refusal is None and self.token and not self._has_token(request):
            refusal = self._ask(request)
        return await handler(request) if refusal is None else refusal

    async def sign(self, request: web.Request, response: web.StreamResponse) -> None:
        """Put the headers that every answer has on this one; a signal of the application."""
        response.headers.update(_HEADERS)

    def _refuse(self, request: web.Request) -> web.Response | None:
        host = request.headers.get("Host", "")
        if not self._is_ours(host):
            return web.Response(status=403, text="Followspot: ask for it by address or by its own name\n")
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{host}".lower():
            return web.Response(status=403, text="Followspot: no other origin may use the console\n")
        foreign = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
        if foreign and request.headers.get("Sec-Fetch-Mode") != "navigate":
            return web.Response(status=403, text="Followspot: no other site may use the console\n")
        return None

    def _is_ours(self, host: str) -> bool:
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        name = name.strip("[]").lower()
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def cookie(self, request: web.Request) -> str:
        """Name of the cookie: cookies know no ports, and two shows may run on one machine."""
        return f"followspot-{request.host.rpartition(':')[2]}"

    def matches(self, given: str) -> bool:
        """Whether this is the token."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _has_token(self, request: web.Request) -> bool:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        given = bearer if scheme == "Bearer" else request.cookies.get(self.cookie(request), "")
        return self.matches(given)

    def _ask(self, request: web.Request) -> web.Response | None:
        """The answer to a request without the token; None where that is allowed."""
        if request.path == "/page/style.css":
            return None
        if request.path != "/":
            return web.json_response({"error": "token needed: Authorization: Bearer TOKEN"}, status=401)
        given = request.query.get("token", "")
        if not self.matches(given):
            return web.Response(status=401 if not given else 403, text=_LOGIN, content_type="text/html")
        response = web.Response(status=303, headers={"Location": "/"})  # the token leaves the address bar
        response.set_cookie(self.cookie(request), given, httponly=True, samesite="Strict", max_age=30 * 86400)
        return response
