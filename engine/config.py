"""The settings that every training command shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..options import option

# Each sighting is one image; the network of their published recipes is AGW.
IMAGE_DATASETS = ("sysu-mm01", "regdb", "llcm")
NETWORKS = ("auto", "m3reid", "agw")


def is_image_dataset(name: str) -> bool:
    """Whether the tracks of a data set are single images; False for an unknown name."""
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    return plain in {known.replace("-", "") for known in IMAGE_DATASETS} | {"sysu"}


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data, read how."""

    dataset: str = option("data set name: hitsz-vcm, bupt-campus, sysu-mm01, regdb, llcm, folder")
    data_dir: Path = option("folder of the data set, as it was published")
    allow_incomplete: bool = option("go on although the data set fails its verification", False)
    skip_corrupt: bool = option("leave unreadable frames out instead of stopping", False)
    img_h: int = option("height of a frame for the network, pixels", 288)
    img_w: int = option("width of a frame for the network, pixels", 144)
    num_frames: int = option("frames of a training clip; 1 for images and agw", 6)
    test_frames: int = option("frames of a clip for clustering and testing, evenly spaced", 6)
    flip: bool = option("average a clip and its mirror at test time", False)
    rerank: bool = option("evaluate with k-reciprocal re-ranking over the test split", False)
    trial: int = option("RegDB: which of its ten splits, 1 to 10", 1)
    protocol: str = option(
        "evaluation protocols by name, joined by commas; unset: the usual ones of the data set", ""
    )
    gallery: Literal["seeded", "official"] = option(
        "SYSU-MM01: galleries as released code draws them, or the data set's own permutations",
        "seeded",
    )
    cache: Literal["memory", "disk", "none"] = option(
        "keep the resized frames in memory or on disk, or decode them each time", "none"
    )
    cache_dir: Path | None = option(
        "folder of --cache disk; unset: vireid/frames in the user's cache folder", None
    )
    workers: int = option("processes that decode frames; 0 decodes in the training process", 4)
    pictures: bool = option(
        "matchings, ranked lists and a map of the test features in TensorBoard, beside the numbers",
        True,
    )
    batch_size: int = option("clips in a batch of feature extraction", 32)
    device: Literal["auto", "cpu", "cuda"] = option("where to compute", "auto")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = option(
        "number format of the network; auto: bf16 where the hardware has units for it", "auto"
    )
    seed: int = option("seed of every random stream", 0)

    def __post_init__(self) -> None:
        for name in ("img_h", "img_w", "num_frames", "test_frames", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} is at least 1")
        for name in ("workers", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"--{name} is at least 0")
        if not 1 <= self.trial <= 10:
            raise ValueError(f"--trial lies between 1 and 10; got {self.trial}")


