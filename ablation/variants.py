"""From rows and seeds to runs: every run's settings, folder and predecessor."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..baselines.settings import BaselineSettings
from ..commands.command_line import build
from ..commands.mmm import MMMSettings
from ..engine.resume import check_same_settings
from ..engine.run_folder import refuse_data_folder
from ..errors import UserError
from ..mmm.epoch_length import fixed_steps
from ..options import read_yaml, to_yaml
from .rows import STAGE_ONE, Row, choose_rows, predefined_rows
from .settings import AblateSettings

Settings = TypeVar("Settings", BaselineSettings, MMMSettings)
# Folder of the stage one from which all rows of a seed start that have none of their own.
SHARED = "stage-one"
# The file that a command writes when its training is done.
LAST_FILE = {"baseline": "tracks.csv", "mmm": "model.safetensors"}


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        label: where it stands, for messages: seed and row.
        command: ``baseline`` or ``mmm``.
        folder: its run folder.
        settings: resolved settings as YAML.
        before: the stage one that it starts from, None for one that starts from the beginning.
        problem: why it cannot be started, None if it can.
    """

    label: str
    command: str
    folder: Path
    settings: str
    before: Job | None = None
    problem: str | None = None

    @property
    def finished(self) -> bool:
        """Whether the run is complete."""
        return (self.folder / LAST_FILE[self.command]).is_file()

    @property
    def started(self) -> bool:
        """Whether there is something to go on with."""
        return (self.folder / "metrics.jsonl").is_file()


@dataclass(frozen=True)
class Cell:
    """One run of a row on one seed (and one value of the second placeholder).

    Attributes:
        row: the row.
        over: value of ``--over``, empty without.
        seed: the seed.
        repeat: which of the runs that differ in rounding alone, from 0.
        job: its run; rows of equal settings share one.
    """

    row: Row
    over: str
    seed: int
    repeat: int
    job: Job


@dataclass(frozen=True)
class _Variant:
    """A row's settings, before data, seed and folders are filled in.

    Attributes:
        folder: name of its run folder; rows of equal settings share one.
        command: ``baseline`` or ``mmm``.
        settings: resolved settings.
        before: folder and settings of the stage one that it starts from.
        problem: why there are no settings.
    """

    folder: str
    command: str
    settings: BaselineSettings | MMMSettings | None
    before: tuple[str, BaselineSettings]
    problem: str | None = None


def plan(config: AblateSettings) -> list[Cell]:
    """All runs of an ablation, before the first one starts.

    Args:
        config: the ablation's settings.

    Returns:
        Cells in the order of the table: by value, row and seed.

    Raises:
        UserError: a settings file, an own row or a folder is not as it should be, or a run that
            is there has other settings.
    """
    output = config.output.absolute()
    given = {"dataset": config.dataset, "data_dir": config.data_dir, "output": str(output)}
    one = _recipe(BaselineSettings, config.baseline_config, given)
    recipe = _recipe(MMMSettings, config.mmm_config, {**given, "baseline": str(output)})
    known = predefined_rows(recipe)
    rows = choose_rows(config.row_names, known)
    variants: dict[str, _Variant] = {}
    first = {SHARED: one}
    # All rows, so that the folder of a shared run does not depend on which are asked for today.
    for row in (*known.values(), *rows):
        if row.name in variants:
            continue
        before = _before(config, row, first, given)
        if row.kind == "stage one":
            variants[row.name] = _Variant(before[0], "baseline", before[1], before)
            continue
        variant = _variant(config, row, before, recipe, given)
        if variant.problem is not None and row.name not in known:
            raise UserError(f"--rows: {row.title}: {variant.problem}")
        same = [other for other in variants.values() if _alike(other, variant)]
        variants[row.name] = same[0] if same else variant
    repeats = range(config.repeat)
    cells = []
    for value in config.over_values[1]:
        for row in rows:
            for seed in config.seed_list:
                for repeat in repeats:
                    job = _Place(config, value, seed, repeat).job(row, variants[row.name])
                    cells.append(Cell(row, value, seed, repeat, job))
    for job in {one for cell in cells for one in (cell.job, cell.job.before) if one is not None}:
        if job.finished:
            check_same_settings(job.folder / "config.yaml", job.settings)
    return cells


class _Place:
    """The folder of one repetition of a seed (and value), and what its runs have in common."""

    def __init__(self, config: AblateSettings, value: str, seed: int, repeat: int) -> None:
        name = config.over_values[0]
        data_dir = config.data_dir.replace("{seed}", str(seed))
        data_dir = data_dir.replace(f"{{{name}}}", value) if name else data_dir
        self.label = f"{name} {value}, seed {seed}" if name else f"seed {seed}"
        if not Path(data_dir).is_dir():
            raise UserError(f"--data-dir: the folder {data_dir} ({self.label}) is not there")
        refuse_data_folder(config.output, Path(data_dir))
        folder = config.output.absolute()
        folder = folder / f"{name}-{value}" if name else folder
        self.folder = folder / f"seed-{seed}"
        self.common: dict[str, Any] = {"data_dir": Path(data_dir).absolute(), "seed": seed}
        if repeat:
            self.label += f", repeat {repeat}"
            self.folder = folder / f"seed-{seed}-repeat-{repeat}"
            self.common["rounding"] = repeat

    def job(self, row: Row, variant: _Variant) -> Job:
        first = self._stage_one(*variant.before)
        if row.kind == "stage one":
            return first
        label, folder = f"{self.label}: {row.title}", self.folder / variant.folder
        changes: dict[str, Any] = {**self.common, "output": folder}
        before: Job | None = first
        if variant.settings is None:
            return Job(label, variant.command, folder, "", problem=variant.problem)
        if isinstance(variant.settings, BaselineSettings):
            changes["weights"] = str(first.folder / "encoder.safetensors")
        elif variant.settings.baseline is None:
            before = None
        else:
            changes["baseline"] = first.folder
            if variant.settings.weights == STAGE_ONE:
                changes["weights"] = str(first.folder / "encoder.safetensors")
        filled = dataclasses.replace(variant.settings, **changes)
        return Job(label, variant.command, folder, to_yaml(filled), before)

    def _stage_one(self, name: str, settings: BaselineSettings) -> Job:
        folder = self.folder / name
        filled = dataclasses.replace(settings, output=folder, **self.common)
        label = f"{self.label}: {name.replace('-', ' ', 1) if name == SHARED else name}"
        return Job(label, "baseline", folder, to_yaml(filled))


