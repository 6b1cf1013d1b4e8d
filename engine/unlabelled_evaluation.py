"""A network on footage of unknown people: how far it agrees with itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..clustering.camera_mean import centre_by_camera
from ..clustering.pseudo_labels import cluster
from ..datasets.track import Modality, Track
from ..errors import UserError
from ..evaluation.agreement import Agreement, agreement, agreement_table
from ..evaluation.tracklet_pairs import overlapping_pairs
from ..models.network import Network
from .options import SessionOptions
from .runtime import Runtime
from .track_features import half_tracks, track_features

Say = Callable[[str], None]


def evaluate_unlabelled(
    model: Network,
    tracks: Sequence[Track],
    data: SessionOptions,
    runtime: Runtime,
    recipe: Mapping[str, Any],
    say: Say,
) -> dict[str, dict[str, Any]]:
    """Measures what takes no identity, and prints it.

    Args:
        model: on the device of ``runtime``.
        tracks: of people whom nobody names; identities are not looked at.
        data: how frames are read.
        runtime: where is computed.
        recipe: ``k1``, ``k2``, ``eps``, ``min_samples`` and ``camera_mean`` of the clusters.
        say: tells the person at the keyboard.

    Returns:
        By modality, the record of its :class:`Agreement`, ``clusters`` and ``noise``.

    Raises:
        UserError: there are no tracklets of one modality.
    """

    def features_of(asked: Sequence[Track]) -> tuple[list[Track], Tensor]:
        return track_features(model, asked, data, runtime, say) if asked else ([], torch.empty(0))

    whole: dict[Modality, tuple[list[Track], Tensor]] = {}
    for modality in Modality:
        mine = [track for track in tracks if track.modality == modality]
        if not mine:
            raise UserError(
                f"{data.data_dir} holds no {modality.name.lower()} tracklet: agreement between "
                "visible and infrared takes both"
            )
        whole[modality] = features_of(mine)
    found: dict[str, Agreement] = {}
    records: dict[str, dict[str, Any]] = {}
    for modality, (mine, features) in whole.items():
        kept = [track for track in mine if len(track.frames) > 1]
        first, second = (features_of(half) for half in half_tracks(kept))
        if not len(first[0]) == len(second[0]) == len(kept):
            raise UserError(
                f"{data.data_dir}: some tracklets have frames that cannot be read; remove them"
            )
        others = whole[modality.other][1]
        width = features.shape[1]
        halves = first[1].reshape(-1, width), second[1].reshape(-1, width)
        one = agreement(features, others, halves, _pairs(kept))
        name = modality.name.lower()
        found[name] = one
        records[name] = {**one.record(), **_clusters(mine, features, recipe)}
    clusters = {name: f"{record['clusters']}" for name, record in records.items()}
    noise = {name: f"{record['noise']:.1%}" for name, record in records.items()}
    counts = " and ".join(f"{one.tracklets:,} {name}" for name, one in found.items())
    say(
        f"{data.data_dir} has no query and no gallery, so there is no rank-1 and no mAP. "
        f"What takes no identity, of {counts} tracklets:"
    )
    more = {"clusters, by the recipe of the run": clusters, "tracklets in no cluster": noise}
    say(agreement_table(found, more))
    say("None of it is an accuracy: what is wrong in a steady way agrees with itself.")
    return records


def _pairs(tracks: Sequence[Track]) -> Any:
    """Pairs at one time in one camera, of the tracklets that have times."""
    timed = [place for place, track in enumerate(tracks) if track.times]
    pairs = overlapping_pairs(
        [tracks[place].camera for place in timed],
        [min(tracks[place].times) for place in timed],
        [max(tracks[place].times) for place in timed],
    )
    return torch.tensor(timed, dtype=torch.int64).numpy()[pairs]


def _clusters(
    tracks: Sequence[Track], features: Tensor, recipe: Mapping[str, Any]
) -> dict[str, Any]:
    if recipe["camera_mean"]:
        features = centre_by_camera(features, torch.tensor([track.camera for track in tracks]))
    numbers = {name: recipe[name] for name in ("k1", "k2", "eps", "min_samples")}
    result = cluster(features, **numbers)
    return {"clusters": int(result.num_clusters), "noise": float(result.noise_share)}
