"""The rows of an ablation, as data: a name and the settings that it changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ..commands.mmm import MMMSettings
from ..errors import UserError, shorten
from ..reading import parse_yaml, read_text, shortened

Kind = Literal["stage one", "continued", "stage two", "supervised"]
PUBLISHED_MIMIC, PUBLISHED_ALIGNMENT = 0.5, 0.05
# The paper aligns from epoch 15 of 80.
PUBLISHED_ALIGNMENT_FROM = 15 / 80
# The released code trains 5 of 100 epochs by cross entropy alone.
PUBLISHED_CE = 5 / 100
# As ``weights`` of a row: the network of the seed's stage one.
STAGE_ONE = "stage-one"
# What steadies clusters, by name: as the table shows it, and the settings of both stages, with the
# published numbers where they count alike.
REMEDIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "camera-neighbours": ("camera-aware neighbours", {"camera_neighbours": True}),
    "modality-neighbours": ("modality-balanced neighbours", {"modality_neighbours": True}),
    "reliability": ("clusters that hold at two radii", {"eps_gap": 0.02}),
    "label-propagation": ("labels smoothed over epochs", {"label_propagation": 0.6}),
    "ema-0.99": ("averaged weights, 0.99", {"ema_decay": 0.99}),
    "ema-0.999": ("averaged weights, 0.999", {"ema_decay": 0.999}),
}

SETS: Mapping[str, tuple[str, ...]] = {
    "steps": (
        *("stage-one", "continued", "matching", "joint-clusters"),
        *("mimic", "alignment", "mimic-alignment"),
    ),
    "memories": (
        *("memories-1", "memories-2", "memories-4", "memories-8"),
        *("memories-1-prototypes-4", "memories-4-prototypes-4"),
    ),
    "matchers": ("nearest", "one-to-one", "partial", "adaptive"),
    "variants": ("stage-one", "continued", "recipe", "paper", "released"),
    "supervision": (
        *("stage-one", "recipe", "semi-tracks-0.2", "semi-0.2", "semi-visible", "semi-1"),
        "supervised",
    ),
    "oracles": ("stage-one", "continued", "memories-1", "recipe", "semi-matches", "semi-1"),
    "remedies": (
        *("stage-one", "continued", "recipe"),
        *(f"{part}{name}" for name in REMEDIES for part in ("stage-one-", "")),
    ),
}


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: what ``--rows`` calls it; also the name of its run folder.
        title: as the table shows it.
        kind: ``stage one`` is that run itself; ``continued`` trains it on for as many steps as
            stage two takes; ``stage two`` and ``supervised`` run ``vireid mmm``.
        changes: settings that differ from the YAML file of the kind.
        stage_one: settings that differ in the stage one that the row starts from, or is; with
            none, it is the one that the rows of a seed share.
    """

    name: str
    title: str
    kind: Kind = "stage two"
    changes: Mapping[str, Any] = field(default_factory=dict)
    stage_one: Mapping[str, Any] = field(default_factory=dict)


def predefined_rows(recipe: MMMSettings) -> dict[str, Row]:
    """The rows that need no file.

    Args:
        recipe: stage two's settings. Its weights are those of ``+ mimic``, ``+ alignment`` and
            ``joint clusters beside``; where one is 0, the published weight is taken (1 for the
            joint clusters, as heavy as in stage one), and where the alignment would begin after the
            last epoch, it begins after the published share of the epochs.

    Returns:
        Name to row.
    """
    mimic = {"mimic_weight": recipe.mimic_weight or PUBLISHED_MIMIC}
    alignment = {"alignment_weight": recipe.alignment_weight or PUBLISHED_ALIGNMENT}
    if recipe.alignment_from > recipe.epochs:
        alignment["alignment_from"] = max(1, math.ceil(PUBLISHED_ALIGNMENT_FROM * recipe.epochs))
    off = {"mimic_weight": 0.0, "alignment_weight": 0.0, "union_weight": 0.0}
    rows = [
        Row("stage-one", "stage one alone", "stage one"),
        Row("continued", "control: stage one trained on", "continued"),
        Row("matching", "+ matching", changes=off),
        Row(
            "joint-clusters",
            "+ matching, joint clusters beside",
            changes={**off, "union_weight": recipe.union_weight or 1.0},
        ),
        Row("mimic", "+ matching, mimic", changes={**off, **mimic}),
        Row("alignment", "+ matching, alignment", changes={**off, **alignment}),
        Row(
            "mimic-alignment", "+ matching, mimic, alignment", changes={**off, **mimic, **alignment}
        ),
        Row("recipe", "stage two as configured"),
    ]
    rows += _published_rows(recipe.epochs)
    for k in (1, 2, 4, 8):
        name = "one memory" if k == 1 else f"{k} memories"
        rows.append(
            Row(f"memories-{k}", name, changes={"memories": k, "memory_prototypes": 1}),
        )
    for k in (1, 4):
        rows.append(
            Row(
                f"memories-{k}-prototypes-4",
                f"{'one memory' if k == 1 else f'{k} memories'}, 4 prototypes in training",
                changes={"memories": k, "memory_prototypes": 4},
            )
        )
    rows += [Row(name, f"matcher {name}", changes={"matcher": name}) for name in SETS["matchers"]]
    rows += [
        Row(f"semi-{given.replace(':', '-')}", title, changes={"semi_supervised": given})
        for given, title in (
            ("tracks:0.2", "semi-supervised, 20 % of every identity's tracks"),
            ("0.2", "semi-supervised, 20 % of the identities"),
            ("visible", "semi-supervised, visible labels"),
            ("matches", "told the right matches"),
            ("1", "all labels, by stage two's losses"),
        )
    ]
    rows.append(Row("supervised", "supervised", "supervised", {"supervised": True}))
    for name, (title, published) in REMEDIES.items():
        changes = dict(published)
        if "camera_neighbours" in changes:
            changes |= _camera_numbers(recipe)
        rows.append(Row(f"stage-one-{name}", f"stage one, {title}", "stage one", stage_one=changes))
        rows.append(Row(name, f"both stages, {title}", changes=changes, stage_one=changes))
    return {row.name: row for row in rows}


