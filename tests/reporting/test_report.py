"""The report of a small made-up run: complete, self-contained, and right about right and wrong."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
import vireid
from PIL import Image
from safetensors.torch import load_file, save_file
from vireid.datasets.track import Modality, Track
from vireid.evaluation.metrics import per_query_metrics
from vireid.pseudo_labels.stored_clustering import LabelHistory, StoredClustering, write_clustering
from vireid.reporting import write_report
from vireid.reporting.film_strip import TILE

VOID = {"meta", "img", "br", "hr", "link", "input"}
PEOPLE, CAMERAS = 4, 3


class Page(HTMLParser):
    """Checks that every element is closed in order, and gathers what the tests look at."""

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.lists, self.text, self.tags = [], [], {}, [], []
        self.specs, self.scripts = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    @property
    def charts(self):
        """What is drawn, by name."""
        names = [values["aria-label"] for tag, values in self.tags if tag == "canvas"]
        assert len(names) == len(self.specs)
        return dict(zip(names, self.specs))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append((tag, values))
        self.addresses += [v for k, v in attrs if k in ("src", "href", "xlink:href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)
        if "data-query" in values:
            self.entries = self.lists.setdefault(values["data-query"], [])
        if "data-key" in values:
            self.entries.append((values["data-key"], values["data-verdict"], values["class"]))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            described = self.tags[-1][1].get("type") == "application/json"
            self.specs.append(json.loads(data)) if described else self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def evaluation(stage, epoch, direction, value):
    scores = {f"rank{r}": min(1.0, value + r / 100) for r in (1, 5, 10, 20)}
    return {
        "kind": "evaluation",
        "stage": stage,
        "epoch": epoch,
        "step": epoch * 10,
        "protocol": f"hitsz-vcm/{direction}",
        "rule": "standard",
        "query": PEOPLE * CAMERAS,
        "gallery": PEOPLE * CAMERAS,
        "valid_queries": PEOPLE * CAMERAS,
        "mAP": value,
        "mINP": value / 2,
        **scores,
    }


def stage_records(stage, epochs):
    records = []
    for epoch in range(1, epochs + 1):
        for modality in ("visible", "infrared", "joint"):
            records.append(
                {
                    "kind": "pseudo_labels",
                    "stage": stage,
                    "epoch": epoch,
                    "modality": modality,
                    "clusters": 3 + epoch,
                    "noise": 0.3 / epoch,
                    "largest": 9,
                    "identities": PEOPLE,
                    "ari": 0.2 * epoch,
                    "ari_all": 0.15 * epoch,
                    "nmi": 0.25 * epoch,
                    "ami": 0.2,
                    "v_measure": 0.2,
                    "purity": 0.7,
                }
            )
        records.append(
            {
                "kind": "train",
                "stage": stage,
                "epoch": epoch,
                "step": epoch * 10,
                "loss": 3.0 / epoch,
                "losses": {"visible memory": 2.0 / epoch, "infrared memory": 1.0 / epoch},
                "lr": 1e-3,
                "clips_per_second": 50.0,
            }
        )
        records += [evaluation(stage, epoch, d, 0.1 + 0.1 * epoch) for d in ("v2i", "i2v")]
    return [*records, {"kind": "stage_time", "stage": stage, "seconds": 3700.0, "steps": 20}]


def rewrite_metrics(run, change):
    """Writes every record of a run anew, as a function of it."""
    metrics = run / "metrics.jsonl"
    records = [json.loads(line) for line in metrics.read_text().splitlines()]
    metrics.write_text("".join(json.dumps(change(record)) + "\n" for record in records))


def write_metrics(folder, records, config):
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    (folder / "config.yaml").write_text(json.dumps(config))


@pytest.fixture
def run(tmp_path):
    """A stage-two run on a stage-one run, with pictures of 4 people under 3 + 3 cameras.

    One person's infrared sightings share a camera with a visible one, so the camera rule acts.
    """
    data = tmp_path / "data set ä"
    rows, features = [], []
    rng = np.random.default_rng(0)
    for split, modality, first in (("query", "infrared", 0), ("gallery", "visible", 2)):
        for person in range(1, PEOPLE + 1):
            for camera in range(1, CAMERAS + 1):
                key = f"{modality}-{person}-{camera}"
                frames = [f"{modality}/{person}/{camera}/{n}.jpg" for n in range(3)]
                for frame in frames:
                    (data / frame).parent.mkdir(parents=True, exist_ok=True)
                    colour = tuple(int(v) for v in rng.integers(0, 255, 3))
                    Image.new("RGB", (12, 24), colour).save(data / frame)
                rows.append(
                    f"{len(rows)},{key},{split},{modality},{camera + first},{person},"
                    + "|".join(frames)
                )
                features.append(np.eye(8)[person] + rng.normal(0, 0.5, 8))
    matrix = torch.nn.functional.normalize(torch.tensor(np.array(features)), dim=1).float()

    started = {
        "kind": "run",
        "command": "vireid mmm <script>alert(1)</script>",
        "dataset": "hitsz-vcm",
        "data_dir": str(data),
        "seed": 5,
        "versions": {"vireid": vireid.__version__, "torch": "2.15"},
        "device": "cpu",
        "verification": "train 4 ids, as expected",
    }
    settings = {"dataset": "hitsz-vcm", "data_dir": str(data), "lr": 0.1}
    untrained = [evaluation("untrained", 0, d, 0.05) for d in ("v2i", "i2v")]
    write_metrics(
        tmp_path / "stage-one", [started, *untrained, *stage_records("intra_modality", 2)], settings
    )
    best_first = [evaluation("mmm", 0, d, 0.9) for d in ("v2i", "i2v")]
    match = {
        "kind": "matching",
        "stage": "mmm",
        "epoch": 1,
        "visible_clusters": 4,
        "infrared_clusters": 4,
        "matched": 4,
        "accuracy": 0.75,
        "precision": 0.8,
    }
    folder = tmp_path / "mmm"
    write_metrics(
        folder,
        [started, *best_first, match, *stage_records("mmm", 3)],
        settings | {"lr": 0.2, "baseline": str(tmp_path / "stage-one")},
    )
    header = "index,key,split,modality,camera,identity,frames\n"
    (folder / "test_tracks.csv").write_text(header + "\n".join(rows) + "\n")
    save_file({"features": matrix}, folder / "test_features.safetensors")
    keep_clustering(folder, data, features)
    return folder


def keep_clustering(folder, data, features):
    """The test people once more as training tracks: one cluster mixed, two partners swapped."""
    order = [*range(PEOPLE * CAMERAS, 2 * PEOPLE * CAMERAS), *range(PEOPLE * CAMERAS)]
    people = np.tile(np.repeat(np.arange(1, PEOPLE + 1), CAMERAS), 2)
    tracks = []
    for row, person in enumerate(people.tolist()):
        modality = Modality.VISIBLE if row < PEOPLE * CAMERAS else Modality.INFRARED
        name, camera = modality.name.lower(), row % CAMERAS + 1
        frames = tuple(data / name / str(person) / str(camera) / f"{n}.jpg" for n in range(3))
        tracks.append(Track(frames, modality, camera, person, f"train/{row}"))
    labels = people - 1
    labels[[2, 5]] = 1, -1
    clustering = StoredClustering(
        tracks,
        torch.nn.functional.normalize(torch.tensor(np.array(features)[order]), dim=1),
        labels,
        unified=labels.copy(),
        assignment=np.array([0, 1, 3, 2]),
        cost=np.array(1 - np.eye(PEOPLE), np.float32),
        stage="mmm",
        epoch=3,
    )
    write_clustering(folder, clustering, data, LabelHistory({}, {}))


def test_the_page_is_whole_and_needs_nothing_else(run):
    out = write_report(run)
    assert out == run / "report.html"
    text = out.read_text(encoding="utf-8")
    page = Page(text)
    assert page.addresses
    assert all(a.startswith(("#", "data:image/")) for a in page.addresses)
    assert not re.search(r"@import|url\(|<script[^>]* src|<link|<iframe", text)
    assert len(page.scripts) == 2
    assert len(out.read_bytes()) < 1_000_000
    ids = [values["id"] for tag, values in page.tags if tag == "section"]
    assert ids == ["results", "curves", "clusters", "map", "retrieval", "run"]
    targets = {a[1:] for a in page.addresses if a.startswith("#")}
    assert targets == set(ids)
    assert "<script>alert(1)</script>" in page.words  # as text: it was escaped
    for words in ("train 4 ids, as expected", "torch 2.15", "1 h 1 min, 20 steps", "Seed 5"):
        assert words in page.words
    assert "prefers-color-scheme: dark" in text and 'name="viewport"' in text


def test_results_show_last_and_best_of_both_directions(run):
    words = Page(write_report(run).read_text(encoding="utf-8")).words
    assert "stage one, intra-modality 2 31.00 35.00 40.00 50.00 30.00 15.00 31.00" in words
    assert "MMM 3 41.00 45.00 50.00 60.00 40.00 20.00 41.00" in words
    assert "MMM, best on test 0 91.00" in words
    assert "untrained 0 6.00" in words
    assert "V2I: hitsz-vcm/v2i, 12 queries (12 with a match), 12 gallery tracks" in words


def test_rows_under_other_conditions_are_marked(run):
    plain = Page(write_report(run).read_text(encoding="utf-8")).words
    assert "rows marked" not in plain and "*" not in plain
    rewrite_metrics(
        run.parent / "stage-one",
        lambda record: record | ({"flip": True} if record["kind"] == "evaluation" else {}),
    )
    words = Page(write_report(run).read_text(encoding="utf-8")).words
    assert "untrained * 0 6.00" in words
    assert "stage one, intra-modality * 2 31.00" in words
    assert "MMM 3 41.00" in words and "MMM, best on test 0 91.00" in words
    about = "12 queries (12 with a match), 12 gallery tracks, camera rule standard, 1 trial, "
    for name in ("V2I", "I2V"):
        at = f"hitsz-vcm/{name.lower()}, {about}whole gallery"
        assert f"{name}: {at}, no flip, no re-ranking. {name}, rows marked *: {at}, flip," in words


def test_bars_under_other_conditions_are_marked(run):
    plain = Page(write_report(run).read_text(encoding="utf-8")).charts["mAP and Rank-1"]
    assert not [name for name in plain["categories"] if "*" in name]
    rewrite_metrics(
        run.parent / "stage-one",
        lambda record: record | ({"flip": True} if record["kind"] == "evaluation" else {}),
    )
    charts = Page(write_report(run).read_text(encoding="utf-8")).charts
    marked = charts["mAP and Rank-1, * on another test or in another way than the newest"]
    assert [name for name in marked["categories"] if not name.endswith(" *")] == ["MMM"]


def test_a_best_row_under_other_conditions_is_marked(run):
    rewrite_metrics(run, lambda record: record | {"rerank": record.get("mAP") == 0.9})
    words = Page(write_report(run).read_text(encoding="utf-8")).words
    assert "MMM 3 41.00" in words and "MMM, best on test * 0 91.00" in words


def test_curves_follow_both_stages(run):
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert {
        "mAP and Rank-1 on the test split",
        "Training loss",
        "Parts of the loss",
        "Clusters and identities",
        "Samples left out as noise",
        "Clusters against identities: ARI",
        "Matching across modalities",
    } <= page.charts.keys()
    loss = page.charts["Training loss"]
    # 2 epochs of stage one, then 3 of stage two; the line breaks between them.
    points = [(point["x"], point["y"]) for point in loss["series"][0]["data"]]
    assert points == [(1, 3), (2, 1.5), (2, None), (3, 3), (4, 1.5), (5, 1)]
    assert loss["bands"] == [["intra", 0, 2], ["MMM", 2, 5]]
    noise = {one["name"]: one["data"] for one in page.charts["Samples left out as noise"]["series"]}
    assert noise["visible"][1] == {"x": 2, "y": 15}  # in per cent
    lines = {one["name"]: one["data"] for one in page.charts["Clusters and identities"]["series"]}
    assert lines["true identities"][0] == {"x": 1, "y": 4}
    assert page.charts["Matching across modalities"]["bands"] == [["MMM", 2, 5]]


def expected_list(run, key, length=10):
    """The head of one query's ranking, straight from the files."""
    rows = [line.split(",") for line in (run / "test_tracks.csv").read_text().splitlines()[1:]]
    features = load_file(run / "test_features.safetensors")["features"]
    query = next(row for row in rows if row[1] == key)
    others = [row for row in rows if row[3] != query[3]]
    similarity = {r[1]: float(features[int(r[0])] @ features[int(query[0])]) for r in others}
    entries = []
    for row in sorted(others, key=lambda r: -similarity[r[1]])[:length]:
        same, seen_here = row[5] == query[5], row[4] == query[4]
        verdict = "ignored" if same and seen_here else "right" if same else "wrong"
        entries.append((row[1], verdict, f"track {verdict}"))
    return entries


