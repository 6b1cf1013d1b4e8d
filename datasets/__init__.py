"""What a tracklet is, and how data sets on disk become tracks, clips and batches."""

from .errors import CorruptFrames, DatasetError
from .registry import load_dataset
from .track import Dataset, Modality, Track

__all__ = ["CorruptFrames", "Dataset", "DatasetError", "Modality", "Track", "load_dataset"]
