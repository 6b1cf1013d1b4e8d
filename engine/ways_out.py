"""What a person can do about a run that does not fit, with the figure that each way gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..models.network import Network, network_named
from .options import TrainingOptions
from .planned_stages import PlannedStage
from .resources import size_text
from .run_needs import LOADED_AHEAD, Demand, RunNeeds, run_needs
from .session import Session
from .step_memory import other_network

BACKBONES = ("resnet34", "resnet18", "thin")  # from large to small
LEAST_FRAME = 64  # rows; smaller people cannot be told apart
TRIES = 2  # settings of one kind that are looked at, beginning with the first that may do

Changes = dict[str, Any]


class WaysOut:
    """Looks for settings with which a run fits.

    Args:
        session, options, model, plan: of the run that does not.
    """

    def __init__(
        self,
        session: Session,
        options: TrainingOptions,
        model: Network,
        plan: Sequence[PlannedStage],
    ) -> None:
        self.session = session
        self.options = options
        self.model = model
        self.plan = plan

    def of(self, short: Sequence[Demand]) -> list[str]:
        """Lines for a message, a few for each thing that is short."""
        lines = ["Ways out:"]
        if self.session.run is not None and self.session.run.resumed:
            lines = [
                "A resumed run keeps its settings. Ways out for a new one, in another --output:"
            ]
        for one in short:
            if one.what == "disk":
                lines += self._disk(one)
            elif one.what == "shared memory":
                lines += self._shared(one)
            else:
                lines += self._memory(one)
        return list(dict.fromkeys(lines))

    def _memory(self, short: Demand) -> Iterator[str]:
        usable = short.room.usable / short.times
        sizes = [size for name, size in short.need.parts.items() if name.startswith("activations")]
        activations = sum(sizes)
        left = usable - (short.need.total - activations)
        wanted = activations / left if left > 0 else float("inf")
        gpu = short.what == "GPU memory"

        def figure(needs: RunNeeds) -> int:
            need = needs.gpu if gpu else needs.memory
            return 0 if need is None else need.total

        for kind in (self._parts(), self._extraction(short), self._sizes(), self._lengths()):
            # The factor by which a setting divides the activations says where to begin.
            settings = list(kind)
            first = [pair for pair in settings if pair[1] >= 0.8 * wanted] or settings[-1:]
            yield from self._tried([changes for changes, _ in first[:TRIES]], figure, usable, short)
        yield from self._tried(list(self._backbones()), figure, usable, short)

    def _tried(
        self,
        settings: Sequence[Changes],
        figure: Callable[[RunNeeds], int],
        usable: float,
        short: Demand,
    ) -> Iterator[str]:
        """The first of the settings that fits, else the one that comes closest."""
        line, least = None, short.need.total
        for changes in settings:
            try:
                found = figure(self._needs(changes))
            except Exception:  # a network may not take every size, or every backbone
                continue
            if found >= least:
                continue
            least = found
            fits = found <= usable
            still = "" if fits else ", still too much"
            line = f"  {_flags(changes)}: {size_text(short.times * found)}{still}"
            if fits:
                break
        if line is not None:
            yield line

    def _needs(self, changes: Changes) -> RunNeeds:
        options = dataclasses.replace(self.options, **changes)
        model = self.model
        if "backbone" in changes:
            kind = network_named(options.network)
            model = other_network(
                lambda: kind.build(
                    self.model.num_identities,
                    num_frames=options.num_frames,
                    weights=None,
                    backbone=options.backbone,
                ),
                self.session.runtime,
            )
        return run_needs(self.session, options, model, self.plan)

    def _parts(self) -> Iterator[tuple[Changes, float]]:
        """More parts of a batch, as long as a part has two clips of each modality."""
        fewest = min(
            min(codes.sum(), len(codes) - codes.sum())
            for codes in (self.session.modalities[stage.batch] for stage in self.plan)
        )
        factor = 2
        while 2 * factor * self.options.accumulate <= fewest:
            yield {"accumulate": factor * self.options.accumulate}, factor
            factor *= 2

    def _extraction(self, short: Demand) -> Iterator[tuple[Changes, float]]:
        """Smaller batches of feature extraction, where that is the largest."""
        if any("extraction" in name for name in short.need.parts):
            for factor in (2, 4, 8, 16, 32):
                if self.options.batch_size >= factor:
                    yield {"batch_size": self.options.batch_size // factor}, factor

    def _sizes(self) -> Iterator[tuple[Changes, float]]:
        for part in (0.75, 0.5, 1 / 3, 0.25):
            height, width = (
                8 * round(part * n / 8) for n in (self.options.img_h, self.options.img_w)
            )
            if height >= LEAST_FRAME and width > 0:
                yield {"img_h": height, "img_w": width}, part**-2

    def _lengths(self) -> Iterator[tuple[Changes, float]]:
        """Shorter clips, of two frames and more."""
        for frames in range(self.options.num_frames - 1, 1, -1):
            yield {"num_frames": frames}, self.options.num_frames / frames

    def _backbones(self) -> Iterator[Changes]:
        """Smaller ones, where the run does not start from a network that has one."""
        if hasattr(self.options, "baseline") and not getattr(self.options, "supervised", False):
            return
        if str(self.options.weights).endswith(".safetensors"):
            return
        yield from ({"backbone": name} for name in BACKBONES if name != self.options.backbone)

    def _disk(self, short: Demand) -> Iterator[str]:
        yield f"  another --output, on a disk with {size_text(short.need.total)} free"
        lacking = short.need.total - short.room.usable
        cached = ", for instance the frames of --cache disk (then --cache none)"
        yield (
            f"  {size_text(lacking)} made free on this disk"
            f"{cached if self.options.cache == 'disk' else ''}"
        )
        yield from self._tried(
            list(self._backbones()), lambda needs: needs.disk.total, short.room.usable, short
        )

    def _shared(self, short: Demand) -> Iterator[str]:
        yield "  --workers 0: none is needed, frames are decoded in the training process"
        of_one = short.need.total / (1 + LOADED_AHEAD * self.options.workers)
        for workers in range(self.options.workers - 1, 0, -1):
            size = of_one * (1 + LOADED_AHEAD * workers)
            if size <= short.room.usable:
                yield f"  --workers {workers}: {size_text(size)}"
                break
        yield "  in a container: more of it, with --shm-size or --ipc=host of docker run"


def _flags(changes: Changes) -> str:
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in changes.items())