def test_marks_agree_with_the_features(run):
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert len(page.lists) == 12  # both directions, two queries of each of three grades
    for key, entries in page.lists.items():
        assert entries == expected_list(run, key)
    verdicts = {verdict for entries in page.lists.values() for _, verdict, _ in entries}
    assert verdicts == {"right", "wrong", "ignored"}
    for mark, verdict in (("✓", "right"), ("✗", "wrong"), ("\u2013", "ignored")):
        count = sum(v == verdict for entries in page.lists.values() for _, v, _ in entries)
        assert page.words.count(mark) >= count > 0


def test_the_best_and_the_worst_queries_are_the_ones_shown(run):
    rows = [line.split(",") for line in (run / "test_tracks.csv").read_text().splitlines()[1:]]
    features = load_file(run / "test_features.safetensors")["features"]
    infrared = [r for r in rows if r[3] == Modality.INFRARED.name.lower()]
    visible = [r for r in rows if r not in infrared]
    labels = [
        torch.tensor([int(r[column]) for r in side])
        for column in (5, 4)
        for side in (infrared, visible)
    ]
    scores = per_query_metrics(features[: len(infrared)] @ features[len(infrared) :].T, *labels)
    order = scores.ap.argsort(descending=True, stable=True).tolist()
    page = Page(write_report(run).read_text(encoding="utf-8"))
    shown = [key for key in page.lists if key.startswith("infrared")]
    assert shown == [infrared[i][1] for i in (*order[:2], *order[5:7], *order[-2:])]