def _before(
    config: AblateSettings,
    row: Row,
    known: dict[str, BaselineSettings],
    given: Mapping[str, Any],
) -> tuple[str, BaselineSettings]:
    """Folder and settings of the stage one of a row; a new one is added to those ``known``."""
    if not row.stage_one:
        return SHARED, known[SHARED]
    try:
        settings = _resolve(BaselineSettings, config.baseline_config, {**row.stage_one, **given})
    except UserError as error:
        raise UserError(f"--rows: {row.title}: stage-one: {error}") from error
    for name, other in known.items():
        if other == settings:
            return name, other
    known[f"{row.name}-{SHARED}"] = settings
    return f"{row.name}-{SHARED}", settings


def _variant(
    config: AblateSettings,
    row: Row,
    before: tuple[str, BaselineSettings],
    recipe: MMMSettings,
    given: Mapping[str, Any],
) -> _Variant:
    command, one = "baseline" if row.kind == "continued" else "mmm", before[1]
    try:
        settings: BaselineSettings | MMMSettings
        if row.kind == "continued":
            changes = {**row.stage_one, **continued(one, recipe), **given}
            settings = _resolve(BaselineSettings, config.baseline_config, changes)
        elif row.kind == "supervised":
            file = config.supervised_config or config.mmm_config
            derived = {} if config.supervised_config else from_labels(one, recipe)
            changes = {**derived, **row.changes, **given, "baseline": None}
            settings = _resolve(MMMSettings, file, changes)
        else:
            changes = {**row.changes, **given, "baseline": str(config.output.absolute())}
            settings = _resolve(MMMSettings, config.mmm_config, changes)
    except UserError as error:
        return _Variant(row.name, command, None, before, str(error))
    return _Variant(row.name, command, settings, before)


def _alike(one: _Variant, other: _Variant) -> bool:
    same = one.settings == other.settings and one.before[0] == other.before[0]
    return one.settings is not None and same and one.command == other.command


def stage_two_steps(recipe: MMMSettings) -> int:
    """Optimiser steps of stage two.

    Raises:
        UserError: they depend on the data.
    """
    steps = fixed_steps(recipe)
    if steps is None:
        raise UserError(
            f"stage two's steps depend on the data with `variant: {recipe.variant}`; give `steps` "
            "in --mmm-config, so that this row can take as many"
        )
    return recipe.epochs * steps


def continued(one: BaselineSettings, recipe: MMMSettings) -> dict[str, Any]:
    """Settings that train stage one on for as many steps as stage two takes.

    Its last stage goes on from its encoder, with a fresh optimiser and schedule as stage two has
    them, and with epochs of about the length that they had.

    Args:
        one: stage one's settings.
        recipe: stage two's settings.

    Returns:
        Changed settings.
    """
    each = 2 if one.cross_epochs or not one.intra_epochs else 1  # 1b: two batches an iteration
    iterations = -(-stage_two_steps(recipe) // each)
    wanted = max(1.0, iterations / one.steps)
    divisors = [n for n in range(1, iterations + 1) if iterations % n == 0]
    epochs = min(divisors, key=lambda n: max(n / wanted, wanted / n))
    return {
        "weights": "none",  # its encoder's file, once the folder is known
        "pretrain_epochs": 0,
        "intra_epochs": epochs if each == 1 else 0,
        "cross_epochs": epochs if each == 2 else 0,
        "steps": iterations // epochs,
        "lr_steps": list(recipe.lr_steps),
    }


def from_labels(one: BaselineSettings, recipe: MMMSettings) -> dict[str, Any]:
    """Settings that train stage two's recipe from labels, for the steps of both stages.

    Args:
        one: stage one's settings.
        recipe: stage two's settings.

    Returns:
        Changed settings.
    """
    before = one.resolved_pretrain_epochs * one.pretrain_steps
    before += (one.intra_epochs + 2 * one.cross_epochs) * one.steps
    return {
        "weights": one.weights,
        "sampler": "modality-ratio",
        "separation_weight": 1.0,
        "steps": -(-(before + stage_two_steps(recipe)) // recipe.epochs),
    }


def _recipe(kind: type[Settings], file: Path, given: Mapping[str, Any]) -> Settings:
    """Settings from a file that no row has changed: what is wrong with them is wrong there."""
    try:
        return _resolve(kind, file, given)
    except UserError as error:
        told = str(error)
        raise UserError(told if told.startswith(str(file)) else f"{file}: {told}") from error


def _resolve(kind: type[Settings], file: Path, changes: Mapping[str, Any]) -> Settings:
    """Settings from a file and changes.

    Raises:
        UserError: what is wrong with the file or a value.
    """
    try:
        return build(kind, {**read_yaml(file), **changes})
    except ValueError as error:
        raise UserError(str(error)) from error
