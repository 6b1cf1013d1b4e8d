"""What README and docs/ point at is there: links, headings, commands, flags."""

import dataclasses
import pkgutil
import re
from pathlib import Path

import pytest
from vireid.cli import COMMANDS, _named
from vireid.commands.command_line import ALIASES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Of other programs, or of every command.
FOREIGN = {
    "--requeue",
    "--open-mode",
    "--time",
    "--signal",
    "--trials",
    "--budget",
    "--nproc-per-node",
    "--logdir",
    "--also",
    "--draws",
    "--parts",
    "--radii",
    "--write",
    "--help",
    "--config",
    "--print-config",
    "--version",
}


def anchors(page):
    """How a heading is linked to."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        found = page.parent / file if file else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), target


def test_the_readme_lists_every_command_and_no_other():
    table = re.findall(r"^\| `vireid (\w+)", PAGES[0].read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(COMMANDS)


def test_every_flag_that_is_named_exists():
    known = set(FOREIGN) | set(ALIASES)
    for command in COMMANDS.values():
        for field in dataclasses.fields(_named(command.config)):
            flag = "--" + field.name.replace("_", "-")
            known |= {flag, flag.replace("--", "--no-", 1)}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for flag in re.findall(r"(?<![\w-])--[a-z][\w-]*", text):
            assert flag.replace("_", "-") in known, f"{page.name}: {flag}"


def test_every_recipe_and_script_that_is_named_exists():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"\b(?:configs|scripts)/\w+\.(?:yaml|sh)\b", text):
            assert (ROOT / name).is_file(), f"{page.name}: {name}"


def test_every_module_that_is_named_exists():
    """As a file, ``mmm/matching.py``, or as Python writes it, ``vireid.mmm.matching``."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"(?<![\w/<.-])[a-z_]+/[a-z_/]+\.py\b", text):
            assert (ROOT / name).is_file(), f"{page.name}: {name}"
        for name in re.findall(r"\bvireid(?:\.[A-Za-z_]\w*)+", text):
            assert pkgutil.resolve_name(name) is not None, f"{page.name}: {name}"
