"""How large a synthetic set is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Preset:
    """Counts of a synthetic set; a pair is a range, both ends included.

    Attributes:
        train_identities: people to train on.
        test_identities: other people, to test on.
        auxiliary_identities: further people seen once (BUPTCampus layout only).
        cameras: cameras of each modality (HITSZ-VCM layout; BUPTCampus always has 6 in all).
        seen_by: cameras of each modality that see one person.
        tracklets: sightings of a person by one camera.
        frames: frames of a tracklet.
        short_share: share of tracklets that are shorter, 5 to 11 frames.
    """

    train_identities: int
    test_identities: int
    auxiliary_identities: int
    cameras: int
    seen_by: tuple[int, int]
    tracklets: tuple[int, int]
    frames: tuple[int, int]
    short_share: float


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "tiny": Preset(6, 6, 2, 3, (2, 2), (2, 2), (12, 16), 0.05),
        "demo": Preset(40, 60, 10, 3, (2, 3), (2, 3), (12, 24), 0.04),
        "bench": Preset(200, 200, 50, 4, (2, 4), (2, 4), (12, 40), 0.04),
    }
)
