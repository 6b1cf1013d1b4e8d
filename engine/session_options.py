"""Options of a session with a trained network: what it says of itself, and what a command asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..errors import as_user_error
from .options import SessionOptions

OF_THE_NETWORK = ("img_h", "img_w", "test_resize", "num_frames", "test_frames", "flip")


def options_of_network(meta: Mapping[str, Any], settings: Any) -> SessionOptions:
    """Sizes, frames and flip of the network; the rest, and what is not None, of the command.

    Args:
        meta: as ``load_model`` gives it.
        settings: of a command; a dataclass whose fields of ``SessionOptions`` are taken.

    Raises:
        UserError: a value is out of range.
    """
    stored = {name: meta[name] for name in OF_THE_NETWORK if name in meta}
    known = {field.name for field in fields(SessionOptions)}
    given = {name: v for name, v in vars(settings).items() if name in known and v is not None}
    with as_user_error():
        return SessionOptions(**stored | given, test_precision=settings.precision)
