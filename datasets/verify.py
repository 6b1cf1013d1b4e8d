"""Comparing a copy of a data set with what was published, before anything is trained on it.

A badly prepared copy trains without complaint and costs 5 to 15 points.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .consistency import consistency_notices
from .errors import DatasetError
from .folder_scan import Problems, Scan
from .load import needed_splits, scan_dataset
from .registry import dataset_spec
from .spec import Counts, DatasetSpec, Part
from .synthetic_mark import synthetic_counts
from .track import Modality, Track
from .verification import Row, Verification

SHOWN_FILES = 5


def verify_dataset(name: str, root: str | Path, **options: object) -> Verification:
    """Reads the lists, counts, and looks for every frame by listing folders.

    Args:
        name: data set, as for `load_dataset`.
        root: its folder.
        **options: of the reader, as for `load_dataset`.

    Returns:
        Counts, problems and notices. Malformed lists and missing files are problems in it.

    Raises:
        DatasetError: if no data set has this name, or it has no such trial.
    """
    spec, root = dataset_spec(name), Path(root)
    problems = Problems(collect=True)
    scan = scan_dataset(spec, root, problems, options)
    if not scan.listed:  # not the layout; the one problem says so
        return Verification(spec.name, root, "", (), tuple(problems.found), ())
    published = ("published counts" if spec.counts else ""), dict(spec.counts)
    source, wanted = synthetic_counts(spec.name, root, problems) or published
    if scan.own_filter:
        wanted = {part: counts for part, counts in wanted.items() if part[2]}
    if scan.own_frames:
        wanted = {p: Counts(c.identities, c.tracks) for p, c in wanted.items()}
    rows = _count(scan, wanted)
    _find_missing(root, scan, problems)
    for split, tracks in needed_splits(spec, *scan.parts()):
        if not tracks:
            problems.add(f"{root}: the {split} split has no usable tracks")
    differing = [f"{_title(row.part)}: {'; '.join(d)}" for row in rows if (d := row.differences())]
    if wanted and wanted == spec.counts:
        differing += _known_faults(spec, scan, rows)
    doubtful = bool(differing or problems.found)
    for message in differing + (scan.suspicions if doubtful else []):
        problems.add(message)
    notices = [
        *scan.notices,
        *([] if doubtful else scan.suspicions),
        *consistency_notices(*scan.parts(), numbered_apart=scan.numbered_apart),
    ]
    return Verification(spec.name, root, source, rows, tuple(problems.found), tuple(notices))


def require_complete(verification: Verification, allow_incomplete: bool = False) -> None:
    """Refuses an incomplete copy, unless it is accepted all the same.

    Raises:
        DatasetError: if the copy has problems and they are not accepted; the message is the whole
            verification. A folder in which nothing was found is never accepted.
    """
    if not verification.rows:
        raise DatasetError(verification.text())
    if not verification.ok and not allow_incomplete:
        raise DatasetError(
            f"{verification.text()}\n"
            "Complete the data set, or go on with it as it is with --allow-incomplete."
        )


def _count(scan: Scan, wanted: dict[Part, Counts]) -> tuple[Row, ...]:
    """Counts every part that something is known about or that says something new."""
    rows = []
    for everything, splits in ((False, scan.used), (True, scan.listed)):
        test = [*splits.get("query", []), *splits.get("gallery", [])]
        for split, tracks in {**splits, "test": test}.items():
            filtered = split == "test" or (everything and len(tracks) == len(scan.used[split]))
            for modality in (*Modality, None):
                part = (split, modality, everything)
                chosen = [track for track in tracks if modality in (None, track.modality)]
                single = modality is None and len({track.modality for track in tracks}) == 1
                if part in wanted or (chosen and not filtered and not single):
                    rows.append(Row(part, wanted.get(part, Counts()), _counts_of(chosen)))
    return tuple(rows)


def _counts_of(tracks: Sequence[Track]) -> Counts:
    return Counts(
        len({track.identity for track in tracks} - {None}),
        len(tracks),
        sum(len(track.frames) for track in tracks),
    )


def _known_faults(spec: DatasetSpec, scan: Scan, rows: Sequence[Row]) -> list[str]:
    """What a published set can be held against beside its counts, where these differ."""
    said = []
    pairs = len({(track.identity, track.camera) for track in scan.used.get("gallery", [])})
    if spec.gallery_pairs not in (None, pairs):
        said.append(
            f"gallery: {spec.gallery_pairs:,} pairs of person and camera wanted (a single-shot "
            f"gallery has an image of each), {pairs:,} found; folders of test people were not "
            "copied"
        )
    found = {row.part: row.found for row in rows}
    for fault in spec.faults:
        if any(
            part in found and not Row(part, counts, found[part]).differences()
            for part, counts in fault.counts.items()
        ):
            said.append(f"these are the counts of {fault.meaning}")
    return said


def _find_missing(root: Path, scan: Scan, problems: Problems) -> None:
    """Complains about frames that are listed and not there."""
    content: dict[Path, set[str]] = {}
    missing: list[tuple[Path, str]] = []
    total = 0
    for tracks in scan.listed.values():
        for track in tracks:
            for i, frame in enumerate(track.frames):
                total += 1
                names = content.get(frame.parent)
                if names is None:
                    names = content[frame.parent] = _names_in(frame.parent, problems)
                if frame.name not in names:
                    missing.append((frame, _origin(scan, track, i)))
    if missing:
        shown = "\n".join(f"  {path}{origin}" for path, origin in missing[:SHOWN_FILES])
        more = len(missing) - SHOWN_FILES
        problems.add(
            f"{len(missing):,} of {total:,} listed frames are missing from {root}:\n{shown}"
            + (f"\n  and {more:,} more" if more > 0 else "")
        )


def _names_in(folder: Path, problems: Problems) -> set[str]:
    try:
        return {entry.name for entry in folder.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        problems.add(f"{folder} cannot be listed ({error.strerror}); make it readable")
        return set()


def _origin(scan: Scan, track: Track, frame: int) -> str:
    if track.key not in scan.origins:
        return ""
    file, line, step = scan.origins[track.key]
    return f" (listed in {file}:{line + step * frame})"


def _title(part: Part) -> str:
    split, modality, everything = part
    of = f" {modality.name.lower()}" if modality is not None else ""
    return f"{split}{of}{', short tracks included' if everything else ''}"