@pytest.mark.parametrize("reranked", [True, False])
def test_lists_of_a_reranked_run_are_said_to_be_those_before(run, reranked):
    before = Page(write_report(run).read_text(encoding="utf-8"))
    rewrite_metrics(run, lambda record: record | {"rerank": reranked})
    page = Page(write_report(run).read_text(encoding="utf-8"))
    said = "the charts and the thresholds here are of the ranking before re-ranking"
    assert (said in page.words) == reranked
    assert page.lists == before.lists
    (run / "test_features.safetensors").unlink()
    assert said not in Page(write_report(run).read_text(encoding="utf-8")).words


def test_pictures_are_strips_of_the_frames(run):
    page = Page(write_report(run).read_text(encoding="utf-8"))
    pictures = [a for a in page.addresses if a.startswith("data:image/jpeg;base64,")]
    sizes = []
    for address in pictures:
        with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as image:
            sizes.append(image.size)
    assert sizes.count((TILE[0] * 3, TILE[1])) == 12 * 11  # lists of ten and the query
    tiles = [v for tag, v in page.tags if tag == "div" and "tile" in v.get("class", "").split()]
    assert sizes.count(TILE) == len(tiles) == len(sizes) - 12 * 11 > 0


def test_the_schedule_stands_with_the_facts(run):
    words = Page(with_schedule(run).read_text(encoding="utf-8")).words
    assert "3 epochs of 20 batches" in words
    assert "1-2 0.2 visible memory 1 3 0.02 visible memory 1" in words


