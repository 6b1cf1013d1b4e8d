"""What every training command does around its stages: run folder, session, network file, table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ..datasets.track import Track
from ..distributed import ranks
from ..distributed.batch_size import batch_record, batch_warnings
from ..errors import SystemFault, UserError, as_user_error
from ..evaluation.results import summary_table
from ..models.network import Network
from ..models.rounding import round_otherwise
from ..options import to_yaml
from ..random_streams import generator
from ..reporting.run_record import read_run
from .checkpoint import save_model
from .fit_check import check_fit
from .network import network_meta
from .options import TrainingOptions
from .planned_stages import PlannedStage
from .run_folder import RunFolder, refuse_data_folder
from .session import Session
from .stages import Stage, run_stages
from .stop_signals import StopSignals

LAST_STEP = "last_step.safetensors"  # the network beside the average of its weights
Labelled = bool | Callable[[Sequence[Track]], list[Track]]


@dataclass(frozen=True)
class Training:
    """A run folder, the session that fills it, the settings of both, and what ends them early."""

    options: TrainingOptions
    run: RunFolder
    session: Session
    stop: StopSignals

    def train(
        self,
        model: Network,
        stages: Sequence[Stage],
        file: str,
        stage: str,
        *,
        plan: Sequence[PlannedStage],
        untrained: bool,
    ) -> int:
        """Runs the stages, if they fit on this machine, and writes the network.

        Args:
            model: on the device.
            stages: in order.
            file: name of the network's file in the run folder.
            stage: name that the file gives its stage.
            plan: what the stages will do, for the look at what is free.
            untrained: whether the run starts with an evaluation.

        Returns:
            Steps of the whole run.

        Raises:
            DoesNotFit: see :func:`check_fit`.
        """
        check_fit(self.session, self.options, model, plan, stage)
        if self.options.rounding:
            round_otherwise(model, generator(self.options.seed, self.options.rounding))
        step = run_stages(
            self.session,
            self.run,
            self.options,
            model,
            stages,
            untrained=untrained,
            stop=self.stop,
        )
        meta = network_meta(self.options, self.session, model, stage=stage, step=step)
        average = self.session.average
        if average is not None:
            save_model(self.run.path / LAST_STEP, model, meta)
        # What was tested, and gave the features.
        save_model(self.run.path / file, model if average is None else average.network, meta)
        return step

    def finish(self, what: str) -> None:
        """Prints the table of results and says that ``what`` is complete."""
        if not ranks.is_main():  # a resumed run's records are the main process's alone
            return
        try:
            table = summary_table(read_run(self.run.path).of_kind("evaluation"))
        except (UserError, ValueError, OSError) as error:  # the training is done and kept
            table = f"The table of results cannot be made: {error}"
        self.run.log(table)
        self.run.log(f"{what} is complete: {self.run.path}")


@contextmanager
def training(options: TrainingOptions, command: str, labelled: Labelled) -> Iterator[Training]:
    """Opens the run folder and the session of a training command, and closes the folder.

    Args:
        options: settings of the command, which are kept with the run.
        command: its name, for the record.
        labelled: what training may see of the identities; see :class:`Session`.

    Raises:
        UserError, DatasetError: see :class:`RunFolder` and :class:`Session`; or the run folder
            is the data folder.
    """
    refuse_data_folder(options.output, options.data_dir)
    with StopSignals() as stop:
        run = RunFolder(
            options.output,
            to_yaml(options),
            resume=options.resume is not None,
            pictures=options.pictures,
        )
        try:
            if run.resumed:
                with as_user_error():
                    read_run(run.path)
            facts = batch_record(options)
            with Session(options, command, run, labelled=labelled, facts=facts) as session:
                for warning in batch_warnings(options):
                    session.say(warning)
                yield Training(options, run, session, stop)
        except FileNotFoundError as error:
            if run.path.is_dir():
                raise
            raise SystemFault(
                f"the run folder {run.path} is gone. Bring it back where it was, if it was moved."
            ) from error
        finally:
            run.close()
