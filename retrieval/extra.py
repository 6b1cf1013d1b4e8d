"""What the commands around an index need beyond the toolkit's own requirements."""

from __future__ import annotations

from typing import Any

from ..errors import optional_library


def lancedb() -> Any:
    """The library that keeps the table.

    Returns:
        The module.

    Raises:
        UserError: it is not installed; says how to.
    """
    return optional_library("lancedb", "an index is kept by LanceDB", extra="footage")


def require_web_server() -> None:
    """Makes sure that `vireid browse` finds its server, and the framework that its pages need.

    Raises:
        UserError: one of the two is not installed; says how to.
    """
    for name, shown in (("starlette", "Starlette"), ("uvicorn", "uvicorn")):
        optional_library(name, f"the page is served by {shown}", extra="footage")
