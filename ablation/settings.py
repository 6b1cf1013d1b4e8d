"""Settings of an ablation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..options import MOST_PROCESSES, MOST_THREADS, Options, option

MOST_REPEATS = 1000


@dataclass(frozen=True, kw_only=True)
class AblateSettings(Options):
    """Which rows, on which data, over which seeds."""

    dataset: str = option("data set name, as for `vireid baseline`")
    data_dir: str = option("folder of the data set; {seed} in it stands for each of --seeds")
    output: Path = option("folder to write: a run folder for each run, and the table")
    baseline_config: Path = option("YAML file with the settings of stage one")
    mmm_config: Path = option("YAML file with the settings of stage two")
    supervised_config: Path | None = option(
        "YAML file of the row `supervised`; unset: stage two's settings, for the steps of both "
        "stages",
        None,
    )
    seeds: tuple[int, ...] | str = option("seeds, for instance 0,1,2", "0,1,2")
    repeat: int = option(
        "runs of each row on each seed; all but the first start from weights that are rounded "
        "otherwise (`--rounding`), and the table says how far they lie apart",
        1,
        at_least=1,
        at_most=MOST_REPEATS,
    )
    rows: tuple[str, ...] | str = option(
        "rows: names, sets (steps, memories, matchers, variants, supervision, oracles, remedies, "
        "all), or YAML files of own rows, separated by commas",
        "steps,memories,matchers",
    )
    over: str | None = option(
        "NAME=VALUE,VALUE: a second placeholder, {NAME}, of --data-dir; every row for each value",
        None,
    )
    processes: int = option("runs at a time", 1, at_least=1, at_most=MOST_PROCESSES)
    threads: int | None = option(
        "threads of a run; unset: 1 with several processes, else as many as there are cores",
        None,
        at_least=1,
        at_most=MOST_THREADS,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.row_names:
            raise ValueError("--rows names at least one row")
        self.seed_list  # noqa: B018 - complains about what is no seed
        name, values = self.over_values
        if name and f"{{{name}}}" not in self.data_dir:
            raise ValueError(
                f"--over {self.over}: --data-dir has no {{{name}}}, so every value would be the "
                f"same data; got {self.data_dir}"
            )
        if len(values) != len(set(values)):
            raise ValueError(f"--over {self.over}: a value is there twice")

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The seeds as numbers.

        Raises:
            ValueError: one is no number from 0, or is there twice, or there is none.
        """
        given = self.seeds.split(",") if isinstance(self.seeds, str) else self.seeds
        try:
            seeds = tuple(int(seed) for seed in given)
        except ValueError:
            seeds = ()
        if not seeds or min(seeds) < 0 or len(set(seeds)) != len(seeds):
            raise ValueError(f"--seeds are different numbers from 0, like 0,1,2; got {self.seeds}")
        return seeds

    @property
    def row_names(self) -> tuple[str, ...]:
        """What ``rows`` lists."""
        given = self.rows.split(",") if isinstance(self.rows, str) else self.rows
        return tuple(name.strip() for name in given if name.strip())

    @property
    def over_values(self) -> tuple[str, tuple[str, ...]]:
        """Name and values of the second placeholder; ``("", ("",))`` without one.

        Raises:
            ValueError: not of the form NAME=VALUE,VALUE.
        """
        if self.over is None:
            return "", ("",)
        name, _, listed = self.over.partition("=")
        values = tuple(value.strip() for value in listed.split(",") if value.strip())
        if not name.isidentifier() or name == "seed" or not values:
            raise ValueError(f"--over looks like unshared=0,0.25,0.5; got {self.over}")
        if any("/" in value or "\\" in value for value in values):
            raise ValueError(f"--over: values name folders, so they hold no slash; got {self.over}")
        return name, values
