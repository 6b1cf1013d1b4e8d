"""All that the toolkit knows about one data set, in one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .folder_scan import Scan
from .track import Modality, Track

if TYPE_CHECKING:
    from .resize import Filter  # which compiles; commands start with this module

# Which gallery tracks a query ignores; `evaluation.metrics` says what each leaves out.
Rule = Literal["standard", "sysu", "sysu-symmetric", "llcm", "all"]
# Who asks in each direction; published names of RegDB say thermal.
DIRECTIONS = {
    "v2i": Modality.VISIBLE,
    "i2v": Modality.INFRARED,
    "v2t": Modality.VISIBLE,
    "t2v": Modality.INFRARED,
}


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of one part of a data set; None where nothing is known.

    Attributes:
        identities: different people.
        tracks: tracks.
        frames: frames.
    """

    identities: int | None = None
    tracks: int | None = None
    frames: int | None = None

    @classmethod
    def of_images(cls, number: int, identities: int | None = None) -> Counts:
        """Counts of single images: each is a track of one frame."""
        return cls(identities, number, number)


# A part of a data set: its split ("test" is query and gallery together), its modality (None: both)
# and whether tracks that the reader's filter drops are counted too.
Part = tuple[str, Modality | None, bool]


@dataclass(frozen=True, slots=True)
class KnownFault:
    """A damage that many copies have, known by its counts.

    Attributes:
        counts: each of these alone gives it away.
        meaning: what is wrong and what to do.
    """

    counts: Mapping[Part, Counts]
    meaning: str


@dataclass(frozen=True, slots=True)
class ProtocolRecipe:
    """One direction of retrieval, as the data set's publication or released code evaluates it.

    Attributes:
        name: after the data set's name (and trial); its last part is the direction: ``v2i`` or
            ``i2v``, or ``v2t``, ``t2v`` where infrared is thermal.
        rule: which gallery tracks a query ignores.
        published: one of those that a shorter name stands for.
        default: evaluated when nothing is asked for.
        shots: images of each identity and camera in a drawn gallery; None: the whole gallery.
        draws: what is drawn, the ``gallery`` or the ``query``; the other side is whole.
        galleries: how many are drawn; the result is their mean.
        cameras: cameras of the visible side; None: all.
    """

    name: str
    rule: Rule = "standard"
    published: bool = True
    default: bool = True
    shots: int | None = None
    draws: Literal["gallery", "query"] = "gallery"
    galleries: int = 10
    cameras: tuple[int, ...] | None = None

    @property
    def asks(self) -> Modality:
        """Modality of the queries."""
        return DIRECTIONS[self.name.rpartition("/")[2]]


@dataclass(frozen=True, slots=True)
class Trials:
    """Numbered splits of the same people; a model of one has seen test people of the others.

    The reader takes the number as its option ``trial``, from 1, and a model is tested on its own
    trial only.

    Attributes:
        count: how many there are.
        seen: which of another trial's test people a model has seen in training, in words.
    """

    count: int
    seen: str = "some"


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """A row of a paper's table, in per cent.

    Attributes:
        system: method, and the setting where it needs one.
        supervision: ``supervised`` or ``unsupervised``.
        first: what the first pair of scores is, for instance ``V2I`` or ``all-search``.
        first_scores: Rank-1 and mAP; None where the paper gives none.
        second: what the second pair is.
        second_scores: Rank-1 and mAP.
    """

    system: str
    supervision: Literal["supervised", "unsupervised"]
    first: str
    first_scores: tuple[float | None, float | None]
    second: str
    second_scores: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """A data set: how it is read, recognised, verified, trained on and evaluated.

    Attributes:
        name: for ``--dataset``; lower-case letters and digits, parts joined by hyphens.
        scan: its reader: takes the folder and `Problems`, and options by name; returns a `Scan`
            with the splits train, query and gallery in both `listed` and `used`.
        title: as its paper spells it, for messages; unset: the name.
        aliases: other names. Case and hyphens never matter.
        marks: files or folders by which a folder of it is told from other sets; "a|b" is either,
            and all must be there. Without any it is not recognised.
        images: every track is a single image.
        network: that of its recipe, which ``--network auto`` takes; unset: ``agw`` for images,
            ``m3reid`` for clips.
        resize: filter of its recipe, which ``--resize auto`` takes; unset: ``lanczos`` for images,
            ``bilinear`` for clips.
        counts: of a complete copy, by part; empty: it is held against nothing.
        gallery_pairs: pairs of person and camera among the gallery images of a complete copy.
        faults: damages that are recognised by their counts.
        protocols: how it is evaluated.
        query_side: what its queries show. ``infrared``: the other direction swaps the two sides;
            ``both``: each direction takes its modality from each side; ``any``: the former if each
            side holds one modality, the latter otherwise.
        official_galleries: file of its own gallery permutations, below its folder.
        trials: its numbered splits; None: it has one.
        results: published ones, to stand beside one's own.
        needs_test: whether a copy without query and gallery is refused; without them a run trains,
            and measures nothing that takes identities.
        camera_name: what people call the camera of a track; unset: its number.
    """

    name: str
    scan: Callable[..., Scan]
    title: str = ""
    aliases: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    images: bool = False
    network: str = ""
    resize: Filter | None = None
    counts: Mapping[Part, Counts] = field(default_factory=dict)
    gallery_pairs: int | None = None
    faults: tuple[KnownFault, ...] = ()
    protocols: tuple[ProtocolRecipe, ...] = (ProtocolRecipe("v2i"), ProtocolRecipe("i2v"))
    query_side: Literal["infrared", "both", "any"] = "any"
    official_galleries: str | None = None
    trials: Trials | None = None
    results: tuple[PublishedResult, ...] = ()
    needs_test: bool = True
    camera_name: Callable[[Track], str] = lambda track: str(track.camera)

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.name)
        if not self.network:
            object.__setattr__(self, "network", "agw" if self.images else "m3reid")
        if self.resize is None:
            object.__setattr__(self, "resize", "lanczos" if self.images else "bilinear")

    def reader_options(self, trial: int) -> dict[str, object]:
        """What a command's ``--trial`` is to the reader; nothing where there is one split."""
        return {"trial": trial} if self.trials else {}
