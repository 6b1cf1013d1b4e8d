"""Finds the vectors of the released training procedures, by the pattern of their file names.

``VIREID_TRAINING_VECTORS`` names another folder with files of the same patterns, of other seeds and
sizes; the default is `tests/conformance_training/vectors`.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(
    os.environ.get("VIREID_TRAINING_VECTORS")
    or Path(__file__).parent / "conformance_training" / "vectors"
)


def each_vector(pattern: str, holding: str | None = None) -> pytest.MarkDecorator:
    """Runs a test once a file that matches ``pattern``; its argument ``vector`` is the path.

    ``holding`` takes only ``.npz`` files with an array of this name: what a file tests shows in it,
    and its name may say no more than the network. A pattern without a file gives one test, which
    fails.
    """
    found = sorted(FOLDER.glob(pattern))
    if holding is not None:
        found = [path for path in found if holding in arrays(path)]
    if not found:
        return pytest.mark.parametrize("vector", [FOLDER / pattern], ids=["no file"])
    return pytest.mark.parametrize("vector", found, ids=[path.stem for path in found])


def arrays(vector: Path) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file; see :func:`names` for those called ``*_utf8``."""
    with np.load(vector, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def names(codes: np.ndarray) -> list[str]:
    """The names in an array of bytes, joined by line feeds."""
    return bytes(codes.astype(np.uint8)).decode("utf-8").split("\n")


def facts(vector: Path) -> dict[str, Any]:
    """What a ``.json`` file says."""
    return json.loads(vector.read_text(encoding="utf-8"))
