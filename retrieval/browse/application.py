"""The web application: the page, and its requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ...errors import UserError, explain_system_error
from ...page_templates import allowed, page_templates
from ...reading import parse_json
from .access import Guard
from .session import READ, WRITE, Missing, Session

TEMPLATES = Path(__file__).parents[1] / "templates"
SCRIPTS = tuple(f"browse_{name}.js" for name in ("page", "timeline", "compare", "people"))
LARGEST = 1 << 16  # bytes of a request


def application(session: Session, token: str, port: int) -> Guard:
    """The application as a server takes it.

    Args:
        session: answers.
        token: that every address holds.
        port: that is listened on.
    """
    routes = [Route("/", _page())]
    routes += [Route(f"/api/{name}", _reading(session, name)) for name in READ]
    routes += [Route(f"/api/{name}", _writing(session, name), methods=["POST"]) for name in WRITE]
    return Guard(Starlette(routes=routes), token, port)


def _page() -> Callable[[Request], Response]:
    """The page; it is the same for every index, and runs no script but its own."""
    scripts = [(TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS]
    style = (TEMPLATES / "browse.css").read_text(encoding="utf-8")
    template = page_templates(TEMPLATES).get_template("browse.html.j2")
    text = template.render(style=style, scripts=scripts)
    policy = (
        f"default-src 'none'; script-src {' '.join(map(allowed, scripts))}; "
        f"style-src {allowed(style)}; img-src data:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )

    def show(request: Request) -> Response:
        return HTMLResponse(text, headers={"content-security-policy": policy})

    return show


def _reading(session: Session, name: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await run_in_threadpool(_answer, session, name, dict(request.query_params))

    return answer


def _writing(session: Session, name: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        if request.headers.get("content-type") != "application/json":
            return _said("expected application/json", 415)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST:
                return _said("the request is too large", 413)
        try:
            values = parse_json(body)
            if not isinstance(values, dict):
                raise ValueError("expected values by name")
        except ValueError as error:
            return _said(str(error), 400)
        return await run_in_threadpool(_answer, session, name, values)

    return answer


def _answer(session: Session, name: str, values: dict[str, Any]) -> Response:
    try:
        return JSONResponse(session.answer(name, values))
    except Missing as error:
        return _said(str(error), 404)
    except UserError as error:
        return _said(str(error), 409)
    except OSError as error:
        return _said(explain_system_error(error)[0], 507)
    except ValueError as error:
        return _said(str(error), 400)


def _said(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status)
