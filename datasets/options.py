"""Options of reading a data set: which one, and how its frames come to the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from ..options import MOST_FRAMES, MOST_PROCESSES, Options, option
from .registry import DATASETS, known_names

DATASET_HELP = f"data set name: {known_names()}"
TRIAL_HELP = "number of the split, for " + ", ".join(
    f"{spec.title} 1 to {spec.trials.count}" for spec in DATASETS.values() if spec.trials
)


@dataclass(frozen=True, kw_only=True)
class DataOptions(Options):
    """Which data set, and what to do about damage in it."""

    heading: ClassVar[str] = "Data"

    dataset: str = option(DATASET_HELP)
    data_dir: Path = option("folder of the data set, as it was published")
    trial: int = option(TRIAL_HELP, 1, at_least=1)
    allow_incomplete: bool = option("go on although the data set fails its verification", False)
    skip_corrupt: bool = option("leave unreadable frames out instead of stopping", False)


@dataclass(frozen=True, kw_only=True)
class FrameOptions(Options):
    """How frames are decoded, resized, kept and batched."""

    heading: ClassVar[str] = "Frames"

    img_h: int = option("height of a frame for the network, pixels", 288, at_least=1)
    img_w: int = option("width of a frame for the network, pixels", 144, at_least=1)
    resize: Literal["auto", "bilinear", "bicubic", "lanczos"] = option(
        "filter that resizes training frames, for training and for clustering; auto: bilinear, and "
        "lanczos for data sets of images",
        "auto",
    )
    test_resize: Literal["auto", "bilinear", "bicubic", "lanczos"] = option(
        "filter that resizes the frames of tests; auto as there", "auto"
    )
    num_frames: int = option(
        "frames of a training clip; 1 for images and agw", 6, at_least=1, at_most=MOST_FRAMES
    )
    test_frames: int = option(
        "frames of a clip for clustering and testing, evenly spaced",
        6,
        at_least=1,
        at_most=MOST_FRAMES,
    )
    cache: Literal["memory", "disk", "none"] = option(
        "keep the resized frames in memory or on disk, or decode them each time", "none"
    )
    cache_dir: Path | None = option(
        "folder of --cache disk; unset: vireid/frames in the user's cache folder", None
    )
    workers: int = option(
        "processes that decode frames; 0 decodes in the training process",
        4,
        at_least=0,
        at_most=MOST_PROCESSES,
    )
    batch_size: int = option("clips in a batch of feature extraction", 32, at_least=1)
