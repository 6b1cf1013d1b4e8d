"""Tables of parts by name, ours and those that users add: networks, losses, matchers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

Part = TypeVar("Part")


class Registry(dict[str, Part]):
    """Parts by name, in the order in which they were registered.

    Args:
        kind: what a part is, for the messages.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def register(self, name: str) -> Callable[[Part], Part]:
        """A decorator that makes a part known by a name, and leaves it as it is.

        Args:
            name: lower-case letters and digits, parts joined by hyphens, as flags take it.

        Raises:
            ValueError: the name has another form, or is taken.
        """
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
            raise ValueError(
                f"the name of a {self.kind} is lower-case letters and digits, joined by hyphens; "
                f"got {name!r}"
            )
        if name in self:
            raise ValueError(f"there is a {self.kind} {name!r} already; choose another name")

        def keep(part: Part) -> Part:
            self[name] = part
            return part

        return keep

    def named(self, name: str) -> Part:
        """The part of a name.

        Raises:
            ValueError: there is none; the message lists those that are known.
        """
        if name not in self:
            raise ValueError(f"unknown {self.kind} {name!r}; known: {', '.join(self)}")
        return self[name]
