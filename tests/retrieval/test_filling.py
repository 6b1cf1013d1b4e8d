"""Adding: each tracklet once, all or nothing of a part, and a kill at any moment loses nothing."""

import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from index_rows import colour_embedder, stored_keys
from vireid.datasets.errors import CorruptFrames
from vireid.datasets.track import Modality
from vireid.errors import UserError
from vireid.retrieval import filling
from vireid.retrieval.filling import Added, add_sightings
from vireid.retrieval.index_folder import open_index


@pytest.fixture
def sightings(make_sighting):
    return [make_sighting(f"t{n}", n, Modality(n % 2), (float(n), n + 1.0)) for n in range(10)]


def test_tracklets_are_added_once(index, sightings):
    embedder = colour_embedder()
    assert add_sightings(index, sightings[:6], embedder) == Added(6, 0)
    version = index.store._table.version
    assert add_sightings(index, sightings[:6], embedder) == Added(0, 6)
    assert index.store._table.version == version
    assert add_sightings(index, sightings, embedder) == Added(4, 6)
    assert stored_keys(index) == [f"t{n}" for n in range(10)]
    found = {row["key"]: row for row in index.store.rows()}["t3"]
    assert (found["modality"], found["camera"], found["frames"]) == ("infrared", "door", 2)
    assert (found["start_time"], found["end_time"]) == (3.0, 4.0)


def test_each_row_has_the_vector_of_its_own_frames(index, sightings):
    embedder = colour_embedder()
    add_sightings(index, sightings, embedder)
    for one in sightings:
        (_, rows) = next(iter(embedder.features([one.track])))
        stored = index.store.vectors(f"key = '{one.track.key}'", 1)[1][0]
        np.testing.assert_array_equal(stored, index.projection.apply(rows)[0])


@pytest.mark.parametrize("change", ["frames", "camera", "time", "modality"])
def test_the_same_key_with_another_content_is_refused_before_anything_is_added(
    index, sightings, change
):
    add_sightings(index, sightings[:3], colour_embedder())
    one = sightings[1]
    other = {
        "frames": replace(one, track=replace(one.track, frames=sightings[7].track.frames)),
        "camera": replace(one, camera="gate"),
        "time": replace(one, track=replace(one.track, times=(98.0, 99.0))),
        "modality": replace(one, track=replace(one.track, modality=Modality.VISIBLE)),
    }[change]
    with pytest.raises(UserError, match=r"other frames, camera or times: t1.*Nothing was added"):
        add_sightings(index, [other, *sightings[5:]], colour_embedder())
    assert stored_keys(index) == ["t0", "t1", "t2"]


def test_a_key_that_is_given_twice_is_refused(index, sightings):
    with pytest.raises(UserError, match="given twice: t2"):
        add_sightings(index, [*sightings, sightings[2]], colour_embedder())


def test_what_was_added_before_an_error_stays(index, sightings, monkeypatch):
    monkeypatch.setattr(filling, "AT_ONCE", 4)
    sightings[9].track.frames[1].write_bytes(b"no picture")
    with pytest.raises(CorruptFrames):
        add_sightings(index, sightings, colour_embedder())
    again = open_index(index.path)
    assert len(stored_keys(again)) in (4, 8)
    sightings[8].track.frames[0].write_bytes(b"no picture")
    sightings[8].track.frames[1].write_bytes(b"no picture")
    said = []
    done = add_sightings(again, sightings, colour_embedder(), skip_corrupt=True, say=said.append)
    assert done.lost == 1 and said == [
        f"left out without a readable frame: 1 of {done.added + 1} tracklets"
    ]
    assert stored_keys(again) == [f"t{n}" for n in range(10) if n != 8]


CHILD = """
import sys, resource, signal
sys.path.append(sys.argv[2])
from pathlib import Path
from index_rows import pictures, row, unit_vectors
from vireid.retrieval.index_folder import locked, open_index
from vireid.retrieval.forgetting import finish, forget
from vireid.retrieval.conditions import key_condition

if len(sys.argv) > 3:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
folder = Path(sys.argv[1])
print("started", flush=True)
with locked(folder, str(folder)):
    index = open_index(folder)
    if index.interrupted:
        finish(index)
    for start in range(0, 400, 20):
        keys = [f"p{n:04d}" for n in range(start, start + 20)]
        known = index.store.contents(keys)
        if not known:
            rows = [row(n) for n in range(start, start + 20)]
            index.store.add(rows, unit_vectors(20, seed=start), pictures(20, seed=start))
        if start % 100 == 80:
            forget(index, key_condition("p0000"))
            index.store.clean_up(at_once=True)
print("done", flush=True)
"""


def fill(folder, *limits, kill_after=None):
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CHILD, str(folder), str(Path(__file__).parents[1])]
        + [str(limit) for limit in limits],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "started\n"
    if kill_after is not None:
        time.sleep(kill_after)
        child.kill()
    out, errors = child.communicate(timeout=120)
    return child.returncode, out, errors


@pytest.mark.slow
def test_killed_at_any_moment_an_index_opens_and_the_next_run_goes_on(index):
    """Parts are there whole or not at all, and none that was there is lost."""
    draw, before, killed = random.Random(0), 0, 0
    for _ in range(6):
        code, _, errors = fill(index.path, kill_after=draw.uniform(0.0, 0.5))
        assert code in (0, -9), errors
        killed += code == -9
        keys = stored_keys(open_index(index.path))
        parts = {}
        for key in keys:
            parts.setdefault(int(key[1:]) // 20, []).append(key)
        assert all(len(part) == 20 for number, part in parts.items() if number)
        assert len(parts.get(0, [])) in (0, 19, 20) and len(keys) >= before - 20
        before = len(keys)
    assert killed
    code, out, errors = fill(index.path)
    assert (code, out) == (0, "done\n"), errors
    assert stored_keys(open_index(index.path)) == [f"p{n:04d}" for n in range(1, 400)]


def test_a_full_disk_leaves_what_was_there(filled):
    """The system refuses a file beyond so many bytes, as it refuses one on a full disk."""
    code, _, errors = fill(filled.path, 3000)
    assert code == 1
    assert "OSError" in errors and "File too large" in errors and str(filled.path) in errors
    assert stored_keys(open_index(filled.path)) == [f"p{n:04d}" for n in range(40)]


def test_a_second_writer_is_refused(index):
    from vireid.retrieval.index_folder import locked

    with locked(index.path, str(index.path)):
        code, _, errors = fill(index.path)
    assert code == 1 and "is in use by another process" in errors
