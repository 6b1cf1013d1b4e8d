"""A tiny index with vectors that a test chooses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from index_rows import DIM, pictures, row, unit_vectors
from PIL import Image
from vireid.datasets.track import Modality, Track
from vireid.retrieval.index_folder import IndexFacts, IndexFolder, open_index, write_facts
from vireid.retrieval.sightings import Sighting

pytest.importorskip("lancedb")


@pytest.fixture
def facts():
    return IndexFacts(
        run="/nowhere",
        fingerprint="f" * 32,
        projection="none",
        width=DIM,
        dim=DIM,
        blurred=False,
        exact_below=1_000_000,
    )


@pytest.fixture
def index(tmp_path, facts) -> IndexFolder:
    """An empty one."""
    folder = tmp_path / "index"
    folder.mkdir()
    write_facts(folder, facts)
    return open_index(folder)


@pytest.fixture
def filled(index) -> IndexFolder:
    """One with forty tracklets."""
    index.store.add([row(n) for n in range(40)], unit_vectors(40), pictures(40))
    return index


@pytest.fixture
def make_sighting(tmp_path):
    """Writes a tracklet of two frames in a colour."""

    def make(key: str, colour=0, modality=Modality.VISIBLE, times=()) -> Sighting:
        folder: Path = tmp_path / "frames" / key
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(colour).integers(0, 255, (32, 16, 3), np.uint8)
        for number in range(2):
            Image.fromarray(pixels).save(folder / f"{number}.png")
        frames = tuple(sorted(folder.iterdir()))
        return Sighting(Track(frames, modality, 1, None, key, times), "door")

    return make
