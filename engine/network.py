"""Builds the network that the settings ask for, describes it for its checkpoint, and says where it
may be used: a model of one numbered split is tested on that split and on no other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..datasets.options import FrameOptions
from ..datasets.registry import known_spec
from ..errors import UserError, as_user_error
from ..evaluation.protocols import trial_of
from ..models.network import Network, network_named
from ..models.timm_networks import is_timm
from .checkpoint import holds_network, load_model
from .options import NetworkOptions
from .runtime import Runtime
from .session import Session


def build_network(options: NetworkOptions, session: Session, num_identities: int = 0) -> Network:
    """The network on the device, in the memory layout that trains fastest.

    Args:
        options: network, backbone and weights; a ``.safetensors`` file of ours as weights gives the
            whole network, anything else the backbone alone.
        session: device, seed, frames of a clip and the data set at hand.
        num_identities: outputs of the classifiers; 0 = none.

    Raises:
        UserError: the weights cannot be had or do not fit.
    """
    torch.manual_seed(session.options.seed)
    weights = None if options.weights == "none" else options.weights
    if weights is not None and _is_whole_network(weights, options.backbone):
        file, data = Path(weights), session.options
        model, meta = load_model(file)
        require_same_network(file, meta, options)
        require_same_trial(file, meta, data.dataset, data.trial)
        model.set_num_identities(num_identities)
    else:
        try:
            model = network_named(options.network).build(
                num_identities,
                num_frames=session.options.num_frames,
                weights=weights,
                backbone=options.backbone,
            )
        except (ValueError, RuntimeError, OSError) as error:
            raise UserError(
                f"--backbone {options.backbone}, --weights {options.weights}: {error}"
            ) from error
    return _prepare(model, options, session)


def _is_whole_network(weights: str, backbone: str) -> bool:
    """Whether a file holds more than a backbone; timm's own weights end in .safetensors, too."""
    if not weights.endswith(".safetensors"):
        return False
    return not is_timm(backbone) or holds_network(Path(weights))


def require_same_network(file: Path, meta: dict[str, Any], options: NetworkOptions) -> None:
    """Refuses weights of another network or backbone than the settings name.

    Raises:
        UserError: with the settings that fit.
    """
    found = network_named(meta["network"]).name
    if (found, meta["backbone"]) != (options.network, options.backbone):
        raise UserError(
            f"{file} holds a {meta['backbone']} of --network {found}, but --backbone is "
            f"{options.backbone} and --network {options.network}; give those of the file"
        )


def network_of(file: Path, options: NetworkOptions, session: Session) -> Network:
    """The network that :func:`save_model` wrote, on the device.

    Raises:
        UserError: the file is damaged, holds another network or backbone than ``options``, or takes
            frames of another size.
    """
    model, meta = load_model(file)
    require_same_network(file, meta, options)
    return _prepare(model, options, session)


def _prepare(model: Network, options: NetworkOptions, session: Session) -> Network:
    """Frozen as the options say, on the device."""
    names = [name.strip() for name in options.freeze.split(",") if name.strip()]
    with as_user_error(start=f"--freeze {options.freeze}: "):
        model.freeze(names)
    check_frame_size(model, session.options)
    return place(model, session.runtime)


def check_frame_size(model: Network, options: FrameOptions) -> None:
    """Refuses frames of a size that the network cannot take.

    Raises:
        UserError: with the nearest size that it takes.
    """
    with as_user_error():
        model.check_frame_size(options.img_h, options.img_w)


def place(model: Network, runtime: Runtime) -> Network:
    """Moves the network to the device, in the memory layout that trains fastest."""
    return model.to(runtime.device).to(memory_format=torch.channels_last)


def network_meta(
    options: NetworkOptions, session: Session, model: Network, *, stage: str, step: int
) -> dict[str, Any]:
    """What a checkpoint says about itself: network, preprocessing, origin."""
    preprocessing = ("num_frames", "test_frames", "img_h", "img_w", "test_resize", "flip")
    return {
        "network": type(model).__name__,
        "backbone": options.backbone,
        "num_identities": model.num_identities,
        **{name: getattr(session.options, name) for name in preprocessing},
        "stage": stage,
        "step": step,
        **{name: getattr(session.options, name) for name in ("dataset", "trial", "seed")},
    }


def trial_of_model(meta: dict[str, Any], dataset: str) -> int | None:
    """The trial of a data set on which a network was trained, by its checkpoint's ``meta``.

    None if it was trained on another data set, or this one has no numbered splits.
    """
    spec = known_spec(dataset)
    if spec is None or not spec.trials or spec is not known_spec(str(meta.get("dataset"))):
        return None
    return int(meta.get("trial", 1))


def require_same_trial(file: Path, meta: dict[str, Any], dataset: str, trial: int) -> None:
    """Refuses a network that has seen people of the split on which it is to be used.

    Numbered splits divide the same people: RegDB's ten its 412, so about half of another trial's
    test people are training people of this one. ``file`` is for the message.

    Raises:
        UserError: it was trained on another trial of the data set.
    """
    spec, trained = known_spec(dataset), trial_of_model(meta, dataset)
    if spec and spec.trials and trained not in (None, trial):
        raise UserError(
            f"{file} was trained on trial {trained} of {spec.title}, but trial {trial} is asked "
            f"for: it has seen {spec.trials.seen} of that trial's test people. Give --trial "
            f"{trained}, or the network of trial {trial}. The mean over trials comes from one run "
            "for each (`vireid average RUN RUN ...`)."
        )


def choose_trial(
    file: Path, meta: dict[str, Any], dataset: str, trial: int | None, protocol: str
) -> int:
    """The trial on which a network is evaluated: the one asked for, else its own, else 1.

    ``trial`` or the names in ``protocol`` may ask for one; ``file`` is for messages.

    Raises:
        UserError: what is asked for contradicts itself or the network.
    """
    with as_user_error():
        named = trial_of(protocol)
    if None not in (trial, named) and trial != named:
        raise UserError(f"--trial {trial} contradicts --protocol {protocol}; give one of the two")
    asked = named if trial is None else trial
    chosen = (trial_of_model(meta, dataset) or 1) if asked is None else asked
    require_same_trial(file, meta, dataset, chosen)
    return chosen