def with_schedule(run):
    """The page of the run when its records tell what was planned."""
    metrics = run / "metrics.jsonl"
    schedule = {
        "kind": "schedule",
        "stage": "mmm",
        "epochs": 3,
        "batches_per_epoch": 20,
        "start": "encoder of stage one",
        "lr_schedule": "step",
        "lr": 0.2,
        "optimiser": "sgd",
        "weight_decay": 0.0005,
        "groups": [{"members": "all", "lr_by_epoch": [0.2, 0.2, 0.02]}],
        "phases": [
            {"from_epoch": 1, "losses": {"visible memory": 1.0}, "batches": [], "memory": ""}
        ],
        "settings": {"img_h": 288},
    }
    metrics.write_text(metrics.read_text() + json.dumps(schedule) + "\n")
    return write_report(run, run / "new" / "folder" / "page.html")


def test_an_unfinished_run_is_called_so_above_all_else(run):
    finished = Page(with_schedule(run).read_text(encoding="utf-8")).words
    assert "is unfinished" not in finished
    metrics = run / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    early = [line for line in lines if "stage_time" not in line and '"epoch": 3' not in line]
    metrics.write_text("".join(early))
    words = Page(write_report(run).read_text(encoding="utf-8")).words
    said = "This run is unfinished: 2 of 3 epochs are done and the training has not ended."
    assert said in words
    assert words.index(said) < words.index("Results")


