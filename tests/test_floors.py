"""The house stands on floors: no room imports from one above it, and nothing goes in circles."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import vireid

ROOT = Path(vireid.__file__).parent
# From the roof to the ground; rooms that a line separates by "<" lie on one floor, and each may
# use those after it.
FLOORS = [
    ["__main__"],
    ["cli"],
    ["ablation"],
    ["commands"],
    ["baselines", "mmm", "retrieval", "supervised"],
    ["engine", "<", "reporting", "<", "pseudo_labels"],
    ["distributed", "<", "evaluation", "losses", "<", "models"],
    ["synthetic", "<", "footage", "<", "datasets"],
    ["clustering", "memory"],
    [
        *("configs", "files", "folder_lock", "lazy", "options", "page_templates"),
        *("random_streams", "registry", "run_format", "transfers"),
    ],
    ["errors", "reading"],
    ["__init__"],
]


def level() -> dict[str, tuple[int, int]]:
    """Floor, and place on it, of each room; a larger number is further down."""
    places = {}
    for floor, rooms in enumerate(FLOORS):
        step = 0
        for room in rooms:
            if room == "<":
                step += 1
            else:
                places[room] = (floor, step)
    return places


def modules() -> dict[str, ast.Module]:
    """Dotted name below the package to syntax tree, for everything that is installed."""
    outside = {"tests", "benchmarks", "docs", "examples", "scripts", "setup", "build", "runs"}
    found = {}
    for file in sorted(ROOT.rglob("*.py")):
        place = file.relative_to(ROOT).with_suffix("")
        if place.parts[0] not in outside and not any(p.startswith(".") for p in place.parts):
            found[".".join(place.parts)] = ast.parse(file.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def targets(name: str, node: ast.AST) -> list[str]:
    """Modules of the package that an import statement names."""
    if not isinstance(node, ast.ImportFrom) or not node.level:
        return []
    package = name.split(".")[: -node.level]
    base = [*package, *(node.module.split(".") if node.module else [])]
    below = [".".join([*base, alias.name]) for alias in node.names]
    known = [module for module in below if module in MODULES or f"{module}.__init__" in MODULES]
    rest = len(known) < len(below)
    return known + ([".".join(base)] if rest and base else [])


def room(module: str) -> str:
    return module.split(".")[0]


def test_every_room_has_a_floor():
    assert {room(name) for name in MODULES} == set(level())


def test_no_import_runs_up():
    places, wrong = level(), []
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            for target in targets(name, node):
                here, there = places[room(name)], places[room(target)]
                same_room = room(name) == room(target)
                if not same_room and there <= here:
                    wrong.append(f"{name} -> {target}")
    assert not wrong


@pytest.mark.parametrize("whole_rooms", [False, True])
def test_no_circle(whole_rooms):
    graph: dict[str, set[str]] = {}
    for name, tree in MODULES.items():
        # What is imported when the module is; an import inside a function waits for its call.
        statements = ast.walk(tree) if whole_rooms else tree.body
        for node in statements:
            for target in targets(name, node):
                target = f"{target}.__init__" if f"{target}.__init__" in MODULES else target
                one, other = (room(name), room(target)) if whole_rooms else (name, target)
                if one != other:
                    graph.setdefault(one, set()).add(other)
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"imports go in a circle: {' -> '.join(error.args[1])}")
