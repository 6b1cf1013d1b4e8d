"""The wheel holds the package and nothing else, and works where the repository is not."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = {"tests", "benchmarks", "docs", "examples", "scripts"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that the repository stays as it is."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    ours = shutil.ignore_patterns(
        ".*", "__pycache__", "*.egg-info", "build", "runs", "data", "site"
    )
    source = shutil.copytree(ROOT, folder / "source", ignore=ours)
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_rooms_their_data_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as file:
        shipped = {name for name in file.namelist() if name.startswith("vireid/")}
        others = {name.split("/")[0] for name in file.namelist()} - {"vireid"}
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - LEFT_OUT
    modules = {path for room in rooms for path in (ROOT / room).rglob("*.py")}
    modules |= set(ROOT.glob("*.py")) - {ROOT / "setup.py"}
    expected = {f"vireid/{path.relative_to(ROOT).as_posix()}" for path in modules}
    assert {name for name in shipped if name.endswith(".py")} == expected
    assert "vireid/py.typed" in shipped
    recipes = {f"vireid/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    templates = {
        f"vireid/{path.relative_to(ROOT).as_posix()}"
        for room in ("reporting", "retrieval")
        for path in (ROOT / room / "templates").iterdir()
    }
    assert recipes and templates
    assert {name for name in shipped if not name.endswith((".py", "py.typed"))} == (
        recipes | templates
    )
    assert [name.endswith(".dist-info") for name in others] == [True]


def test_an_installed_wheel_runs_by_itself(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "vireid", "synth", "--preset", "tiny", "--output", "set"],
        cwd=tmp_path,  # where `python -m` looks first
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "set" / "info" / "track_train_info.txt").exists()