def _same(one: Path, other: Path) -> bool:
    return one.absolute() == other.absolute()


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(DataConfig):
    """What a training command needs beside the data."""

    output: Path = option("run folder to write")
    resume: str | None = option(
        "go on with the run in --output; a path must be that folder (see --weights)",
        None,
        bare="output",
    )
    desc: str = option("a description that is kept with the run", "")
    network: str = option(
        "m3reid (clips) or agw (images: one frame, a stem for each modality); auto: agw for the "
        "image data sets, m3reid for the others; or a registered one",
        "auto",
    )
    backbone: str = option("resnet50, resnet34, resnet18, or thin (for two CPU cores)", "resnet50")
    weights: str = option("start of the backbone: imagenet, none, or a file", "imagenet")
    augmentation: Literal["published", "recolour"] = option(
        "published: the recipe of the network; recolour: random colour-to-grey curves on both "
        "modalities",
        "published",
    )
    p_num: int = option("identities or clusters in a batch", 8)
    k_num: int = option("clips of each in a batch", 4)
    bn_batch: int | None = option(
        "clips that share batch-norm statistics in training, about; unset: the whole batch, over "
        "all processes",
        None,
    )
    accumulate: int = option(
        "parts in which a batch is computed to save memory; the losses see the whole batch, batch "
        "norm a part",
        1,
    )
    recipe_batch: int | None = option(
        "p-num x k-num of the recipe; a run that leaves it is warned", None
    )
    optimiser: Literal["adam", "adamw", "sgd"] = option(
        "adam, adamw (decoupled decay), or sgd (momentum 0.9, Nesterov)", "adam"
    )
    lr: float = option("learning rate", 3.5e-4)
    backbone_rate: float = option("learning rate of the backbone, as a multiple of --lr", 1.0)
    wd: float = option("weight decay", 5e-4)
    schedule: Literal["step", "cosine"] = option(
        "step: x0.1 at --lr-steps; cosine: ramp of 30 steps, then down to 5 %", "step"
    )
    lr_warmup_epochs: int = option("epochs in which the step schedule rises to --lr", 0)
    compile: bool = option("compile the network (torch.compile); pays on long runs on a GPU", False)
    dry_run: bool = option(
        "take the largest step of the run, print its memory and a time estimate, write nothing",
        False,
    )
    log_interval: int = option("batches between two lines of the text log", 50)
    test_interval: int = option("epochs between two evaluations; 0: only after each stage", 0)
    save_interval: int = option("epochs between two checkpoints", 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        image = is_image_dataset(self.dataset)
        if self.network not in NETWORKS:
            from ..models.network import network_named  # slow to import, and seldom needed

            object.__setattr__(self, "network", network_named(self.network).name)
        if self.network == "auto":
            # Resolved here, so that the run's config.yaml says which network it was.
            object.__setattr__(self, "network", "agw" if image else "m3reid")
        if image or self.network == "agw":
            for name in ("num_frames", "test_frames"):
                object.__setattr__(self, name, 1)
        if self.lr_warmup_epochs < 0:
            raise ValueError("--lr-warmup-epochs is at least 0")
        for name in ("bn_batch", "recipe_batch"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} is at least 1")
        for name in ("p_num", "k_num", "accumulate", "log_interval", "save_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} is at least 1")
        if self.resume not in (None, "output") and not _same(Path(self.resume), self.output):
            raise ValueError(
                f"--resume goes on with the run in --output, {self.output}, and takes no other "
                f"path; got {self.resume}. A new run starts from trained weights with --weights "
                "FILE, stage two from stage one with --baseline RUN"
            )
        if self.test_interval < 0:
            raise ValueError("--test-interval is at least 0")
        for name in ("lr", "wd", "backbone_rate"):
            if getattr(self, name) < 0:
                raise ValueError(f"--{name} is not negative")


@dataclass(frozen=True, kw_only=True)
class UnsupervisedConfig(TrainingConfig):
    """Clustering, memories and contrast, in both stages without labels."""

    k1: int = option("k-reciprocal neighbours, within a modality", 30)
    k2: int = option("neighbours of the query expansion, within a modality", 6)
    eps: float = option("DBSCAN radius in Jaccard distance", 0.6)
    joint_k1: int = option("k-reciprocal neighbours over both modalities", 40)
    joint_k2: int = option("neighbours of the query expansion over both modalities", 32)
    joint_eps: float | None = option("DBSCAN radius over both modalities; unset: --eps", None)
    min_samples: int = option("DBSCAN: tracks in a core track's neighbourhood", 4)
    camera_mean: bool = option("remove each camera's mean feature before clustering", False)
    on_collapse: Literal["stop", "relax"] = option(
        "when a clustering degenerates: stop with a suggestion, or go on with a relaxed eps", "stop"
    )
    memory_temperature: float = option("temperature of the cluster memories", 0.05)
    memory_momentum: float = option("share of the old prototype that an update keeps", 0.1)
    memory_mode: Literal["all", "hard"] = option(
        "update prototypes from all samples, or from the least similar one", "all"
    )
    memory_weight: float = option("weight of the memory losses", 1.0)
    contrast_weight: float = option("weight of the in-batch contrast of pseudo-labels", 0.0)
    contrast_temperature: float = option("temperature of the in-batch contrast", 0.1)
    separation_weight: float = option("weight of M3-ReID's frame and mask separation", 0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("k1", "k2", "joint_k1", "joint_k2", "min_samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name} is at least 1".replace("_", "-"))
        if self.joint_eps is not None and not 0 < self.joint_eps < 1:
            raise ValueError(f"--joint-eps lies between 0 and 1; got {self.joint_eps}")
        for name in ("memory_temperature", "contrast_temperature"):
            if getattr(self, name) <= 0:
                raise ValueError(f"--{name.replace('_', '-')} is above 0")
        if not 0 <= self.memory_momentum <= 1:
            raise ValueError("--memory-momentum lies between 0 and 1")
        if not 0 < self.eps < 1:
            raise ValueError(f"--eps lies between 0 and 1, as Jaccard distances do; got {self.eps}")
