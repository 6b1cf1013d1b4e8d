"""Shows the reference the sources under their import name, whatever the clone's folder is called.

The repository root is the package. A link to it would do, were there no ``.venv`` and no data in it
for the reference to walk through; so the rooms are linked one by one.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from mkdocs.plugins import event_priority

ROOT = Path(__file__).parents[1]
PARENT = Path(tempfile.mkdtemp(prefix="vireid-site-"))


@event_priority(100)  # before mkdocstrings reads where the sources are
def on_config(config: Any) -> None:
    """Links the package together and hands its folder to mkdocstrings."""
    package = PARENT / "vireid"
    package.mkdir(exist_ok=True)
    rooms = [init.parent for init in ROOT.glob("*/__init__.py")]
    for source in [*rooms, *ROOT.glob("*.py")]:
        link = package / source.name
        if not link.exists():
            link.symlink_to(source)
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [str(PARENT)]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Files outside of docs/ lose their links, which lead somewhere in the repository only."""
    outside = r"\[([^\]]+)\]\(\.\./[^)]*\)"
    return markdown if "/" in page.file.src_uri else re.sub(outside, r"\1", markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Leaves out the roles of Sphinx, ``:func:`` before a name, which Markdown does not know."""
    return re.sub(r":(?:attr|class|func|meth|mod):(?=<code>)", "", html)


def on_shutdown() -> None:
    """Takes the links away."""
    shutil.rmtree(PARENT, ignore_errors=True)
