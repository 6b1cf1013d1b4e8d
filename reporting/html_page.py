"""What all pages share: templates, and the two scripts that a page allows itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..page_templates import allowed, page_templates

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
