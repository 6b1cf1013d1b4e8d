"""The state from which a run goes on: what `last.pt` holds, and where in the run that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..distributed import ranks
from ..errors import UserError, as_user_error
from ..models.network import Network
from .checkpoint import load_checkpoint, save_tensors
from .checkpoint_fit import check_network, check_position, check_revision
from .run_folder import RunFolder
from .session import Session
from .weight_average import WeightAverage


class Place(NamedTuple):
    """The beginning of an epoch.

    Attributes:
        stage: its number in the run, from 0.
        epoch: of the stage, from 0.
        step: optimiser steps of the run before it.
        stage_step: the same of the stage.
    """

    stage: int
    epoch: int
    step: int
    stage_step: int


class ResumePoint:
    """Writes and reads the checkpoint of a run.

    Args:
        session: the training tracks and the scale of the loss.
        run: folder of the checkpoint.
        model: whose state it is.
        average: of its weights, where the run keeps one.
    """

    def __init__(
        self,
        session: Session,
        run: RunFolder,
        model: Network,
        average: WeightAverage | None = None,
    ) -> None:
        self._session = session
        self._run = run
        self._model = model
        self._average = average

    def save(
        self,
        place: Place,
        optimiser: torch.optim.Optimizer | None = None,
        stage_state: dict[str, Any] | None = None,
        within: dict[str, Any] | None = None,
        metrics_size: int | None = None,
        buffers: dict[str, Tensor] | None = None,
    ) -> None:
        """Writes the present state; of several processes the main one does.

        Args:
            place: the beginning of the epoch that comes next, or goes on.
            optimiser: None at the beginning of a stage.
            stage_state: of the stage.
            within: batches that were taken of the epoch and what they came to; none at its start.
            metrics_size: bytes of the records that belong to the state; None takes all.
            buffers: statistics of the network that belong to the state, where they have moved.
        """
        if not ranks.is_main():
            return
        state = {
            **place._asdict(),
            "tracks": self._session.fingerprint,
            "model": {**self._model.state_dict(), **(buffers or {})},
            "revision": self._model.revision,
            "optimiser": {} if optimiser is None else optimiser.state_dict(),
            "scaler": self._session.runtime.scaler_state(),
            "stage_state": stage_state or {},
            "within": within or {},
            "metrics_size": self._run.metrics_size() if metrics_size is None else metrics_size,
        }
        if self._average is not None:
            state["average"] = self._average.state()
        save_tensors(self._run.checkpoint, state)

    def load(self, epochs: Sequence[int]) -> dict[str, Any]:
        """Takes back network and records, and returns all that was saved.

        Args:
            epochs: of each stage of the run.

        Raises:
            UserError: the checkpoint is damaged, or belongs to other data or another network.
        """
        saved = {"within": {}, **load_checkpoint(self._run.checkpoint)}
        if saved["tracks"] != self._session.fingerprint:
            raise UserError(
                f"--resume: the training tracks are not those with which {self._run.path} started. "
                "Restore the data set as it was, or train anew with another --output."
            )
        with self.of_use():
            check_position(saved, epochs)
            check_network(saved["model"], self._model)
            check_revision(saved, self._model)
            self._model.load_state_dict(saved["model"])
            if self._average is not None:
                self._average.load_state(saved.get("average"))
        self._run.rewind_metrics(saved["metrics_size"])
        return saved

    @contextmanager
    def of_use(self) -> Iterator[None]:
        """What cannot be taken back from the checkpoint becomes one message that names the file.

        Raises:
            UserError: instead of what such values raise where they are used.
        """
        kinds = (KeyError, TypeError, AttributeError, RuntimeError)
        with as_user_error(*kinds, start=f"{self._run.checkpoint} cannot be gone on with: "):
            yield