def _camera_numbers(recipe: MMMSettings) -> dict[str, int]:
    """Neighbours of the own camera and of others: the published ones at k1 = 30 and k2 = 6.

    Scaled with the recipe's, for lists as long as a small set would join everything.
    """
    return {
        "own_camera_k1": max(2, round(recipe.k1 / 5)),
        "other_cameras_k1": max(1, round(0.7 * recipe.k1)),
        "own_camera_k2": max(1, round(recipe.k2 / 3)),
        "other_cameras_k2": max(1, round(2 * recipe.k2 / 3)),
    }


def _published_rows(epochs: int) -> list[Row]:
    """The losses and the matching of the paper and of the released code.

    Both start from ImageNet, and so from random weights where there are none; here they start from
    stage one's network, so that what differs is what teaches.
    """
    losses = {
        "weights": STAGE_ONE,
        "memory_weight": 1.0,
        "contrast_weight": 0.0,
        "mimic_weight": PUBLISHED_MIMIC,
        "alignment_weight": PUBLISHED_ALIGNMENT,
        "alignment_from": max(1, math.ceil(PUBLISHED_ALIGNMENT_FROM * epochs)),
    }
    paper = {"variant": "paper", "matcher": "one-to-one", "cost": "paper", "memory_mode": "all"}
    released = {"variant": "released", "matcher": "nearest", "cost": "released"}
    ce_epochs = math.ceil(PUBLISHED_CE * epochs)
    return [
        Row("paper", "as in the paper", changes={**losses, **paper}),
        Row("released", "as released", changes={**losses, **released, "ce_epochs": ce_epochs}),
    ]


def choose_rows(wanted: Sequence[str], known: Mapping[str, Row]) -> list[Row]:
    """Rows by name, by set, and from YAML files.

    Args:
        wanted: names of rows or sets; what ends in ``.yaml`` or ``.yml`` is a file of own rows.
        known: the predefined rows.

    Returns:
        The rows in the order asked for, each once.

    Raises:
        UserError: an unknown name, or a file that does not hold rows.
    """
    chosen: dict[str, Row] = {}
    for name in wanted:
        if name.endswith((".yaml", ".yml")):
            for row in read_rows(Path(name)):
                if row.name in known or row.name in chosen:
                    raise UserError(f"--rows {name}: the name {row.name!r} is taken; choose others")
                chosen[row.name] = row
            continue
        names = tuple(known) if name == "all" else SETS.get(name, (name,))
        for each in names:
            if each not in known:
                raise UserError(
                    f"--rows: there is no row {each!r}. Sets: {', '.join((*SETS, 'all'))}. "
                    f"Rows: {', '.join(known)}. Own rows come from a file that ends in .yaml."
                )
            chosen[each] = known[each]
    return list(chosen.values())


def read_rows(file: Path) -> list[Row]:
    """Rows of the user's: a name, and below it settings of ``vireid mmm``.

    Args:
        file: YAML, for instance ``{"hot memory": {"memory_temperature": 0.2}}``. Two keys are no
            settings: ``kind``, one of :data:`Kind`, and ``stage-one``, settings of ``vireid
            baseline`` for a stage one of the row's own.

    Returns:
        One row each.

    Raises:
        UserError: the file cannot be read or holds something else.
    """
    try:
        found = parse_yaml(read_text(file))
    except OSError as error:
        raise UserError(f"--rows {file}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"--rows {file}: {error}") from error
    if not isinstance(found, dict) or not found:
        raise UserError(
            f"--rows {file}: expected rows like `hot memory: {{memory_temperature: 0.2}}`; "
            f"found {type(found).__name__}"
        )
    bad = [str(name) for name, changes in found.items() if not isinstance(changes, dict)]
    if bad:
        raise UserError(
            f"--rows {file}: {shorten(bad)}: expected settings of `vireid mmm` below the name, "
            "like `{memory_temperature: 0.2}`"
        )
    slashed = [str(name) for name in found if set("/\\") & set(str(name)) or str(name) in ".."]
    if slashed:
        raise UserError(f"--rows {file}: {shorten(slashed)}: a name is a folder's, without slashes")
    return [_own_row(file, str(name), changes) for name, changes in found.items()]


def _own_row(file: Path, name: str, given: Mapping[Any, Any]) -> Row:
    changes = _underscored(given)
    stage_one = changes.pop("stage_one", {})
    if not isinstance(stage_one, dict):
        raise UserError(
            f"--rows {file}: {name}: stage-one: expected settings of `vireid baseline`, like "
            "`{pretrain-epochs: 40}`"
        )
    kind = changes.pop("kind", "supervised" if changes.get("supervised") else "stage two")
    if kind not in get_args(Kind):
        raise UserError(
            f"--rows {file}: {name}: kind is {', '.join(get_args(Kind))}; found {shortened(kind)}"
        )
    if kind in ("stage one", "continued") and changes:
        raise UserError(
            f"--rows {file}: {name}: a row of the kind {kind!r} takes its settings from stage "
            f"one's; put {shorten(sorted(changes))} below stage-one"
        )
    if kind == "supervised":
        changes["supervised"] = True
    return Row(name, name, kind, changes, _underscored(stage_one))


def _underscored(settings: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key).replace("-", "_"): value for key, value in settings.items()}
