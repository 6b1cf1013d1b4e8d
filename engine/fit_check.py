"""Whether a run fits on this machine: asked before its first step, answered with the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..configs import small_config
from ..datasets.registry import known_spec
from ..distributed import processes, ranks
from ..errors import UserError
from ..models.network import Network
from . import resources
from .options import TrainingOptions
from .planned_stages import PlannedStage
from .resources import size_text
from .run_needs import Demand, RunNeeds, run_needs
from .session import Session
from .ways_out import WaysOut


class DoesNotFit(UserError):
    """The run needs more than the machine has free."""

    exit_code = 1


def needs_and_rooms(needs: RunNeeds, session: Session) -> list[Demand]:
    """What the run needs beside what there is, of everything that the system tells about."""
    found = [("memory", needs.memory, resources.host_memory(), processes.count_here())]
    if needs.gpu is not None:
        room = resources.gpu_memory(session.runtime.device)
        found.append(("GPU memory", needs.gpu, room, processes.count_on_card()))
    if session.run is not None and ranks.is_main():
        found.append(("disk", needs.disk, resources.disk_space(session.run.path), 1))
    if needs.shared is not None:
        found.append(("shared memory", needs.shared, resources.shared_memory(), 1))
    return [Demand(what, need, room, n) for what, need, room, n in found if room is not None]


def check_fit(
    session: Session,
    options: TrainingOptions,
    model: Network,
    plan: Sequence[PlannedStage],
    training: str,
) -> RunNeeds | None:
    """Refuses a run that needs more than is free; with ``force`` it is only warned of.

    The estimate takes no memory and changes nothing that the run computes.

    Args:
        session, options, model, plan: of the run; the network as it starts, not split.
        training: ``baseline``, ``mmm`` or ``supervised``; says which shipped configuration is
            small.

    Returns:
        What the run needs; None where nothing is trained, or it could not be estimated.

    Raises:
        DoesNotFit: with the numbers and the ways out.
    """
    plan = [stage for stage in plan if stage.epochs]
    if not plan:
        return None
    needs, compared = None, []
    try:
        needs = run_needs(session, options, model, plan)
        compared = needs_and_rooms(needs, session)
    except Exception as error:  # no network fails to train because it could not be estimated
        reason = (str(error).splitlines() or [""])[0]
        session.say(f"what the run needs is not known: {type(error).__name__}: {reason}")
    short = [one for one in compared if one.total > one.room.usable]
    # Every process has to decide the same; the first that lacks something speaks for all.
    short = next((found for found in ranks.of_all(short) if found), [])
    if needs is None:
        return None
    if not short:
        listed = "; ".join(f"{size_text(one.total)} of {one.what} ({one.room})" for one in compared)
        session.say(f"the run needs at most about {listed}")
        return needs
    message = _said(needs, short)
    if options.force:
        session.say(f"warning: --force: {message}")
        return needs
    ways = ranks.from_main(lambda: WaysOut(session, options, model, plan).of(short))
    raise DoesNotFit("\n".join([message, *ways, *_last_words(session, options, training)]))


def _said(needs: RunNeeds, short: Sequence[Demand]) -> str:
    lines = [f"the run does not fit on this machine; its largest step is {needs.step}."]
    lines += [f"  {one}" for one in short]
    if needs.remark:
        lines.append(f"  ({needs.remark})")
    return "\n".join(lines)


def _last_words(session: Session, options: TrainingOptions, training: str) -> list[str]:
    spec = known_spec(options.dataset)
    images = spec.images if spec else options.num_frames == 1
    small = small_config(training, images=images)
    lines = []
    if session.runtime.device.type == "cpu" and small is not None:
        with_gpu = "" if torch.cuda.is_available() else "There is no GPU here. "
        lines.append(
            f"{with_gpu}The defaults are made for a GPU; for a few CPU cores: --config {small}"
        )
    lines.append(
        "--dry-run takes the largest step alone and measures it; --force goes on although the run "
        "may not fit."
    )
    return lines
