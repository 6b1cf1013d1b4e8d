"""Listening on this machine, and the server."""

from __future__ import annotations

import socket

import uvicorn

from ...errors import UserError
from .application import application
from .session import Session


def listen(port: int) -> socket.socket:
    """Listens on this machine alone.

    Args:
        port: 0 takes a free one.

    Raises:
        UserError: the port is taken, or not for this user.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(("127.0.0.1", port))
        opened.listen(128)
    except OSError as error:
        opened.close()
        raise UserError(
            f"--port {port} cannot be listened on ({error.strerror}); give another one, or leave "
            "it out to take a free one"
        ) from error
    return opened


def server(session: Session, token: str, opened: socket.socket) -> uvicorn.Server:
    """The server of one index, ready to be given the socket.

    Args:
        session: answers.
        token: that every address holds.
        opened: what :func:`listen` gave.
    """
    config = uvicorn.Config(
        application(session, token, opened.getsockname()[1]),
        access_log=False,  # it would hold the token
        log_level="warning",
        lifespan="off",
        ws="none",
        # A browser keeps connections open, and Ctrl-C is not to wait for them.
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
