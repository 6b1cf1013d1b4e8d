"""Learning rates by epoch and batch, and the phases of a stage."""

import dataclasses
import itertools

import pytest
from vireid.engine.schedule import LearningRate, OptimiserRule, ParameterGroup, Phase, StageSchedule


def test_the_step_schedule_knows_epochs_only():
    rate = LearningRate("step", 1.0, 10, (4, 8))
    assert [rate.at(epoch) for epoch in (0, 3, 4, 7, 8)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    for epoch in range(10):
        assert {rate.at(epoch, batch, 7) for batch in range(7)} == {rate.at(epoch)}


def test_the_step_schedule_rises_by_epoch_before_it_falls():
    rate = LearningRate("step", 0.1, 100, (20, 40), warmup_epochs=10)
    rates = [rate.at(epoch) for epoch in (0, 4, 9, 10, 19, 20, 40)]
    assert rates == pytest.approx([0.01, 0.05, 0.1, 0.1, 0.1, 0.01, 0.001])
    assert {rate.at(4, batch, 30) for batch in range(30)} == {rate.at(4)}


def test_the_cosine_schedule_ramps_up_and_ends_at_its_floor():
    rate = LearningRate("cosine", 2.0, 8)
    rates = [rate.at(epoch, batch, 25) for epoch in range(8) for batch in range(25)]
    assert rates[0] < 0.1
    top = rates.index(max(rates))
    assert 20 <= top <= 40
    steps = list(itertools.pairwise(rates))
    assert all(a <= b for a, b in steps[:top])
    assert all(a >= b for a, b in steps[top:])
    assert rates[-1] == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize(
    "rate",
    [
        LearningRate("cosine", 2.0, 24),
        LearningRate("step", 1.0, 24, (11, 20), warmup_epochs=8),
    ],
    ids=["cosine", "step"],
)
def test_a_hurried_schedule_is_every_third_rate_of_the_rest(rate):
    batches, since = 9, 5
    plain = [rate.at(epoch, batch, batches) for epoch in range(24) for batch in range(batches)]
    hurried = dataclasses.replace(rate, hurried_from=since)
    assert hurried.last_epoch == 12 and rate.last_epoch == 24  # 19 epochs are left at first
    found = [hurried.at(epoch, b, batches) for epoch in range(12) for b in range(batches)]
    begun = since * batches
    assert found[:begun] == plain[:begun]
    left = plain[begun::3]
    assert found[begun : begun + len(left)] == left
    # The last epoch is a whole one, so that the end of the schedule holds for the rest of it.
    assert len(found) - begun - len(left) < batches
    assert found[-1] == pytest.approx(plain[-1], rel=0.2)


def test_a_schedule_that_is_all_but_over_is_not_hurried_past_its_end():
    rate = LearningRate("cosine", 1.0, 24, hurried_from=23)
    assert rate.last_epoch == 24


@pytest.fixture
def schedule():
    groups = (ParameterGroup("backbone", 0.1), ParameterGroup("head"))
    return StageSchedule(
        "mmm",
        LearningRate("step", 1.0, 6, (4,)),
        OptimiserRule("sgd", 5e-4, {"betas": (0.9, 0.999)}, groups),
        (Phase(0, {"ID": 1.0}), Phase(2, {"ID": 1.0, "triplet": 0.5})),
        "one pass",
    )


def test_a_phase_holds_until_the_next_one(schedule):
    held = [schedule.phase(epoch).losses.get("triplet") for epoch in range(6)]
    assert held == [None, None, 0.5, 0.5, 0.5, 0.5]


def test_the_record_gives_each_group_its_rate_by_epoch(schedule):
    record = schedule.record()
    backbone, head = record["groups"]
    assert (backbone["members"], head["members"]) == ("backbone", "head")
    assert head["lr_by_epoch"] == pytest.approx([1, 1, 1, 1, 0.1, 0.1])
    assert backbone["lr_by_epoch"] == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.01, 0.01])
    assert [phase["from_epoch"] for phase in record["phases"]] == [1, 3]
    assert record["betas"] == [0.9, 0.999]
