"""What a tracklet is, and how data sets on disk become tracks, clips and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names
from . import readers  # noqa: F401 - registers them
from .errors import CorruptFrames, DatasetError
from .folder_scan import Problems, Scan
from .load import load_dataset
from .registry import dataset_spec, register_dataset
from .spec import DatasetSpec, ProtocolRecipe
from .track import Dataset, Modality, Track
from .verify import verify_dataset

if TYPE_CHECKING:
    from .clip_loader import ClipLoader
    from .clip_reader import ClipReader
    from .clip_workers import ClipWorkers

__all__ = [
    "ClipLoader",
    "ClipReader",
    "ClipWorkers",
    "CorruptFrames",
    "Dataset",
    "DatasetError",
    "DatasetSpec",
    "Modality",
    "Problems",
    "ProtocolRecipe",
    "Scan",
    "Track",
    "dataset_spec",
    "load_dataset",
    "register_dataset",
    "verify_dataset",
]
# Clips need torch, which takes longer to import than a small set to read.
__getattr__ = lazy_names(__name__, "clip_reader", "clip_loader", "clip_workers")