def test_missing_pieces_become_sentences(run):
    metrics = run / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + '{"kind": "tra')
    shutil.rmtree(run.parent / "data set ä")
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert "the ranked lists show the names of the tracks instead" in page.words
    assert "The last line of metrics.jsonl was cut off" in page.words
    assert len(page.lists) == 12
    assert not [a for a in page.addresses if a.startswith("data:")]

    (run / "test_features.safetensors").unlink()
    shutil.rmtree(run.parent / "stage-one")
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert "No ranked lists: test_features.safetensors is not in the run folder" in page.words
    assert "stage-one is not there" in page.words
    assert page.lists == {}

    metrics.write_text("")
    (run / "config.yaml").unlink()
    page = Page(write_report(run).read_text(encoding="utf-8"))
    for words in ("No evaluation was recorded", "there are no curves", "config.yaml is not there"):
        assert words in page.words


def test_tracks_without_identities_are_no_error(run):
    table = run / "test_tracks.csv"
    table.write_text(re.sub(r"(visible,\d+),\d+,", r"\1,,", table.read_text()))
    words = Page(write_report(run).read_text(encoding="utf-8")).words
    assert "No ranked lists for hitsz-vcm/v2i: 12 of 12 tracks have no identity" in words


def test_several_runs_make_one_page(run, tmp_path):
    out = write_report([run, tmp_path / "stage-one"])
    assert out == run / "comparison.html"
    page = Page(out.read_text(encoding="utf-8"))
    assert page.words.index("Settings that differ") < page.words.index("What was run")
    assert "lr 0.2 0.1" in page.words
    assert "mmm MMM 41.00 40.00 20.00 41.00 40.00 20.00 40.00" in page.words
    assert "stage-one stage one, intra-modality 31.00 30.00 15.00" in page.words
    ids = [values["id"] for _, values in page.tags if "id" in values]
    assert len(ids) == len(set(ids)) == 15
    assert {a[1:] for a in page.addresses if a.startswith("#")} == set(ids)
    with pytest.raises(ValueError, match="one run folder or more"):
        write_report([])


def test_several_runs_name_data_and_conditions_in_which_they_differ(run, tmp_path):
    def first_words(*changes):
        runs = [run]
        for number, change in enumerate(changes):
            other = tmp_path / f"other-{number}"
            shutil.copytree(run, other)
            lines = (other / "metrics.jsonl").read_text().splitlines()
            records = [json.loads(line) for line in lines]
            records = [r | change(r) if r["kind"] == "evaluation" else r for r in records]
            (other / "metrics.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n")
            runs.append(other)
        words = Page(write_report(runs, tmp_path / "page.html").read_text("utf-8")).words
        for folder in runs[1:]:
            shutil.rmtree(folder)
        return words.partition("Settings that differ")[0]

    words = first_words(lambda record: {"mAP": 0.1})
    assert "mmm MMM 41.00" in words and "other-0 MMM 41.00" in words
    words = first_words(
        lambda record: {"protocol": record["protocol"].replace("hitsz-vcm", "bupt-campus")},
        lambda record: {"gallery": 7, "rule": "all", "flip": True, "rerank": True},
    )
    how = "12 x 12 tracks, camera rule standard, no flip, no re-ranking"
    assert f"mmm MMM hitsz-vcm, {how} 41.00" in words
    # Sizes tell runs of one data set apart, not two data sets.
    assert "other-0 MMM bupt-campus, camera rule standard, no flip, no re-ranking 41.00" in words
    assert "MMM hitsz-vcm, 12 x 7 tracks, camera rule all, flip, re-ranked 41.00" in words


