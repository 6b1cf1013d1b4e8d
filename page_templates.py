"""Templates of pages whose names are text, and whose scripts are named by a policy."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import jinja2


def page_templates(folder: Path) -> jinja2.Environment:
    """Templates in which names are text, and what is not given is an error.

    Args:
        folder: where they lie.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def allowed(text: str) -> str:
    """What a content security policy calls a script or a style of the page's own.

    Args:
        text: of the script or the style.
    """
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
