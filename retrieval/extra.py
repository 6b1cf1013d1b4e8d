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
