"""The page of public names: its examples run, and it names all that the packages export."""

import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
TEXT = PAGE.read_text(encoding="utf-8")
PACKAGES = [
    f"vireid.{name}"
    for name in (
        *("synthetic", "datasets", "datasets.samplers", "datasets.transforms", "models"),
        *("clustering", "pseudo_labels", "mmm", "memory", "losses", "evaluation"),
    )
]
# What a command asks for before it knows that there is something to compute.
LIGHT = ("cli", "options", "datasets", "mmm.settings", "baselines.settings")


def exported(package):
    module = importlib.import_module(package)
    return [(name, getattr(module, name)) for name in module.__all__]


def test_examples_give_what_they_say(tiny_set, capsys):
    names = {"folder": tiny_set}
    runner = doctest.DocTestRunner()
    blocks = list(re.finditer(r"^```pycon\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
    for block in blocks:
        line = TEXT.count("\n", 0, block.start(1))
        test = doctest.DocTestParser().get_doctest(block[1], names, PAGE.name, str(PAGE), line)
        runner.run(test, clear_globs=False)
        names.update(test.globs)
    assert len(blocks) >= 10
    assert not runner.failures, capsys.readouterr().out


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_name_is_listed(package):
    listed = set(re.findall(r"`(\w+)`", TEXT))
    assert [name for name, _ in exported(package) if name not in listed] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_exported_functions_name_all_their_arguments(package):
    for name, found in exported(package):
        if not inspect.isfunction(found):
            continue
        arguments = set(inspect.signature(found).parameters)
        told = inspect.getdoc(found) or ""
        section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", told, re.DOTALL | re.MULTILINE)
        if section or len(arguments) > 1:  # a single argument may be told of in the sentence
            told = section[1] if section else ""
        missing = arguments - set(re.findall(r"\w+", told))
        assert not missing, f"{package}.{name} does not tell of {', '.join(sorted(missing))}"


@pytest.mark.parametrize("module", LIGHT)
def test_what_commands_start_with_does_not_load_torch(module):
    code = f"import sys, vireid.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
