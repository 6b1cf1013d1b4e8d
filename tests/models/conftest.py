"""What the tests of the networks share: published vectors and the deterministic fill."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import published_fill
import pytest
from torch import Tensor

CONFORMANCE = Path(__file__).parents[1] / "conformance"


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Reads a conformance file by its name."""

    def read(name: str) -> Any:
        path = CONFORMANCE / name
        if path.suffix == ".json":
            return json.loads(path.read_text(encoding="utf-8"))
        with np.load(path, allow_pickle=False) as file:
            return dict(file)

    return read


@pytest.fixture(scope="session")
def fill_state() -> Callable[[Mapping[str, Sequence[int]], int, str], dict[str, Tensor]]:
    """Fills a state with the deterministic numbers of the vectors, by published names."""
    return published_fill.fill_state


@pytest.fixture(scope="session")
def fill_input() -> Callable[[Sequence[int], int], Tensor]:
    """Builds the deterministic clip or image batch of the vectors."""
    return published_fill.fill_input
