"""A quick draw of the campaign: kills, a full disk, a scheduler's word, a second process.

`scripts/fault_campaign.sh` is the long one.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_nothing_is_lost(tmp_path, one_thread):
    """In a process of its own, since forks of this one would inherit its threads."""
    seed = random.randrange(10**6)
    words = ["--folder", str(tmp_path / "two words"), "--seed", str(seed), "--trials", "1"]
    words += ["--faults", "kill;full_disk;signal;second;worker", "--commands", "baseline"]
    done = subprocess.run(
        [sys.executable, "-m", "faults.interruption_surroundings", *words],
        env={**one_thread, "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}:\n{done.stdout}\n{done.stderr[-2000:]}"
    assert done.stdout.count("| `baseline` |") == 5
