"""``vireid index``: adds tracklets to an index that lasts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..options import option
from ..retrieval.options import EmbedderOptions

if TYPE_CHECKING:
    from ..retrieval.embedding import Embedder
    from ..retrieval.index_folder import IndexFolder


@dataclass(frozen=True, kw_only=True)
class IndexSettings(EmbedderOptions):
    """Whose network describes which tracklets, and where they are kept."""

    inputs: list[Path] = option("the run, then folders of tracklets")
    output: Path = option("the index: a new folder, or one to add to")
    dataset: str = option(
        "layout of the folders; folder: plain ones, as of your own footage", "folder"
    )
    prefix: str = option("stands before each key, so that two folders may use the same names", "")
    dim: int = option(
        "numbers of a vector, fitted on the run's training features; 0 keeps those of the network",
        512,
        at_least=0,
        at_most=65536,
    )
    blur_thumbnails: bool = option("keep blurred pictures only", False)
    exact_below: int = option(
        "tracklets up to which every one is looked at; from here on a vector index (IVF) is built",
        1_000_000,
        at_least=1,
    )
    skip_corrupt: bool = option("leave unreadable frames out instead of stopping", False)


def run_index(settings: IndexSettings) -> int:
    """Makes the index if it is not there, and adds what it does not hold yet.

    Raises:
        UserError, DatasetError: with what to do.
        OSError: the disk takes no more; what was added stays.
    """
    if len(settings.inputs) < 2:
        raise UserError(
            "expected a run and one folder of tracklets or more: vireid index RUN FOLDER … "
            "--output INDEX"
        )
    from ..retrieval import extra

    extra.lancedb()
    from ..retrieval.embedding import open_embedder, require_same_model
    from ..retrieval.filling import add_sightings
    from ..retrieval.forgetting import finish
    from ..retrieval.index_folder import is_index, locked, open_index
    from ..retrieval.sightings import by_modality, sightings_of
    from ..retrieval.vector_index import keep_fast

    run, *folders = settings.inputs
    sightings = [
        one for folder in folders for one in sightings_of(folder, settings.dataset, settings.prefix)
    ]
    counts = by_modality(sightings)
    shown = ", ".join(f"{count:,} {kind.name.lower()}" for kind, count in counts.items())
    print(f"{len(sightings):,} tracklets: {shown}")
    output = settings.output
    _check_output(output)
    embedder = open_embedder(run, settings)
    output.mkdir(parents=True, exist_ok=True)
    with locked(output, f"--output {output}"):
        if not is_index(output):
            index = _new_index(settings, run, embedder)
        else:
            index = open_index(output)
            require_same_model(embedder.fingerprint, index.facts.fingerprint, run, output)
            _require_same_thumbnails(index, settings.blur_thumbnails)
        if index.interrupted:
            finish(index)
        done = add_sightings(index, sightings, embedder, skip_corrupt=settings.skip_corrupt)
        if done.added:
            index.store.clean_up()
        print(
            f"{output}: {done.added:,} added, {done.known:,} there already, "
            f"{index.store.count():,} in all; {index.facts.dim} half-precision numbers each"
        )
        if recall := keep_fast(index):
            print(recall)
    return 0


def _check_output(output: Path) -> None:
    """Refuses to write into what is no index."""
    from ..folder_lock import FILE as LOCK_FILE
    from ..retrieval.index_folder import is_index
    from ..retrieval.projection import FILE as PROJECTION_FILE

    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output} is a file; wanted is a folder: an index, or a new one")
    if output.exists() and not is_index(output):
        own = {LOCK_FILE, PROJECTION_FILE}  # of one that was killed while it was made
        strange = [path.name for path in output.iterdir() if path.name.split(".part")[0] not in own]
        if strange:
            raise UserError(
                f"--output {output} holds no index but {strange[0]}; choose another folder, new or "
                "empty"
            )


def _new_index(settings: IndexSettings, run: Path, embedder: Embedder) -> IndexFolder:
    """An empty index; with its last file it is one."""
    from ..retrieval.index_folder import IndexFacts, open_index, write_facts
    from ..retrieval.projection import Projection, fit_projection
    from ..retrieval.projection_loss import projection_losses, training_features

    width = embedder.width()
    features = training_features(run) if settings.dim and settings.dim < width else None
    if settings.dim and settings.dim < width and features is None:
        raise UserError(
            f"{run} keeps no training features, on which the projection to {settings.dim} numbers "
            f"would be fitted; add --dim 0 to keep all {width:,}, or index with the folder of a "
            "run that clusters (baseline, mmm)"
        )
    projection = Projection(None) if features is None else fit_projection(features, settings.dim)
    if features is not None:
        dim = projection.directions.shape[1] if projection.directions is not None else width
        print(
            f"projection: {width:,} numbers to {dim:,}, fitted on {len(features):,} training "
            f"tracks; keeps {projection.kept:.2%} of their squared length"
        )
        if dim < settings.dim:
            print(f"  {settings.dim} were asked for; the training features span no more than {dim}")
        losses = projection_losses(run, projection)
        for loss in losses:
            print(f"  {loss}")
        if not losses:
            print("  its loss in mAP is not known: the run keeps no features of a test split")
    projection.write(settings.output)
    directions = projection.directions
    facts = IndexFacts(
        run=str(run.absolute()),
        fingerprint=embedder.fingerprint,
        projection=projection.fingerprint(),
        width=width,
        dim=width if directions is None else directions.shape[1],
        blurred=settings.blur_thumbnails,
        exact_below=settings.exact_below,
    )
    write_facts(settings.output, facts)
    return open_index(settings.output)


def _require_same_thumbnails(index: IndexFolder, blurred: bool) -> None:
    if blurred and not index.facts.blurred:
        raise UserError(
            f"{index.path} was made without --blur-thumbnails and holds sharp pictures; make a new "
            "index with the flag, or leave it out"
        )
