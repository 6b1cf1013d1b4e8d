"""Features on disk as they are clustered: of a stage-one run, or of a file of matrices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..clustering.camera_mean import centre_by_camera
from ..datasets.track_table import read_track_table
from ..errors import UserError, as_user_error, shorten
from ..models.state_files import read_tensors
from .artefact import COLUMNS, read_artefact

IDENTITIES = "_identities"
WHOLE = (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)


@dataclass(frozen=True)
class FeatureSet:
    """Features that are clustered together.

    Attributes:
        name: of the set, usually the modality.
        features: ``[N, D]``.
        identities: ``[N]`` true identities, None where they are unknown.
    """

    name: str
    features: Tensor
    identities: NDArray[np.int64] | None


def read_feature_sets(path: Path, camera_mean: bool) -> Iterator[FeatureSet]:
    """Reads what is clustered together.

    Args:
        path: stage-one run folder, or a .safetensors file of matrices [N, D]; identities of a
            matrix NAME may lie beside it as NAME_identities [N].
        camera_mean: take each camera's mean out of a run's features.

    Raises:
        UserError: there are no features.
    """
    if path.is_dir():
        yield from _of_artefact(path, camera_mean)
        return
    if not path.is_file():
        raise UserError(
            f"no features at {path}: expected a stage-one run folder or a .safetensors file"
        )
    try:
        tensors, about = read_tensors(path)
    except ValueError as error:
        raise UserError(f"{path} is no .safetensors file of features ({error})") from error
    if "vireid" in about:  # whose linear layers have matrices, too, and no row for a track
        raise UserError(
            f"{path}: expected at least one matrix [N, D] of features, found a network of "
            f"{len(tensors)} tensors. Give a stage-one run folder, or features that a run keeps, "
            "such as its test_features.safetensors."
        )
    names = sorted(name for name, tensor in tensors.items() if tensor.ndim == 2)
    if not names:
        found = [f"{name} {list(tensor.shape)}" for name, tensor in sorted(tensors.items())]
        raise UserError(
            f"{path}: expected at least one matrix [N, D] of features, found "
            f"{shorten(found, 4) or 'no tensor'}"
        )
    for name in names:
        known = tensors.get(name + IDENTITIES)
        wanted = tensors[name].shape[:1]
        if known is not None and (known.shape != wanted or known.dtype not in WHOLE):
            raise UserError(
                f"{path}: {name}{IDENTITIES} should be {wanted[0]} whole numbers, one a row; found "
                f"{known.dtype} {list(known.shape)}"
            )
        yield FeatureSet(name, tensors[name], None if known is None else known.long().numpy())


def _of_artefact(folder: Path, camera_mean: bool) -> Iterator[FeatureSet]:
    artefact = read_artefact(folder)
    with as_user_error():
        tracks = read_track_table(folder / "tracks.csv", Path(), COLUMNS)[0]
    features = torch.cat([artefact.visible, artefact.infrared])
    if camera_mean:
        features = centre_by_camera(features, torch.tensor([track.camera for track in tracks]))
    people = [track.identity for track in tracks if track.identity is not None]
    identities = np.array(people, np.int64) if len(people) == len(tracks) else None
    split = len(artefact.visible)
    for name, part in (("visible", slice(None, split)), ("infrared", slice(split, None))):
        if len(features[part]):
            yield FeatureSet(name, features[part], None if identities is None else identities[part])
