"""What can be asked of a synthetic set beyond its preset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..options import Options, option
from .person import MOST_VIEWS
from .presets import Preset
from .schedule import MOST_CAMERAS

MOST_TRACKLETS = 1000  # of a person: more would fill a disk before they taught anything


@dataclass(frozen=True, kw_only=True)
class SyntheticOptions(Options):
    """How people are dressed, seen and sighted; unset: as the preset says."""

    heading: ClassVar[str] = "Scene"

    gap: float = option(
        "what infrared loses, 0 to 1; 0: near infrared, all patterns show; 1: thermal, none does",
        0.0,
        at_least=0,
        at_most=1,
    )
    tracklets: int | None = option(
        "sightings of a person in each modality, 2 to 1000 (tracklet layouts)",
        None,
        at_least=2,
        at_most=MOST_TRACKLETS,
    )
    cameras: int | None = option(
        "cameras of each modality, 1 to 6 (hitsz-vcm)", None, at_least=1, at_most=MOST_CAMERAS
    )
    views: int | None = option(
        "sides on which clothes look different, 1 to 4; 1: the same all around, 2: front and back",
        None,
        at_least=1,
        at_most=MOST_VIEWS,
    )
    unshared: float = option(
        "share of training people seen in one modality only, 0 to 1", 0.0, at_least=0, at_most=1
    )


def sizes_asked(preset: Preset, options: SyntheticOptions) -> Preset:
    """A preset with what the options ask for instead.

    Args:
        preset: what holds where an option is unset.
        options: what is asked for.

    Returns:
        The preset. With another number of cameras a person is seen by at least as many of them as
        before, as far as there are, and by all at most where that was so. Sightings that are asked
        for are all long enough for the readers, so that as many can be read as were asked for.
    """
    sizes = replace(preset, gap=options.gap, unshared=options.unshared)
    if options.views is not None:
        sizes = replace(sizes, views=options.views)
    if options.cameras is not None:
        every = options.cameras
        least, most = (every if n >= preset.cameras else min(n, every) for n in preset.seen_by)
        sizes = replace(sizes, cameras=every, seen_by=(least, most))
    if options.tracklets is not None:
        sizes = replace(sizes, sightings=options.tracklets, short_share=0.0)
    if sizes.sightings is not None:
        least, most = (min(n, sizes.sightings) for n in sizes.seen_by)
        sizes = replace(sizes, seen_by=(least, most))
    return sizes
