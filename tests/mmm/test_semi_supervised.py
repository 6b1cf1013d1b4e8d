"""Some labels given, the rest clustered and matched."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_settings import SHORTEST
from vireid.baselines.settings import BaselineSettings
from vireid.baselines.train import run_baseline
from vireid.cli import main
from vireid.commands.mmm import MMMSettings, run_mmm
from vireid.datasets.track import Modality, Track
from vireid.engine.session import Session
from vireid.errors import UserError
from vireid.mmm.given_labels import Given, draw_labelled, only_given, parse_given, read_labelled
from vireid.mmm.match_clusters import match_clusters
from vireid.mmm.options import MatchingOptions
from vireid.mmm.semi_supervised import (
    known_classes,
    match_with_given,
    modalities_to_cluster,
    taught_tracks,
)

DATA = {"dataset": "hitsz-vcm", **SHORTEST}
STAGE_ONE = {
    "weights": "none",
    "pretrain_epochs": 1,
    "pretrain_steps": 2,
    "pretrain_tracks": 4,
    "intra_epochs": 0,
    "cross_epochs": 0,
    "steps": 2,
}


def people(identities=4, tracks=5) -> list[Track]:
    return [
        Track((Path("x.jpg"),), modality, 0, identity * 10, f"{modality.name}/{identity}/{number}")
        for identity in range(identities)
        for modality in Modality
        for number in range(tracks)
    ]


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("visible", Given("visible")),
        ("matches", Given("matches")),
        ("0.2", Given("identities", 0.2)),
        ("1", Given("identities", 1.0)),
        ("tracks:0.2", Given("tracks", 0.2)),
        ("tracks:0", Given("tracks", 0.0)),
    ],
)
def test_forms_are_read(text, given):
    assert parse_given(text) == given


@pytest.mark.parametrize("text", ["infrared", "1.5", "-0.1", "tracks:", "tracks:2", "nan", ""])
def test_another_form_is_refused(text):
    with pytest.raises(ValueError, match="expected visible, matches, a share"):
        parse_given(text)


def test_a_share_of_the_identities_is_labelled_in_both_modalities():
    tracks = people(10)
    keys = set(draw_labelled(tracks, Given("identities", 0.3), seed=0))
    labelled = [track for track in tracks if track.key in keys]
    assert len({track.identity for track in labelled}) == 3
    assert len(labelled) == 3 * 2 * 5


def test_a_share_of_every_identitys_tracks_is_labelled_in_each_modality():
    tracks = people(4, tracks=5)
    keys = set(draw_labelled(tracks, Given("tracks", 0.4), seed=0))
    for identity in range(4):
        for modality in Modality:
            own = [t for t in tracks if (t.identity, t.modality) == (identity * 10, modality)]
            assert sum(track.key in keys for track in own) == 2


def test_the_draw_depends_on_the_seed_and_not_on_the_order():
    tracks, given = people(10), Given("tracks", 0.2)
    first = draw_labelled(tracks, given, seed=0)
    assert draw_labelled(tracks[::-1], given, seed=0) == first
    assert draw_labelled(tracks, given, seed=1) != first


def test_hidden_identities_are_gone():
    tracks = people()
    assert all((t.identity is None) == (t.modality == 1) for t in only_given("visible", 0)(tracks))
    assert all(track.identity is None for track in only_given("0", 0)(tracks))
    assert only_given("1", 0)(tracks) == tracks


def test_a_track_without_identity_is_named():
    tracks = [replace(people()[0], identity=None), *people()[1:]]
    with pytest.raises(UserError, match=r"1 training tracks .* have no identity"):
        draw_labelled(tracks, Given("visible"), 0)


def test_a_list_of_labelled_tracks_names_what_is_not_there(tmp_path):
    file = tmp_path / "keys.txt"
    file.write_text("VISIBLE/0/0\nnobody\n")
    with pytest.raises(UserError, match=r"1 of 2 lines .*nobody"):
        read_labelled(file, people())


class World:
    """Features in which every identity is a direction, and clusters that split some of them."""

    def __init__(self, text: str, *, split: bool = False) -> None:
        self.truth = people()
        self.identities = np.array([track.identity // 10 for track in self.truth])
        tracks = only_given(text, 0)(self.truth)
        modalities = np.array([int(track.modality) for track in tracks])
        noise = torch.randn(len(tracks), 8, generator=torch.Generator().manual_seed(0))
        features = torch.eye(8)[self.identities] + 0.05 * noise
        self.features = torch.nn.functional.normalize(features, dim=1)
        # Clusters are numbered differently in the modalities, and may be halves of an identity.
        self.labels = np.where(modalities == 0, self.identities, 3 - self.identities)
        if split:
            self.labels = 2 * self.labels + np.arange(len(tracks)) % 2
        self.session = SimpleNamespace(tracks=tracks, modalities=modalities)

    def match(self, *, semi_supervised, **options):
        given = parse_given(semi_supervised)
        options = MatchingOptions(**options)
        return match_with_given(
            self.features, self.labels, self.session.tracks, given, options, seed=0
        )


@pytest.mark.parametrize("text", ["visible", "0.5", "tracks:0.2", "tracks:1", "1", "0"])
@pytest.mark.parametrize("matcher", ["nearest", "one-to-one", "partial"])
def test_clear_features_give_every_track_its_identity(text, matcher):
    found = World(text).match(semi_supervised=text, matcher=matcher)
    truth = World(text).identities
    for label in np.unique(found.unified):
        assert len(set(truth[found.unified == label])) == 1
    assert found.unified.min() == 0
    assert len(set(found.unified)) == 4
    assert (found.assignment >= 0).all()
    assert found.cost.shape == (4, 4)


def test_halves_of_a_person_join_the_identity_that_both_are_nearest_to():
    for text in ("visible", "tracks:0.4"):
        world = World(text, split=True)
        found = world.match(semi_supervised=text, matcher="nearest")
        assert len(set(found.unified)) == 4
        assert all(len(set(world.identities[found.unified == n])) == 1 for n in range(4))


def test_matches_are_right_whatever_the_features_and_clusters_stay_as_found():
    world = World("matches", split=True)
    world.features = world.features[torch.randperm(len(world.features))]
    found = world.match(semi_supervised="matches")
    assert np.array_equal(found.labels, world.labels)
    for side in Modality:
        rows = world.session.modalities == side
        for cluster in np.unique(world.labels[rows]):
            assert len(set(found.unified[rows & (world.labels == cluster)])) == 1
    # Two halves are matched with one infrared half; the other is alone.
    shared = [set(world.identities[found.unified == n]) for n in range(found.unified.max() + 1)]
    assert all(len(names) == 1 for names in shared)
    assert len(shared) == 4 + 4
    assert len(set(found.assignment.tolist())) == 4


def test_a_cluster_whose_person_has_no_infrared_one_stays_alone():
    world = World("matches")
    world.labels[(world.session.modalities == Modality.INFRARED) & (world.identities == 2)] = -1
    world.labels[world.labels == 3] = np.where(
        world.session.modalities[world.labels == 3] == Modality.INFRARED, 1, 3
    )
    found = world.match(semi_supervised="matches")
    assert [bool(found.assignment[n] == -1) for n in range(4)] == [False, False, True, False]


def test_given_labels_win_over_any_features():
    world = World("0.5")
    world.features = world.features[torch.randperm(len(world.features))]
    classes = known_classes(world.session.tracks)
    found = world.match(semi_supervised="0.5")
    for name in range(2):
        own = np.unique(found.unified[classes == name])
        assert len(own) == 1
        assert (classes[found.unified == own[0]] == name).all()


def test_without_a_given_label_the_match_is_the_unsupervised_one():
    world = World("0", split=True)
    options = MatchingOptions()
    plain = match_clusters(world.features, world.labels, world.session.modalities, options)
    found = world.match(semi_supervised="0")
    assert np.array_equal(found.unified, plain.unified)
    assert np.array_equal(found.assignment, plain.assignment)


def test_noise_stays_noise_unless_it_is_labelled():
    world = World("visible")
    world.labels[:] = np.where(np.arange(len(world.labels)) % 5 == 0, -1, world.labels)
    found = world.match(semi_supervised="visible")
    infrared = world.session.modalities == Modality.INFRARED
    assert np.array_equal(found.unified < 0, infrared & (world.labels < 0))


def test_only_what_has_hidden_labels_is_clustered():
    assert modalities_to_cluster(World("visible").session.tracks) == [Modality.INFRARED]
    assert modalities_to_cluster(World("0.5").session.tracks) == list(Modality)
    assert modalities_to_cluster(World("1").session.tracks) == []
    given, tracks = Given("matches"), World("matches").session.tracks
    assert modalities_to_cluster(taught_tracks(tracks, given)) == list(Modality)
    assert (known_classes(taught_tracks(tracks, given)) == -1).all()
    assert taught_tracks(tracks, None) == tracks


@pytest.fixture(scope="module")
def baseline(tiny_set, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("semi") / "baseline"
    run_baseline(BaselineSettings(data_dir=tiny_set, output=output, **DATA, **STAGE_ONE))
    return output


def train(data: Path, baseline: Path, output: Path, **settings) -> dict[str, torch.Tensor]:
    settings = {**DATA, "epochs": 2, "steps": 2, "alignment_from": 1, **settings}
    run_mmm(MMMSettings(data_dir=data, output=output, baseline=baseline, **settings))
    return load_file(output / "model.safetensors")


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def poison(monkeypatch):
    """From now on, sessions read data in which every label outside ``keys`` is wrong."""

    def spread(keys: set[str]) -> None:
        from vireid.engine import session

        original = session.load_dataset

        def poisoned(*arguments, **options):
            dataset = original(*arguments, **options)
            people = sorted({track.identity for track in dataset.train})
            train = [
                track
                if track.key in keys
                else replace(track, identity=people[(7 * number) % len(people)])
                for number, track in enumerate(dataset.train)
            ]
            assert sum(a != b for a, b in zip(train, dataset.train)) > 3
            return replace(dataset, train=train)

        monkeypatch.setattr(session, "load_dataset", poisoned)

    return spread


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("visible", {}),
        ("0.34", {}),
        ("tracks:0.3", {}),
        ("visible", {"variant": "released", "ce_epochs": 1, "weights": "none"}),
        ("0.34", {"variant": "paper", "weights": "none"}),
    ],
)
def test_hidden_labels_never_reach_training(tiny_set, baseline, tmp_path, poison, text, more):
    weights = train(tiny_set, baseline, tmp_path / "clean", semi_supervised=text, **more)
    listed = tmp_path / "clean" / "labelled_tracks.txt"
    poison(set(listed.read_text(encoding="utf-8").split("\n")))
    if text != "visible":
        more = {**more, "labelled_tracks": listed}
    again = train(tiny_set, baseline, tmp_path / "poisoned", semi_supervised=text, **more)
    assert same(weights, again)
    clean, dirty = ((tmp_path / n / "metrics.jsonl").read_text() for n in ("clean", "poisoned"))
    assert scores(clean) != scores(dirty)  # the poison was there


def scores(metrics: str) -> list[float | None]:
    found = [json.loads(line) for line in metrics.splitlines()]
    return [r.get("ari_all") for r in found if r["kind"] == "pseudo_labels"]


def test_no_share_is_unsupervised_and_more_labels_change_the_result(tiny_set, baseline, tmp_path):
    plain = train(tiny_set, baseline, tmp_path / "plain")
    assert same(plain, train(tiny_set, baseline, tmp_path / "none", semi_supervised="0"))
    everything = train(tiny_set, baseline, tmp_path / "all", semi_supervised="1")
    assert not same(plain, everything)
    found = [json.loads(x) for x in (tmp_path / "all" / "metrics.jsonl").read_text().splitlines()]
    joint = [r for r in found if r["kind"] == "pseudo_labels" and r["modality"] == "joint"]
    assert [r["ari_all"] for r in joint] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--semi-supervised", "infrared"], "expected visible, matches, a share"),
        (["--semi-supervised", "1.2"], "expected visible, matches, a share"),
        (["--semi-supervised", "0.2", "--supervised"], "--supervised gives all labels"),
        (["--labelled-tracks", "keys.txt"], "--labelled-tracks belongs to"),
    ],
)
def test_bad_values_are_one_clear_message(flags, message, tiny_set, baseline, tmp_path, capsys):
    given = ["--dataset", "hitsz-vcm", "--data-dir", str(tiny_set), "--output", str(tmp_path / "x")]
    with pytest.raises(SystemExit) as stop:
        main(["mmm", *given, "--baseline", str(baseline), *flags])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_the_session_keeps_permitted_identities_alone(tiny_set):
    from vireid.engine.options import SessionOptions

    keys = ("dataset", "img_h", "img_w", "num_frames", "test_frames", "workers", "device")
    config = SessionOptions(data_dir=tiny_set, **{key: DATA[key] for key in keys})
    session = Session(config, "mmm", None, labelled=only_given("visible", 0))
    assert all((t.identity is None) == (t.modality == 1) for t in session.tracks)
