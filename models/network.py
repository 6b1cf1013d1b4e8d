"""The one interface of all networks: what they take, what they give, and how they get a name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ..datasets.track import Modality
from ..reading import shortened
from ..registry import Registry
from .normalize import l2_normalize
from .stem_and_stages import STAGES, Backbone
from .token_maps import TokenStem
from .trunk import NonLocalTrunk

AnyNetwork = TypeVar("AnyNetwork", bound="Network")


class BatchOutput(NamedTuple):
    """What a network computes for a batch of clips.

    Attributes:
        embeddings: features after the neck, [B, D]; not normalised.
        pooled: features before the neck, [B, D], for losses on distances; of a network whose neck
            comes before the mean over frames, the embeddings.
        logits: [B, identities]; None without a classifier.
        frames: necked frame embeddings, [B, T, D]; None of an image network.
        frame_logits: [B, T, identities]; None without a frame classifier.
        masks: attention masks, each [groups, K, positions]; empty of a network without them.
    """

    embeddings: Tensor
    pooled: Tensor
    logits: Tensor | None
    frames: Tensor | None = None
    frame_logits: Tensor | None = None
    masks: tuple[Tensor, ...] = ()


class Splitter(Protocol):
    """Spreads a batch over processes or parts.

    Attributes:
        modalities: those of the whole batch, while ``compute`` runs on a share of it.
    """

    modalities: frozenset[int]

    def __call__(
        self, compute: Callable[[Tensor, Tensor], BatchOutput], clips: Tensor, modalities: Tensor
    ) -> BatchOutput:
        """Runs ``compute`` on shares of the batch; the output is that of the whole batch."""


class Network(nn.Module, ABC):
    """A network that maps clips of frames to embeddings.

    A subclass writes :meth:`build`, :meth:`compute` and :meth:`set_num_identities`;
    ``@register_network("name")`` above it makes it ``--network name``.

    Attributes:
        name: how the settings call it; set by ``register_network``.
        head: beginnings of the names of the parameters outside the backbone, which
            ``--backbone-rate`` leaves at the full learning rate.
        two_streams: whether it has to be told the modalities. A share of a batch that is computed
            apart may lack one of them; see :meth:`streams_to_run`.
        classifier: from embeddings to logits; None without identities.
        splitter: spreads training batches over processes or parts; None runs them whole.
        revision: raised when the same weights come to compute something else, so that files of an
            older version are refused.
        frozen: names of the stages that :meth:`freeze` froze.
        keep: takes the computation of stem and first stage and gives their maps, perhaps from an
            earlier pass; None computes them.
    """

    name: ClassVar[str]
    head: ClassVar[tuple[str, ...]] = ()
    two_streams: ClassVar[bool] = False
    classifier: nn.Linear | None
    revision: int = 1
    splitter: Splitter | None = None
    frozen: tuple[str, ...] = ()
    keep: Callable[[Callable[[], Tensor]], Tensor] | None = None

    @classmethod
    @abstractmethod
    def build(
        cls, num_identities: int, *, num_frames: int, weights: str | Path | None, backbone: str
    ) -> Network:
        """Builds the network from the settings of a command.

        Args:
            num_identities: outputs of the classifiers; 0 = none.
            num_frames: frames of a training clip.
            weights: start of the backbone, as ``build_backbone`` takes it.
            backbone: the same.
        """

    @property
    def num_identities(self) -> int:
        """Outputs of the classifier; 0 without one."""
        return 0 if self.classifier is None else self.classifier.out_features

    @abstractmethod
    def set_num_identities(self, num_identities: int) -> None:
        """Replaces the classifier by a fresh one, since the number of clusters changes."""

    def stages(self) -> dict[str, list[nn.Module]]:
        """The parts of the backbone by the names that :meth:`freeze` takes."""
        found: dict[str, list[nn.Module]] = {}
        for part in self.modules():
            if isinstance(part, (Backbone, NonLocalTrunk)):
                for name, child in part.named_children():
                    if name in STAGES:
                        found.setdefault(name, []).append(child)
        return found

    def freeze(self, names: Sequence[str]) -> None:
        """Keeps stages as they are: no gradient, and batch norm by its running statistics.

        Non-local blocks between the blocks of a stage are trained all the same. An optimiser that
        holds their parameters has to be built anew.

        Args:
            names: of ``stem`` and ``layer1`` to ``layer4``.

        Raises:
            ValueError: the network has no such stage.
        """
        stages = self.stages()
        unknown = [name for name in names if name not in stages]
        if unknown:
            raise ValueError(
                f"{type(self).__name__} has no stage {shortened(unknown[0])}; it has "
                f"{', '.join(stages) or 'none that can be frozen'}"
            )
        self.frozen = tuple(names)
        for name in names:
            for part in stages[name]:
                part.requires_grad_(False)
        self.train(self.training)

    def train(self: AnyNetwork, mode: bool = True) -> AnyNetwork:
        """As of any module; frozen stages stay in evaluation mode."""
        super().train(mode)
        stages = self.stages() if self.frozen else {}
        for name in self.frozen:
            for part in stages[name]:
                part.eval()
        return self

    def check_frame_size(self, height: int, width: int) -> None:
        """Refuses frames that the backbone cannot take.

        Args:
            height, width: of a frame, pixels.

        Raises:
            ValueError: with the nearest size that it takes.
        """
        for part in self.modules():
            if isinstance(part, TokenStem):
                part.check_size(height, width)

    def for_graph(self: AnyNetwork) -> AnyNetwork:
        """The network in a form whose operations depend on no value, as a stored graph needs it."""
        return self

    @abstractmethod
    def compute(self, clips: Tensor, modalities: Tensor) -> BatchOutput:
        """Computes the output for the clips at hand; others call :meth:`forward_features`.

        Args:
            clips: normalised frames, [B, T, 3, H, W], floating point.
            modalities: [B] int64 on the CPU, where they can be read without waiting for a device.
        """

    def forward_features(
        self, clips: Tensor, modalities: Tensor | Modality | None = None
    ) -> BatchOutput:
        """Computes all that losses and pseudo-labels need, in training or evaluation mode.

        Args:
            clips: normalised frames, [B, T, 3, H, W], floating point.
            modalities: of all clips, or of each, [B] integers; a network with one stream for both
                needs none. On the CPU, whatever the device: from there the host need not wait.

        Raises:
            ValueError: shapes or types do not fit, or a two-stream network is not told the
                modalities.
        """
        of_each = self._of_each_clip(clips, modalities)
        if self.training and self.splitter is not None:
            return self.splitter(self.compute, clips, of_each)
        return self.compute(clips, of_each)

    def streams_to_run(self, modalities: Tensor) -> list[Modality]:
        """Modalities whose layers :meth:`compute` has to run, in ascending order.

        Where a batch is computed in shares, they are those of the whole batch: all processes
        exchange the statistics of a layer's batch norm and sum its gradients, so it runs on no
        rows where the share has no clip of its modality.

        Args:
            modalities: [B] integers of the clips at hand, on the CPU.
        """
        codes = set(modalities.tolist())
        if self.training and self.splitter is not None:
            codes |= self.splitter.modalities
        return sorted(map(Modality, codes))

    def embed(self, clips: Tensor, modalities: Tensor | Modality | None = None) -> Tensor:
        """Embeds clips for retrieval, in evaluation mode.

        Args:
            clips, modalities: as in :meth:`forward_features`.

        Returns:
            Unit vectors [B, D], float32 (float64 for a float64 network).

        Raises:
            ValueError: as :meth:`forward_features`, or the network is in training mode.
        """
        if self.training:
            raise ValueError(
                f"{type(self).__name__} is in training mode, where batch norm mixes the clips of a "
                "batch; call eval() on it before embed()"
            )
        return l2_normalize(self.forward_features(clips, modalities).embeddings)

    def forward(
        self, clips: Tensor, modalities: Tensor | Modality | None = None
    ) -> BatchOutput | Tensor:
        """:meth:`forward_features` in training mode, :meth:`embed` in evaluation mode."""
        if self.training:
            return self.forward_features(clips, modalities)
        return self.embed(clips, modalities)

    def _of_each_clip(self, clips: Tensor, given: Tensor | Modality | None) -> Tensor:
        """Modality of each clip, [B] int64 on the CPU."""
        if given is None:
            if self.two_streams:
                raise ValueError(
                    f"{type(self).__name__} has a stream for each modality; say which modality "
                    "the clips have"
                )
            given = Modality.VISIBLE
        if not isinstance(given, Tensor):
            return torch.full((len(clips),), int(Modality(given)))
        if given.shape != clips.shape[:1]:
            raise ValueError(
                f"{type(self).__name__} takes one modality for all clips or one for each, "
                f"[{len(clips)}]; got {list(given.shape)}"
            )
        return given.cpu().long()


NETWORKS = Registry[type[Network]]("network")


def register_network(name: str) -> Callable[[type[Network]], type[Network]]:
    """A decorator that makes a network known to every command, as ``--network NAME``.

    Args:
        name: lower-case letters and digits, parts joined by hyphens. Checkpoints store the name of
            the class, which has to be new, too.

    Raises:
        ValueError: the name has another form, or one of the names is taken.
    """
    keep = NETWORKS.register(name)

    def register(network: type[Network]) -> type[Network]:
        taken = {"auto"} | {known.__name__ for known in NETWORKS.values()}
        for own in (name, network.__name__):
            if own in taken:
                raise ValueError(f"there is a network {own!r} already; choose another name")
        network.name = name
        return keep(network)

    return register


def network_named(name: str) -> type[Network]:
    """Finds a network by the name of the settings or of a checkpoint.

    Raises:
        ValueError: no network has this name.
    """
    by_class = {network.__name__: network for network in NETWORKS.values()}
    return by_class.get(name) or NETWORKS.named(name)
