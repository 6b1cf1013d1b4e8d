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
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    scripts = [(TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return environment.get_template(template).render(
        scripts=scripts,
        allowed=" ".join(f"'sha256-{_hash(script)}'" for script in scripts),
        **values,
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
