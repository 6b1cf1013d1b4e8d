"""Lines and tables for the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from vireid.datasets.track import Modality, Track
from vireid.evaluation.metrics import RankMetrics, rank_metrics
from vireid.evaluation.protocols import Protocol
from vireid.evaluation.results import (
    best_of_stages,
    evaluation_record,
    last_of_stages,
    mean_map,
    percent,
    result_line,
    summary_table,
)


def record(stage, epoch, direction, value, query=4, gallery=9):
    scores = dict.fromkeys(("rank1", "rank5", "rank10", "rank20", "mINP"), value / 2)
    return {
        "stage": stage,
        "epoch": epoch,
        "step": 10 * epoch,
        "protocol": f"hitsz-vcm/{direction}",
        "rule": "standard",
        "query": query,
        "gallery": gallery,
        "valid_queries": query - 1,
        "mAP": value,
        **scores,
    }


RECORDS = [
    record("untrained", 0, "v2i", 0.1),
    record("untrained", 0, "i2v", 0.2, 9, 4),
    record("mmm", 1, "v2i", 0.8),
    record("mmm", 1, "i2v", 0.6, 9, 4),
    record("mmm", 2, "v2i", 0.4),
    record("mmm", 2, "i2v", 0.5, 9, 4),
]


def test_record_of_an_evaluation_is_json_in_fractions():
    tracks = [Track((Path("f.jpg"),), Modality.VISIBLE, 1, 1, str(n)) for n in range(30)]
    protocol = Protocol("folder/v2i", tracks[:2], tracks, "all")
    metrics = rank_metrics(
        -torch.arange(30.0).repeat(2, 1), torch.tensor([3, 15]), torch.arange(30), protocol="all"
    )
    found = evaluation_record(protocol, metrics, stage="within", epoch=3, step=40)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [found[f"rank{r}"] for r in (1, 5, 10, 20)] == [0.0, 0.5, 0.5, 1.0]
    assert found["mAP"] == pytest.approx((1 / 4 + 1 / 16) / 2)
    assert (found["query"], found["gallery"], found["valid_queries"]) == (2, 30, 2)
    line = result_line(found)
    assert line.startswith("folder/v2i (all, 2 x 30, 2 valid)")
    assert "R5 50.00" in line and "mAP 15.62" in line


def test_scores_that_do_not_exist_become_none_and_a_dash():
    nothing = RankMetrics(torch.full((20,), torch.nan), float("nan"), float("nan"), 0)
    protocol = Protocol("folder/v2i", [], [], "all")
    found = evaluation_record(protocol, nothing, stage="mmm", epoch=0, step=0)
    assert found["mAP"] is None and found["rank20"] is None
    assert "mAP -" in result_line(found)
    with pytest.raises(ValueError, match="reach rank 20"):
        evaluation_record(
            protocol, RankMetrics(torch.zeros(5), 0.0, 0.0, 1), stage="mmm", epoch=0, step=0
        )


def test_last_and_best_are_told_apart():
    assert last_of_stages(RECORDS)["mmm"]["hitsz-vcm/v2i"]["epoch"] == 2
    assert best_of_stages(RECORDS)["mmm"]["hitsz-vcm/v2i"]["epoch"] == 1
    assert list(last_of_stages(RECORDS)) == ["untrained", "mmm"]
    assert mean_map(last_of_stages(RECORDS)["mmm"].values()) == pytest.approx(0.45)
    assert mean_map([{"mAP": 0.5}, {"mAP": None}]) is None


def test_table_has_one_line_for_each_stage_and_names_the_protocols():
    lines = summary_table(RECORDS).splitlines()
    assert len({len(line) for line in lines[1:5]}) == 1
    untrained, mmm = lines[3], lines[4]
    assert untrained.split()[0] == "untrained" and untrained.split()[-1] == "15.00"
    # The last evaluation, V2I before I2V: four ranks, mAP and mINP each.
    numbers = [float(word) for word in mmm.split() if word[0].isdigit()]
    assert numbers == [20, 20, 20, 20, 40, 20, 25, 25, 25, 25, 50, 25, 45]
    assert lines[6].startswith("V2I: hitsz-vcm/v2i, 4 queries (3 with a match) x 9 gallery tracks")
    assert lines[7].startswith("I2V: hitsz-vcm/i2v, 9 queries")


def test_table_survives_missing_directions_and_no_records():
    assert summary_table([]) == "No evaluation was recorded."
    lines = summary_table(RECORDS[:3]).splitlines()
    assert lines[4].split()[-1] == "-"
    assert percent(None) == percent(float("nan")) == "-"
