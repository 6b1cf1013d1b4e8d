"""A model of one numbered split meets the test people of that split, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from vireid.engine.network import choose_trial, require_same_trial, trial_of_model
from vireid.errors import UserError

MODEL = Path("runs/model.safetensors")


@pytest.mark.parametrize(
    ("meta", "trial"),
    [
        ({"dataset": "regdb", "trial": 4}, 4),
        ({"dataset": "RegDB", "trial": 4}, 4),
        ({"dataset": "sysu-mm01", "trial": 4}, None),
        ({}, None),
    ],
)
def test_trial_of_a_model(meta, trial):
    assert trial_of_model(meta, "regdb") == trial
    assert trial_of_model(meta, "sysu-mm01") is None


@pytest.mark.parametrize(
    ("asked", "protocol", "chosen"),
    [
        (None, "", 4),
        (4, "", 4),
        (None, "regdb/trial-4/v2t,regdb/trial-4/t2v", 4),
        (4, "regdb/trial-4", 4),
    ],
)
def test_the_models_own_trial_is_taken(asked, protocol, chosen):
    assert choose_trial(MODEL, {"dataset": "regdb", "trial": 4}, "regdb", asked, protocol) == chosen


@pytest.mark.parametrize(
    ("asked", "protocol", "message"),
    [
        (2, "", "trained on trial 4 of RegDB, but trial 2 is asked for.*--trial 4"),
        (None, "regdb/trial-2/v2t", "trained on trial 4 of RegDB, but trial 2"),
        (4, "regdb/trial-2/v2t", "--trial 4 contradicts --protocol regdb/trial-2/v2t"),
        (None, "regdb/trial-2,regdb/trial-4", "several trials"),
    ],
)
def test_another_trial_is_refused(asked, protocol, message):
    with pytest.raises(UserError, match=message):
        choose_trial(MODEL, {"dataset": "regdb", "trial": 4}, "regdb", asked, protocol)


def test_models_of_other_data_sets_may_meet_every_trial():
    elsewhere = {"dataset": "sysu-mm01", "trial": 1}
    assert choose_trial(MODEL, elsewhere, "regdb", None, "") == 1
    assert choose_trial(MODEL, elsewhere, "regdb", 9, "") == 9
    require_same_trial(MODEL, elsewhere, "regdb", 9)
    require_same_trial(MODEL, {"dataset": "regdb", "trial": 4}, "sysu-mm01", 1)
