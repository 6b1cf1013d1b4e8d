"""The networks that can be trained, behind one interface: what they take and what they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from ..models import AGW, M3ReID

Network = M3ReID | AGW


class BatchOutput(NamedTuple):
    """What a network says about a batch in training.

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


@dataclass(frozen=True)
class NetworkKind:
    """One network.

    Attributes:
        name: how the settings call it.
        stored_name: how a checkpoint calls it.
        build: identities, frames, weights and backbone to a network.
        describe: network in training mode, clips [B, T, 3, H, W] and modalities [B] to its output.
        embed: network in eval mode, the same, to unit embeddings [B, D].
        features: the same, in eval mode, to embeddings [B, D] that are not normalised.
        head: beginnings of the names of parameters that do not belong to the backbone.
        two_streams: whether it has to be told the modalities.
    """

    name: str
    stored_name: str
    build: Callable[[int, int, str | Path | None, str], Network]
    describe: Callable[[nn.Module, Tensor, Tensor], BatchOutput]
    embed: Callable[[nn.Module, Tensor, Tensor], Tensor]
    features: Callable[[Network, Tensor, Tensor], Tensor]
    head: tuple[str, ...]
    two_streams: bool


def _build_m3reid(identities: int, frames: int, weights: str | Path | None, name: str) -> Network:
    return M3ReID(identities, num_frames=frames, weights=weights, backbone=name)


def _describe_m3reid(model: nn.Module, clips: Tensor, modalities: Tensor) -> BatchOutput:
    output = model(clips)
    return BatchOutput(
        output.clips,
        output.clips,
        output.clip_logits,
        output.frames,
        output.frame_logits,
        tuple(output.masks),
    )


def _embed_m3reid(model: nn.Module, clips: Tensor, modalities: Tensor) -> Tensor:
    embedded: Tensor = model(clips)
    return embedded


def _features_m3reid(model: Network, clips: Tensor, modalities: Tensor) -> Tensor:
    assert isinstance(model, M3ReID)
    return model.describe(clips).clips


def _build_agw(identities: int, frames: int, weights: str | Path | None, name: str) -> Network:
    return AGW(identities, weights, backbone=name)


def _single_frame(clips: Tensor) -> Tensor:
    """Images [B, 3, H, W] of clips of one frame."""
    if clips.shape[1] != 1:
        raise ValueError(
            f"AGW takes images, which are clips of one frame; got {clips.shape[1]} frames a clip"
        )
    return clips[:, 0]


def _describe_agw(model: nn.Module, clips: Tensor, modalities: Tensor) -> BatchOutput:
    output = model(_single_frame(clips), modalities)
    return BatchOutput(output.embeddings, output.pooled, output.logits)


def _embed_agw(model: nn.Module, clips: Tensor, modalities: Tensor) -> Tensor:
    embedded: Tensor = model(_single_frame(clips), modalities)
    return embedded


def _features_agw(model: Network, clips: Tensor, modalities: Tensor) -> Tensor:
    assert isinstance(model, AGW)
    return model.describe(_single_frame(clips), modalities).embeddings


KINDS = [
    NetworkKind(
        "m3reid",
        "M3ReID",
        _build_m3reid,
        _describe_m3reid,
        _embed_m3reid,
        _features_m3reid,
        ("pool.", "neck.", "classifier.", "frame_classifier."),
        two_streams=False,
    ),
    NetworkKind(
        "agw",
        "AGW",
        _build_agw,
        _describe_agw,
        _embed_agw,
        _features_agw,
        ("neck.", "classifier."),
        two_streams=True,
    ),
]


def register_network(kind: NetworkKind) -> None:
    """Makes a network known to every command, as ``--network`` of its name.

    Args:
        kind: the network. Its class has ``num_identities`` (outputs of its classifier, 0 without
            one) and ``set_num_identities(number)``, and its name is ``stored_name``.

    Raises:
        ValueError: one of its names is taken.
    """
    taken = {"auto"} | {name for known in KINDS for name in (known.name, known.stored_name)}
    for name in (kind.name, kind.stored_name):
        if name in taken:
            raise ValueError(f"there is a network {name!r} already; choose another name")
    KINDS.append(kind)


def unwrapped(model: nn.Module) -> nn.Module:
    """The network inside a wrapper that spreads it over processes, or the network itself."""
    inner = getattr(model, "module", model)
    return inner if isinstance(inner, nn.Module) else model


def kind_of(model: nn.Module) -> NetworkKind:
    """Finds the kind of a network, wrapped or not.

    Raises:
        ValueError: it is none of ours.
    """
    stored_name = type(unwrapped(model)).__name__
    for kind in KINDS:
        if kind.stored_name == stored_name:
            return kind
    known = ", ".join(kind.stored_name for kind in KINDS)
    raise ValueError(f"expected a network of the kinds {known}; found {stored_name}")


def kind_named(name: str) -> NetworkKind:
    """Finds a kind by the name of the settings or of a checkpoint.

    Raises:
        ValueError: no network has this name.
    """
    for kind in KINDS:
        if name in (kind.name, kind.stored_name):
            return kind
    raise ValueError(f"unknown network {name!r}; known: {', '.join(k.name for k in KINDS)}")


def describe(model: nn.Module, clips: Tensor, modalities: Tensor) -> BatchOutput:
    """Runs a network in training mode.

    Args:
        model: the network, wrapped or not.
        clips: normalised, [B, T, 3, H, W], floating point; T = 1 for an image network.
        modalities: of each clip, [B] int64 on the clips' device.

    Returns:
        What the losses need.

    Raises:
        ValueError: the network does not take such clips.
    """
    return kind_of(model).describe(model, clips, modalities)
