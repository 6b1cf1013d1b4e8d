"""What the commands around an index need beyond the toolkit's own requirements."""

from __future__ import annotations

from typing import Any

from ..errors import UserError


def lancedb() -> Any:
    """The library that keeps the table.

    Returns:
        The module.

    Raises:
        UserError: it is not installed; says how to.
    """
    try:
        import lancedb
    except ImportError as error:
        raise UserError(
            f"an index is kept by LanceDB, which cannot be imported ({error}). Install what own "
            "footage needs: pip install -e '.[footage]' in the folder of vireid, or pip install "
            "lancedb"
        ) from error
    return lancedb
