"""The error that a command shows as one message, without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something the person at the keyboard can mend; the message says what and how."""
