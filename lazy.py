"""Packages whose names are imported when they are used, so that a command line starts at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy_names(package: str, *modules: str) -> Callable[[str], Any]:
    """A package's ``__getattr__``: finds the names of its ``__all__`` in its modules.

    Args:
        package: ``__name__`` of the package.
        modules: modules that define the names; searched, and so imported, in this order.
    """

    def look_up(name: str) -> Any:
        if name in sys.modules[package].__all__:
            for module in modules:
                found = import_module(f"{package}.{module}")
                if hasattr(found, name):
                    return getattr(found, name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return look_up
