"""Steps of a real stage, its loss scaled or not; `torchrun scaled_steps.py FILE` takes some."""

import json
import sys
from contextlib import closing
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # torchrun knows nothing of pytest
import tiny_settings
import torch
from vireid.distributed import ranks
from vireid.distributed.split_batch import split_batches
from vireid.engine.run_folder import RunFolder
from vireid.engine.session import Session
from vireid.engine.step_guard import StepGuard
from vireid.engine.training import Position, make_optimiser, train_epoch
from vireid.supervised.m3reid_stage import start_supervised
from vireid.supervised.settings import SupervisedSettings

SETTINGS = {
    **tiny_settings.COMMON,
    "dataset": "hitsz-vcm",
    "num_frames": 2,
    "p_num": 3,
    "k_num": 4,
    "weights": "none",
    "steps": 4,
    "epochs": 1,
    "lr": 1e-3,
    "separation_weight": 1.0,
    "augmentation": "published",
}
# A power of two: gradients are scaled and scaled back without rounding, and steps compare exactly.
SCALE = 1024.0


def settings_of(data, output, **others):
    """Those of a few steps from labels."""
    given = {**SETTINGS, **others}
    given = {name: value for name, value in given.items() if name in NAMES}
    return SupervisedSettings(data_dir=Path(data), output=Path(output), **given)


NAMES = frozenset(SupervisedSettings.__dataclass_fields__)


def train(data, output, *, scale=None, overflow=None, spoil=(), untaken=None, **others):
    """An epoch through `train_epoch`, as a run takes it.

    Args:
        data, output: folders.
        scale: of the loss; None trains without a scaler, or with that of fp16.
        overflow: number of the step whose gradients overflow, in the last process alone.
        spoil: steps whose frames are so bright that the forward pass leaves the range of fp16.
        untaken: number of a step that is not taken at all.
        others: settings.

    Returns:
        The network, what `train_epoch` gave, the session, and the scale before each step.
    """
    settings = settings_of(data, output, **others)
    with closing(RunFolder(settings.output, "{}\n", resume=False)) as run:
        session = Session(settings, "mmm", run, labelled=True)
        runtime = session.runtime
        if scale is not None:
            runtime.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        model, stage = start_supervised(session, settings)
        split_batches(model, bn_batch=settings.bn_batch, accumulate=settings.accumulate)
        optimiser = make_optimiser(model, settings, settings.lr)
        scales, now = [], [0]

        def losses(clips, index, step):
            now[0] = step
            if runtime.scaler is not None:
                scales.append(runtime.scaler.get_scale())
            terms = stage.losses(clips, index, step)
            factor = float("inf") if step in spoil else 1.0
            return {name: value * factor for name, value in terms.items()}

        def last_overflows(gradient):
            mine = ranks.rank() == ranks.count() - 1
            return gradient * float("inf") if mine and now[0] == overflow else gradient

        if overflow is not None:
            next(p for p in model.parameters() if p.requires_grad).register_hook(last_overflows)
        batches = [b for step, b in enumerate(stage.batches(0)) if step != untaken]
        model.train()
        guard = StepGuard(model, stage.writes) if runtime.scaler else None
        totals = train_epoch(
            runtime,
            run,
            Position(stage.name, 0, 1, 0),
            optimiser,
            stage.schedule.rate,
            batches,
            len(batches),
            losses,
            stage.after_step,
            guard=guard,
        )
        return model, totals, session, scales


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for name, run in given.items():
        model, _, session, scales = train(**run)
        saved = {"model": model.state_dict(), "scales": scales}
        torch.save(saved, f"{run['output']}-{name}-{ranks.rank()}.pt")
    ranks.leave()