def test_rendered_data_are_named_beside_the_real_ones(run, tmp_path):
    rendered, apart = tmp_path / "rendered", tmp_path / "apart"
    for other in (rendered, apart):
        shutil.copytree(run, other)
    rewrite_metrics(rendered, lambda record: record | {"verification": "synthetic data"})
    metrics = apart / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace("hitsz-vcm/", "sysu-mm01/all/single/"))
    page = Page(write_report([run, rendered, apart], tmp_path / "page.html").read_text("utf-8"))
    assert "mmm MMM hitsz-vcm 41.00" in page.words
    assert "rendered MMM synthetic hitsz-vcm 41.00" in page.words
    # It shares no column with the others.
    assert "apart MMM - - - - - - 41.00" in page.words


def test_clusters_are_shown_with_their_match(run):
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert "The last clustering that was kept: MMM, epoch 3." in page.words
    assert "4 of 4 visible clusters have one of 4 infrared clusters as partner" in page.words
    assert "2 right, 2 wrong" in page.words
    assert {
        "Size of the clusters",
        "Purity against size",
        "Matching matrix",
        "By modality",
        "By pseudo-label",
        "By identity",
        "Similarity of the pairs",
        "Average precision of the queries",
    } <= page.charts.keys()
    tiles = [v for tag, v in page.tags if tag == "div" and "tile" in v.get("class", "").split()]
    assert {v["class"] for v in tiles} == {"tile right", "tile wrong"}
    for words in ("best visible cluster", "worst visible cluster", "Of the visible tracks:"):
        assert words in page.words


def test_unlabelled_footage_gets_its_own_view(run):
    table = run / "train_tracks.csv"
    table.write_text(re.sub(r",(\d+),\d+,", r",\1,,", table.read_text()))
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert "largest" in page.words and "Silhouette against size" in page.words
    assert "nobody can say which pairs are right" in page.words
    assert "By identity" not in page.words


def test_both_directions_share_one_distribution_of_pairs(run):
    page = Page(write_report(run).read_text(encoding="utf-8"))
    precisions = page.charts["Average precision of the queries"]
    assert [one["name"] for one in precisions["series"]] == ["V2I", "I2V"]
    # Of 12 x 12 pairs, those of one person under one camera are left out.
    rows = [line.split(",") for line in (run / "test_tracks.csv").read_text().splitlines()[1:]]
    pairs = [(a, b) for a in rows for b in rows if (a[3], b[3]) == ("visible", "infrared")]
    same = sum(a[5] == b[5] and a[4] != b[4] for a, b in pairs)
    other = sum(a[5] != b[5] for a, b in pairs)
    said = f"{same} pairs of one person, {other} of two, the same from either side."
    assert said in page.words


def test_the_first_screen_answers(run):
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert page.words.startswith("hitsz-vcm, MMM, seed 5 · vireid report")
    assert next(iter(page.charts)) == "mAP and Rank-1"
    rows = page.charts["mAP and Rank-1"]
    assert rows["categories"] == ["untrained", "stage one, intra-modality", "MMM"]
    assert [(one["name"], one["data"]) for one in rows["series"]] == [
        ("mean mAP", [5, 30, 40]),
        ("mean Rank-1", [6, 31, 41]),
    ]
    # ari_all 0.45 with 10 % noise and purity 0.7
    assert "The clusters limit this run: 70% of the visible tracks" in page.words
    assert page.words.index("limit this run") < page.words.index("Results, stage by stage")
    assert page.words.index("Retrieval: ranked") < page.words.rindex("What was run")


