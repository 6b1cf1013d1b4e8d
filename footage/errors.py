"""What footage and its tracks can get wrong."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import UserError


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
    if find_spec("av") is None:
        raise FootageError(
            "reading and writing video needs PyAV, which is not installed: "
            "pip install 'vireid[footage]' (or pip install av). "
            "A folder of images can be cropped without it."
        )
