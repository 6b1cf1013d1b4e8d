"""A quick draw of the campaign of bad input, and the cases that once ended badly."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = 30
SEED = 7


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> list[dict]:
    """How the cases ended, in a process of their own: threads of this one would not survive."""
    tests = Path(__file__).parents[1]
    folder = tmp_path_factory.mktemp("campaign")
    found = folder / "outcomes.json"
    places = [str(tests), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "faults.bad_input_campaign", "--small"),
            *("--cases", str(CASES), "--seed", str(SEED), "--keep"),
            *("--folder", str(folder), "--json", str(found)),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert found.is_file(), done.stdout[-3000:] + done.stderr[-3000:]
    assert "the good inputs themselves changed" not in done.stdout
    return json.loads(found.read_text(encoding="utf-8"))


def test_every_case_ends_with_one_message_and_touches_nothing_else(outcomes):
    assert len(outcomes) == CASES
    assert [one for one in outcomes if one["faults"]] == []


def test_the_draw_is_wide(outcomes):
    """Several commands and many damages, and refusals among the ends."""
    assert len({one["command"] for one in outcomes}) >= 6
    assert len({damage for one in outcomes for damage, _ in one["damages"]}) >= 12
    assert {one["code"] for one in outcomes} >= {0, 2}
