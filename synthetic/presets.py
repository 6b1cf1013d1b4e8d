"""How large a synthetic set is, and what its people show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Preset:
    """Counts and looks of a synthetic set; a pair is a range, both ends included.

    Attributes:
        train_identities: people to train on.
        test_identities: other people, to test on.
        auxiliary_identities: further people seen once (BUPTCampus layout only).
        cameras: cameras of each modality (HITSZ-VCM layout; the others have those of the original).
        seen_by: cameras of each modality that see one person (of the visible ones in the SYSU-MM01
            layout, whose two infrared cameras see everyone once at least).
        tracklets: sightings of a person by one camera; in an image set, their images.
        frames: frames of a tracklet; 1 in an image set.
        short_share: share of tracklets that are shorter, 5 to 11 frames.
        unshared: share of the training people who are seen in one modality only.
        gap: what infrared loses, 0 (near infrared) to 1 (thermal).
        views: sides on which a person's clothes look different.
        sightings: tracklets of a person in each modality, spread evenly over the cameras that see
            them; where it is given, `tracklets` does not count.
    """

    train_identities: int
    test_identities: int
    auxiliary_identities: int
    cameras: int
    seen_by: tuple[int, int]
    tracklets: tuple[int, int]
    frames: tuple[int, int]
    short_share: float
    unshared: float = 0.0
    gap: float = 0.0
    views: int = 1
    sightings: int | None = None


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "tiny": Preset(6, 6, 2, 3, (2, 2), (2, 2), (12, 16), 0.05),
        "demo": Preset(40, 60, 10, 3, (2, 3), (2, 3), (12, 24), 0.04),
        "bench": Preset(200, 200, 50, 4, (2, 4), (2, 4), (12, 40), 0.04),
        "views-small": Preset(40, 60, 10, 3, (3, 3), (1, 2), (12, 16), 0.0, views=2, sightings=6),
        "views-large": Preset(
            40, 40, 10, 6, (6, 6), (10, 10), (12, 14), 0.0, views=4, sightings=60
        ),
    }
)
"""Sizes of the tracklet layouts by the name of the preset."""

_IMAGE = (1, 1)
SYSU_PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "tiny": Preset(6, 6, 0, 4, (2, 4), (3, 3), _IMAGE, 0.0),
        "demo": Preset(100, 60, 0, 4, (2, 4), (8, 14), _IMAGE, 0.0),
        "bench": Preset(395, 96, 0, 4, (2, 4), (12, 22), _IMAGE, 0.0),
    }
)
REGDB_PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "tiny": Preset(6, 6, 0, 1, (1, 1), (3, 3), _IMAGE, 0.0),
        "demo": Preset(100, 60, 0, 1, (1, 1), (10, 10), _IMAGE, 0.0),
        "bench": Preset(206, 206, 0, 1, (1, 1), (10, 10), _IMAGE, 0.0),
    }
)
LLCM_PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "tiny": Preset(6, 6, 0, 9, (2, 4), (3, 3), _IMAGE, 0.0),
        "demo": Preset(100, 60, 0, 9, (2, 5), (4, 10), _IMAGE, 0.0),
        "bench": Preset(400, 200, 0, 9, (2, 5), (6, 14), _IMAGE, 0.0),
    }
)
