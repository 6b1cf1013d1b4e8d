"""Which tracks keep their identity in semi-supervised training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..datasets.track import Modality, Track
from ..errors import UserError, shorten
from ..random_streams import Draw, numpy_generator
from ..reading import read_text

FORMS = (
    "visible, matches, a share of the identities like 0.2, or of every identity's tracks like "
    "tracks:0.2, or a person's judgements of pairs, decisions:INDEX"
)
DECISIONS = "decisions:"


@dataclass(frozen=True)
class Given:
    """A degree of supervision.

    Attributes:
        form: ``visible`` (all visible tracks), ``identities`` (a share of the identities, in both
            modalities), ``tracks`` (a share of every identity's tracks, in each modality) or
            ``matches`` (all labels, which only say what clusters belong together).
        share: from 0 to 1; 1 for ``visible`` and ``matches``.
    """

    form: Literal["visible", "matches", "identities", "tracks"]
    share: float = 1.0


def parse_given(text: str) -> Given:
    """Reads ``visible``, ``matches``, ``0.2`` or ``tracks:0.2``.

    Raises:
        ValueError: neither of them, or a share outside 0 to 1.
    """
    if text == "visible":
        return Given("visible")
    if text == "matches":
        return Given("matches")
    number = text.removeprefix("tracks:")
    try:
        share = float(number)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"--semi-supervised: expected {FORMS} (0 to 1); got {text}")
    return Given("identities" if number == text else "tracks", share)


def decisions_path(text: str | None) -> Path | None:
    """INDEX of ``decisions:INDEX``, the judgements of pairs; None of another setting.

    Args:
        text: the setting of ``--semi-supervised``.

    Raises:
        ValueError: nothing stands after the colon.
    """
    if text is None or not text.startswith(DECISIONS):
        return None
    if text == DECISIONS:
        raise ValueError("--semi-supervised decisions:INDEX: expected an index folder or file")
    return Path(text.removeprefix(DECISIONS))


def given_labels(text: str | None) -> Given | None:
    """The labels that a setting gives; None of no setting, and of judgements of pairs.

    Args:
        text: the setting of ``--semi-supervised``.
    """
    return None if text is None or decisions_path(text) is not None else parse_given(text)


def draw_labelled(tracks: Sequence[Track], given: Given, seed: int) -> list[str]:
    """Draws the tracks whose labels are given.

    A share of n identities is ``share · n`` of them, rounded; a share of an identity's n tracks of
    one modality is rounded up. Above a share of 0 it is at least one.

    Args:
        tracks: training tracks, identities included, in any order.
        given: the degree of supervision.
        seed: of the draw, which depends on identities and keys and not on the order.

    Returns:
        Keys, sorted.

    Raises:
        UserError: a track that the form may choose has no identity.
    """
    if given.share == 0:
        return []
    unknown = [
        track.key
        for track in tracks
        if track.identity is None
        and (given.form != "visible" or track.modality is Modality.VISIBLE)
    ]
    if unknown:
        raise UserError(
            f"--semi-supervised: {len(unknown)} training tracks that the setting may give labels "
            f"of have no identity ({shorten(unknown, 2)})"
        )
    if given.form == "visible":
        return sorted(track.key for track in tracks if track.modality is Modality.VISIBLE)
    if given.form == "matches":
        return sorted(track.key for track in tracks)
    rng = numpy_generator(Draw.LABELS, seed)
    identities = sorted({track.identity for track in tracks if track.identity is not None})
    if given.form == "identities":
        count = max(1, round(given.share * len(identities)))
        chosen = {identities[i] for i in rng.permutation(len(identities))[:count]}
        return sorted(track.key for track in tracks if track.identity in chosen)
    groups: dict[tuple[int, Modality], list[str]] = {}
    for track in tracks:
        assert track.identity is not None
        groups.setdefault((track.identity, track.modality), []).append(track.key)
    keys = []
    for _, members in sorted(groups.items()):
        members.sort()
        # A hair less, so that 0.2 of 5 is not 2 for a rounding error.
        count = max(1, int(np.ceil(given.share * len(members) - 1e-9)))
        keys += [members[i] for i in rng.permutation(len(members))[:count]]
    return sorted(keys)


def read_labelled(file: Path, tracks: Sequence[Track]) -> list[str]:
    """Keys of labelled tracks from a file, one a line, instead of a draw.

    Raises:
        UserError: the file cannot be read, or names tracks that the training split does not have
            or that have no identity.
    """
    try:
        keys = [line for line in read_text(file, "utf-8-sig").splitlines() if line.strip()]
    except OSError as error:
        raise UserError(f"--labelled-tracks {file}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(f"--labelled-tracks {file}: cannot be read ({error})") from error
    known = {track.key for track in tracks if track.identity is not None}
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise UserError(
            f"--labelled-tracks {file}: {len(unknown)} of {len(keys)} lines are no training track "
            f"with an identity ({shorten(unknown, 2)}); wanted is the key of a track, one a line"
        )
    return sorted(keys)


def only_given(
    text: str, seed: int, file: Path | None = None
) -> Callable[[Sequence[Track]], list[Track]]:
    """What hides the labels that the setting does not give.

    Args:
        text: the setting, see :func:`parse_given`.
        seed: see :func:`draw_labelled`.
        file: see :func:`read_labelled`.

    Returns:
        A function from tracks to the same tracks, identity None unless it is given.
    """
    given = parse_given(text)

    def hide(tracks: Sequence[Track]) -> list[Track]:
        keys = set(
            draw_labelled(tracks, given, seed) if file is None else read_labelled(file, tracks)
        )
        return [
            track if track.key in keys else dataclasses.replace(track, identity=None)
            for track in tracks
        ]

    return hide
