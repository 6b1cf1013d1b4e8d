"""What rendering raises."""

from __future__ import annotations

from ..datasets.errors import DatasetError


class SyntheticError(DatasetError, ValueError):
    """A synthetic set cannot be rendered or shown as asked.

    The message says what was expected, what was found, where, and what to do.
    """
