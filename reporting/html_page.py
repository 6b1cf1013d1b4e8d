"""What all pages share: templates, and the two scripts that a page allows itself."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("chart.umd.min.js", "charts.js")


def render_page(template: str, filters: Mapping[str, Callable[..., Any]], **values: Any) -> str:
    """A page of its own; names in it are text, and no other script runs.

    Args:
        template: file name in ``templates``.
        filters: by name, for the template.
        **values: what the template shows.
    """
    environment = page_templates(TEMPLATES)
    environment.filters.update(filters)
    scripts = [(TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return environment.get_template(template).render(
        scripts=scripts,
        allowed=" ".join(map(allowed, scripts)),
        **values,
    )


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
