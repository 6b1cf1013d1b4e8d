"""Who may use the page: this machine, at the address that was printed, and no other page.

Any page that a browser has open may send requests to 127.0.0.1, and a name on the network may be
made to stand for it. So the address holds a secret, the name in it is the one that is listened on,
and a request that another page causes is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = (
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


def new_token() -> str:
    """A secret that nobody guesses."""
    return secrets.token_urlsafe(24)


class Guard:
    """Lets only requests through that come from the page itself, or from the address bar.

    Args:
        application: sees the path without the token.
        token: the first part of each path.
        port: that is listened on.
    """

    def __init__(self, application: Application, token: str, port: int) -> None:
        self._application = application
        self._token = token.encode()
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it, as ASGI has it."""
        if scope["type"] != "http":
            return
        rest = self._rest_of_path(scope)
        if rest is None:
            await _refuse(send)
            return

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self._application({**scope, "path": rest, "raw_path": None}, receive, guarded)

    def _rest_of_path(self, scope: Scope) -> str | None:
        """The path after the token; None for a request that is refused."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        host = headers.get(b"host", [])
        if len(host) != 1 or host[0] not in self._hosts:
            return None
        if any(origin != b"http://" + host[0] for origin in headers.get(b"origin", ())):
            return None
        came = headers.get(b"sec-fetch-site", ())
        if any(site not in (b"same-origin", b"none") for site in came):
            return None
        _, token, *rest = (*scope["path"].split("/", 2), "")[:3]
        if not secrets.compare_digest(token.encode(errors="replace"), self._token):
            return None
        return "/" + rest[0]


async def _refuse(send: Send) -> None:
    text = b"Open the address that `vireid browse` printed, whole, in a tab of its own.\n"
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": [*headers, *HEADERS]})
    await send({"type": "http.response.body", "body": text})
