"""What footage and its tracks can get wrong."""

from __future__ import annotations

from ..errors import UserError, optional_library


class FootageError(UserError):
    """Video, tracks and what was said about them do not fit; the message says where and what to do.

    Attributes:
        exit_code: 2, as for every fault of a command or its data.
    """


def need_video() -> None:
    """Makes sure that video can be read.

    Raises:
        FootageError: PyAV is not installed.
    """
    need = "reading and writing video needs PyAV (a folder of images does not)"
    optional_library("av", need, extra="footage", kind=FootageError)
