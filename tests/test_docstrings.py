"""What the reference shows is written: docstrings of public names, and of arguments that exist."""

import ast
import importlib
import inspect
import re
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = sorted(
    init.parent.name
    for init in ROOT.glob("*/__init__.py")
    if init.parent.name not in ("benchmarks", "configs")
)
# Names that other programs call, by the modules that they call them in.
CALLED = {
    "clustering.dbscan": ("dbscan",),
    "clustering.jaccard": ("jaccard_distance",),
    "clustering.subclusters": ("subcluster_centres",),
    "datasets": ("Modality", "load_dataset"),
    "evaluation.metrics": ("rank_metrics",),
    "losses": (
        *("AdaptiveTripletLoss", "BatchHardTripletLoss", "MMDLoss", "ModalityAlignmentLoss"),
        *("SeparationLoss", "WeightedTripletLoss"),
    ),
    "memory.cluster": ("ClusterMemory",),
    "mmm.confidence": ("clean_probability",),
    "mmm.matching": ("match", "matching_cost"),
    "models": ("M3ReID", "load_official_agw", "load_official_m3reid"),
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def public(body):
    """Name, node and docstring of what a module or a class defines; a constant's is beneath it."""
    for node, following in zip_longest(body, body[1:]):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name, node, ast.get_docstring(node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            text = following.value if isinstance(following, ast.Expr) else None
            text = text.value if isinstance(text, ast.Constant) else None
            yield from ((t.id, node, text) for t in targets if isinstance(t, ast.Name))


def members(room):
    """File, name, node and docstring of every function, class, method and constant of a room."""
    for file in sorted((ROOT / room).rglob("*.py")):
        for name, node, text in public(ast.parse(file.read_text(encoding="utf-8")).body):
            yield file.relative_to(ROOT), name, node, text
            if isinstance(node, ast.ClassDef):
                for inner, method, words in public(node.body):
                    if isinstance(method, FUNCTIONS):
                        yield file.relative_to(ROOT), f"{name}.{inner}", method, words


def is_public(name):
    return not any(part.startswith("_") for part in name.split("."))


def only_declared(node):
    """A method of a protocol, whose class says what it is."""
    return isinstance(node, FUNCTIONS) and ast.unparse(node.body) == "..."


@pytest.mark.parametrize("room", ROOMS)
def test_public_functions_classes_and_methods_say_what_they_are(room):
    silent = [
        f"{file}: {name}"
        for file, name, node, text in members(room)
        if isinstance(node, (*FUNCTIONS, ast.ClassDef))
        and is_public(name)
        and not (text or only_declared(node))
    ]
    assert not silent, f"no docstring: {', '.join(silent)}"


def test_what_a_room_exports_is_there_and_documented():
    told = {name for room in ROOMS for _, name, _, text in members(room) if text}
    silent = []
    for room in ROOMS:
        module = importlib.import_module(f"vireid.{room}")
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if not (value.__doc__ if inspect.ismodule(value) else name in told):
                silent.append(f"{room}.{name}")
    assert not silent, f"no docstring (of a constant: a string beneath it): {', '.join(silent)}"


@pytest.mark.parametrize("module", CALLED)
def test_names_that_other_programs_call_are_there_and_documented(module):
    found = importlib.import_module(f"vireid.{module}")
    assert all(getattr(found, name).__doc__ for name in CALLED[module])


@pytest.mark.parametrize("room", ROOMS)
def test_arguments_that_a_docstring_names_exist(room):
    """Several may share a line: ``width, height: of the picture``."""
    for file, name, node, text in members(room):
        if isinstance(node, ast.ClassDef):
            inits = [one for one in node.body if getattr(one, "name", "") == "__init__"]
            node = inits[0] if inits else node
        listed = re.search(r"^Args:\n((?: {4}.*\n|\n)+)", f"{text or ''}\n", re.MULTILINE)
        if not listed or not isinstance(node, FUNCTIONS):
            continue
        taken = node.args
        known = {one.arg for one in [*taken.posonlyargs, *taken.args, *taken.kwonlyargs]}
        known |= {one.arg for one in (taken.vararg, taken.kwarg) if one}
        for line in re.findall(r"^ {4}([\w*`][\w*, `]*):", listed[1], re.MULTILINE):
            strange = {one.strip("* `") for one in line.split(",")} - known
            assert not strange, f"{file}: {name} has no argument {', '.join(strange)}"


def test_every_room_has_a_page_of_the_reference():
    """It shows what the room exports; of a room that exports nothing, all its modules."""
    pages = ROOT / "docs" / "reference"
    assert {page.stem for page in pages.glob("*.md")} == {"index", *ROOMS}
    for room in ROOMS:
        text = (pages / f"{room}.md").read_text(encoding="utf-8")
        assert f"::: vireid.{room}\n" in text
        exported = getattr(importlib.import_module(f"vireid.{room}"), "__all__", ())
        assert exported or "show_submodules: true" in text, room
        for name in exported:  # a module of the same name would hide it
            if (ROOT / room / f"{name}.py").exists():
                assert f"::: vireid.{room}.{name}.{name}\n" in text
