"""When labels count as settled: beside a plain rule, and after a resume."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score
from vireid.baselines.settings import BaselineSettings
from vireid.commands.mmm import MMMSettings
from vireid.pseudo_labels.options import SETTLED, StoppingOptions
from vireid.pseudo_labels.settled_labels import SettledLabels

BASE = np.repeat(np.arange(40), 5)


def rule(wanted):
    return SettledLabels(StoppingOptions(shorten_when_settled=wanted))


def with_moved(count):
    """The base with so many samples in another cluster."""
    labels = BASE.copy()
    labels[:count] = 39
    return labels


def seen(steady, *clusterings, first=0):
    for epoch, labels in enumerate(clusterings, first):
        steady.see(labels, epoch)
    return steady


def test_other_numbers_and_noise_change_nothing_and_another_cluster_does():
    noisy = np.where(np.arange(len(BASE)) % 7 == 0, -1, BASE)
    steady = seen(rule(2), BASE, (BASE + 11) % 40)
    assert steady.since is None
    steady.see(noisy, 2)
    assert steady.since == 2
    assert "2 times in a row" in steady.text()
    seen(steady, with_moved(60), first=3)
    assert steady.since == 2  # once settled, a stage does not go back
    assert seen(rule(2), BASE, BASE, with_moved(60), with_moved(60)).since is None


def test_nothing_is_settled_without_the_option_or_without_labels():
    never = seen(rule(0), *9 * [BASE])
    assert never.since is None and never.state() == {}
    at_once = seen(rule(1), *9 * [np.full(len(BASE), -1)])
    assert at_once.since is None
    assert seen(at_once, BASE, BASE, first=9).since == 10


@given(
    moved=st.lists(st.sampled_from([0, 1, 5, 20, 60]), min_size=1, max_size=12),
    wanted=st.integers(1, 4),
    cut=st.integers(0, 12),
)
def test_it_is_the_plain_rule_also_across_a_resume(moved, wanted, cut):
    labels = [with_moved(count) for count in moved]
    agreed = [adjusted_rand_score(a, b) >= SETTLED for a, b in pairwise(labels)]
    rows = [agreed[max(0, e - wanted) : e] for e in range(len(labels))]
    since = [e for e, row in enumerate(rows) if len(row) == wanted and all(row)]
    steady = rule(wanted)
    for epoch, found in enumerate(labels):
        if epoch == cut:
            before, steady = steady, rule(wanted)
            steady.load_state(before.state())
        steady.see(found, epoch)
        assert steady.since == (since[0] if since and since[0] <= epoch else None)


def test_labels_that_change_in_place_afterwards_are_not_taken_for_those_before():
    labels = BASE.copy()
    steady = seen(rule(1), labels)
    labels[:60] = 39
    assert seen(steady, labels, first=1).since is None


def test_a_state_that_is_none_is_refused_and_one_of_other_tracks_settles_nothing():
    steady = seen(rule(1), BASE, BASE[:-5])
    assert steady.since is None
    held = steady.state()
    for spoilt in ({"row": -1}, {"since": -2}, {"row": "1"}, {"labels": held["labels"].float()}):
        with pytest.raises(ValueError, match="no counts and no labels"):
            steady.load_state(held | spoilt)


def test_stage_one_and_two_have_the_option_and_fixed_clusters_refuse_it(tmp_path):
    here = {"data_dir": tmp_path, "output": tmp_path / "run"}
    here |= {"dataset": "hitsz-vcm", "shorten_when_settled": 3}
    assert BaselineSettings(**here).shorten_when_settled == 3
    assert MMMSettings(baseline=tmp_path, variant="paper", **here).shorten_when_settled == 3
    with pytest.raises(ValueError, match="keeps the clusters of stage one"):
        MMMSettings(baseline=tmp_path, variant="released", **here)
