"""No two seeds, stages, epochs or passes draw the same numbers."""

from itertools import chain

import numpy as np
import pytest
import torch
import vireid.mmm.train
import vireid.supervised.train  # noqa: F401
from tiny_settings import SHORTEST, SHORTEST_STAGE_ONE
from vireid.baselines.cross_modality import CrossModality
from vireid.baselines.intra_modality import IntraModality
from vireid.baselines.pretraining import Pretraining
from vireid.baselines.settings import BaselineSettings
from vireid.datasets.samplers import base
from vireid.datasets.samplers.base import EpochBatchSampler
from vireid.engine.network import build_network
from vireid.engine.run_folder import RunFolder
from vireid.engine.session import Session
from vireid.engine.stages import Stage
from vireid.random_streams import Draw, generator, numpy_generator
from vireid.supervised.m3reid_stage import start_supervised
from vireid.supervised.settings import SupervisedSettings


class FirstNumbers(EpochBatchSampler):
    """One batch, of the first numbers that an epoch's generator gives."""

    def _draw(self, generator):
        return [generator.integers(2**62, size=2).tolist()]


def stage_classes():
    found = [Stage]
    for kind in found:
        found += kind.__subclasses__()
    return [
        kind for kind in found if kind.__module__.startswith("vireid") and "stream" in vars(kind)
    ]


def test_every_stage_has_a_stream_of_its_own():
    streams = [kind.stream for kind in stage_classes()]
    assert len(streams) >= 6
    assert len(set(streams)) == len(streams)


def test_samplers_share_no_numbers_over_seeds_stages_epochs_and_passes():
    streams = sorted(kind.stream for kind in stage_classes())
    keys = [(seed, stream) for seed in range(40) for stream in streams]
    keys += [(seed,) for seed in range(40)] + [(*key, side) for key in keys for side in range(3)]
    drawn = []
    for key in keys:
        sampler = FirstNumbers(key)
        for epoch in (0, 1, 2, 1000):
            for again in (0, 1):
                sampler.set_epoch(epoch, again)
                drawn += [tuple(batch) for batch in sampler]
    assert len(set(drawn)) == len(keys) * 8


def test_uses_and_lengths_of_keys_share_no_numbers():
    keys = [(0,), (0, 0), (1,), (1, 0), (0, 1), (3, 0, 1)]
    drawn = [int(numpy_generator(draw, *key).integers(2**62)) for draw in Draw for key in keys]
    assert len(set(drawn)) == len(drawn)
    assert len({generator(*key).initial_seed() for key in keys}) == len(keys)


@pytest.fixture
def asked(monkeypatch):
    """Keys of the generators that samplers ask for."""
    keys = []

    def spy(*key):
        keys.append(key)
        return numpy_generator(*key)

    monkeypatch.setattr(base, "numpy_generator", spy)
    return keys


def stages_of(seed, data_dir, output):
    given = {**SHORTEST_STAGE_ONE, "p_num": 2, "k_num": 2, "seed": seed}
    settings = BaselineSettings(dataset="hitsz-vcm", data_dir=data_dir, output=output, **given)
    run = RunFolder(output, "seed: 0\n", resume=False, pictures=False)
    session = Session(settings, "baseline", run, labelled=False)
    model = build_network(settings, session)
    halves = (np.arange(len(session.tracks)) // 2) % 4  # clusters, so that no network is needed
    for kind in (IntraModality, CrossModality):
        stage = kind(session, settings, model)
        stage.labels = halves
        if kind is CrossModality:
            stage.take_joint(torch.eye(len(halves)), halves)
        yield stage
    yield Pretraining(session, settings, model)
    labelled = SupervisedSettings(
        dataset="hitsz-vcm",
        data_dir=data_dir,
        output=output,
        **{name: SHORTEST[name] for name in ("img_h", "img_w", "cache", "workers", "backbone")},
        **{name: SHORTEST[name] for name in ("num_frames", "test_frames", "p_num", "k_num")},
        **{"weights": "none", "device": "cpu", "seed": seed, "steps": 40},
    )
    run.close()
    yield start_supervised(Session(labelled, "mmm", None, labelled=True), labelled)[1]


def test_no_two_seeds_or_stages_ask_for_the_same_stream(tiny_set, tmp_path, asked):
    per_stage = []
    for seed in (0, 1):
        for stage in stages_of(seed, tiny_set, tmp_path / str(seed)):
            asked.clear()
            for epoch in range(2):
                stage.batches(epoch)
            per_stage.append(set(asked))
            assert len(asked) == len(set(asked)) >= 2
    assert len(set(chain(*per_stage))) == sum(map(len, per_stage))