def test_the_verdict_names_its_command_as_code(run):
    changes = {"pseudo_labels": {"ari_all": 0.9}, "matching": {"accuracy": 0.5}}
    rewrite_metrics(run, lambda record: record | changes.get(record["kind"], {}))
    text = write_report(run).read_text(encoding="utf-8")
    assert "Matching is the weakest part of this run: 50% of the visible" in Page(text).words
    assert "try another <code>--matcher</code>, or more" in text
    assert "stage one. <code>vireid mmm --semi-supervised matches</code> shows" in text


def test_without_identities_nothing_is_said_to_limit_the_run(run):
    needed = {"ari", "ari_all", "nmi", "purity", "identities", "accuracy", "precision"}
    rewrite_metrics(run, lambda record: {k: v for k, v in record.items() if k not in needed})
    page = Page(write_report(run).read_text(encoding="utf-8"))
    for verdict in ("limit this run", "limits this run", "weakest part of this run"):
        assert verdict not in page.words
    assert "mAP and Rank-1" in page.charts


def copy_as(run, name, stage, value):
    """A run of one stage beside a run, on its data."""
    config = json.loads((run / "config.yaml").read_text())
    started = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    scores = [evaluation(stage, 4, direction, value) for direction in ("v2i", "i2v")]
    folder = run.parent / name
    write_metrics(folder, [started, *scores], {**config, "baseline": None})
    return folder


def test_references_are_shown_where_they_are(run):
    control = copy_as(run, "control", "cross_modality", 0.35)
    copy_as(run, "supervised", "supervised", 0.43)
    page = Page(write_report(run).read_text(encoding="utf-8"))
    rows = page.charts["mAP and Rank-1"]
    assert rows["categories"][-2:] == ["control: stage one goes on", "supervised"]
    assert rows["series"][0]["data"][-2:] == [35, 43]
    assert "The encoder limits this run: trained from labels" in page.words  # 3 points apart

    record = json.loads((control / "metrics.jsonl").read_text().splitlines()[0])
    del record["versions"]["vireid"]
    (control / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert page.charts["mAP and Rank-1"]["categories"][-1] == "supervised"
    assert "control, beside this run, is not shown" in page.words

    other = run.parent / "supervised" / "config.yaml"
    other.write_text(other.read_text().replace("hitsz-vcm", "bupt-campus"))
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert page.charts["mAP and Rank-1"]["categories"][-1] == "MMM"


def test_runs_given_together_are_each_others_references(run):
    labels = copy_as(run, "from-labels", "supervised", 0.43)
    page = Page(write_report([run, labels], run.parent / "page.html").read_text(encoding="utf-8"))
    rows = page.specs[0]
    assert rows["categories"] == ["mmm", "from-labels"]
    assert rows["series"][0]["data"] == [40, 43]
    assert "The encoder limits this run: trained from labels" in page.words


def test_published_rows_stand_beside_real_data_only(run):
    words = Page(write_report(run).read_text(encoding="utf-8")).words
    assert "M3-ReID, 6 frames supervised 75.31 60.51 73.21 59.02" in words
    (run.parent / "data set ä" / "vireid-synthetic.json").write_text("{}")
    words = Page(write_report(run).read_text(encoding="utf-8")).words
    assert "75.31" not in words


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PROBE = """
addEventListener("error", event => console.log("FAULT " + event.message), true);
addEventListener("load", () => {
  const pictures = [...document.images];
  const wide = document.documentElement.scrollWidth > innerWidth;
  const loaded = pictures.filter(p => p.complete && p.naturalWidth > 0).length;
  const figures = [...document.querySelectorAll("figure.chart")];
  const drawn = figures.filter(f => f.dataset.drawn).length;
  const rows = Chart.getChart(figures[0].querySelector("canvas"));
  rows.tooltip.setActiveElements([{datasetIndex: 0, index: 0}], {x: 1, y: 1});
  rows.update();
  const seen = {pictures: pictures.length, loaded, wide, figures: figures.length, drawn,
    pointer: rows.tooltip.title.concat(rows.tooltip.body[0].lines).join(": "),
    hacked: document.body.dataset.hacked ?? "no"};
  document.body.dataset.seen = JSON.stringify(seen);
});
"""


def probed(page):
    """The page with the probe as a third script that it allows; pictures and charts all at once."""
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    page = page.replace(' loading="lazy"', "")
    return page.replace("</head>", f"<script>{PROBE}</script></head>", 1)


def chromium(page, profile, *options):
    """Output and console of the browser with a page."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={profile}", "--no-first-run", "--enable-logging=stderr"]
    found = subprocess.run(
        [*command, *options, page.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    return found.stdout, [line for line in found.stderr.splitlines() if "CONSOLE" in line]


def seen_in(page, profile, *options):
    out, console = chromium(page, profile, "--dump-dom", *options)
    found = re.search(r'data-seen="([^"]*)"', out)
    assert found is not None, out[-500:]
    return json.loads(html.unescape(found[1])), console


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.parametrize(("width", "scheme"), [(1280, 1), (390, 0)])  # 0 is the dark scheme
def test_a_browser_shows_the_page(run, tmp_path, width, scheme):
    page = tmp_path / "probed.html"
    page.write_text(probed(write_report(run).read_text(encoding="utf-8")), encoding="utf-8")
    options = [f"--window-size={width},20000", f"--blink-settings=preferredColorScheme={scheme}"]
    seen, console = seen_in(page, tmp_path / "profile", *options)
    assert console == []
    assert seen["loaded"] == seen["pictures"] > 0
    assert seen["drawn"] == seen["figures"] > 15
    assert not seen["wide"]
    assert seen["pointer"] == "untrained: mean mAP: 5 %"
    picture = tmp_path / "seen.png"
    chromium(page, tmp_path / "profile", f"--screenshot={picture}", *options)
    with Image.open(picture) as image:
        assert image.size == (width, 20000)
        corner = image.convert("L").getpixel((2, 2))
        assert corner < 60 if scheme == 0 else corner > 200
        assert len(image.convert("RGB").getcolors(1 << 24)) > 200


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_hostile_names_are_text(run, tmp_path):
    act = "document.body.dataset.hacked='yes'"
    names = [
        f"</script><script>{act}</script>",
        f"<img src=x onerror={act}>",
        f'"><svg onload="{act}">',
        f"javascript:{act}",
        "'); alert(1); ('",
    ]
    table = run / "train_tracks.csv"
    rows = list(csv.reader(table.read_text().splitlines()))
    for number, row in enumerate(rows[1:]):
        row[1] = f"{names[number % len(names)]} {number}"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    test = (run / "test_tracks.csv").read_text()
    (run / "test_tracks.csv").write_text(test.replace("visible-1-1", names[1]))
    metrics = run / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace("visible memory", names[0]))
    (run / "config.yaml").write_text(
        (run / "config.yaml").read_text().replace('"lr"', json.dumps(names[2]))
    )
    page = tmp_path / "probed.html"
    page.write_text(probed(write_report(run).read_text(encoding="utf-8")), encoding="utf-8")
    read = Page(page.read_text(encoding="utf-8"))
    assert len(read.scripts) == 3  # the page's own two and the probe
    assert not [v for tag, values in read.tags for v in values if v.startswith("on")]
    assert {tag for tag, _ in read.tags}.isdisjoint({"svg", "iframe", "object"})
    assert names[1] in {p.get("alt", "").partition(": ")[2] for tag, p in read.tags if tag == "img"}
    losses = {one["name"] for one in read.charts["Parts of the loss"]["series"]}
    assert names[0] in losses
    seen, console = seen_in(page, tmp_path / "profile", "--window-size=1280,20000")
    assert seen["hacked"] == "no" and console == []
    assert seen["drawn"] == seen["figures"]


def test_runs_of_one_name_are_told_apart_by_the_folders_above(run, tmp_path):
    twin = tmp_path / "seed-1" / run.name
    shutil.copytree(run, twin)
    other = tmp_path / "seed-1" / "other"
    shutil.copytree(run, other)
    page = Page(write_report([run, twin, other], tmp_path / "page.html").read_text("utf-8"))
    assert f"{run.parent.name}/{run.name}" in page.words
    assert f"seed-1/{run.name}" in page.words
    page = Page(write_report([run, other], tmp_path / "page.html").read_text("utf-8"))
    assert f"Side by side {run.name} other" in page.words
