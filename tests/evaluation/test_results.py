"""Lines and tables for the terminal."""

from __future__ import annotations

import json

import pytest
import torch
from vireid.evaluation.metrics import RankMetrics, rank_metrics
from vireid.evaluation.results import (
    SCORES,
    best_of_stages,
    last_of_stages,
    mean_map,
    percent,
    result_line,
    short_name,
    summary_table,
)
from vireid.evaluation.trials import Result


def result(*trials, protocol="folder/v2i", rule="all", query=2, gallery=(30,), kind="whole"):
    direction = protocol.rpartition("/")[2]
    return Result(protocol, direction, rule, query, gallery, kind, False, trials)


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
    metrics = rank_metrics(
        -torch.arange(30.0).repeat(2, 1), torch.tensor([3, 15]), torch.arange(30), protocol="all"
    )
    found = result(metrics).record()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [found[f"rank{r}"] for r in (1, 5, 10, 20)] == [0.0, 0.5, 0.5, 1.0]
    assert found["mAP"] == pytest.approx((1 / 4 + 1 / 16) / 2)
    assert (found["query"], found["gallery"], found["valid_queries"]) == (2, 30, 2)
    line = str(result(metrics))
    assert line.startswith(
        "folder/v2i (all, 2 x 30, 2 valid, 1 trial, whole gallery, no flip, no re-ranking)  R1 0.00"
    )
    assert "10 trials" not in line and "±" not in line and found["std"] is None
    said = result_line(found | {"flip": True, "rerank": True})
    assert "1 trial, whole gallery, flip, re-ranked)" in said
    assert result(metrics).trial_records() == []
    assert "R5 50.00" in line and "mAP 15.62" in line


def test_scores_that_do_not_exist_become_none_and_a_dash():
    nothing = RankMetrics(torch.full((20,), torch.nan), float("nan"), float("nan"), 0)
    found = result(nothing).record()
    assert found["mAP"] is None and found["rank20"] is None
    assert "mAP -" in result_line(found)
    with pytest.raises(ValueError, match="reach rank 20"):
        result(RankMetrics(torch.zeros(5), 0.0, 0.0, 1)).record()


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
    # The last evaluation, V2I before I2V: Rank-1, Rank-10, mAP and mINP each.
    numbers = [float(word) for word in mmm.split() if word[0].isdigit()]
    assert numbers == [20, 20, 40, 20, 25, 25, 50, 25, 45]
    assert lines[6].startswith("V2I: hitsz-vcm/v2i, 4 queries (3 with a match) x 9 gallery tracks")
    assert lines[7] == "    whole gallery, no flip, no re-ranking, in per cent"
    assert lines[8].startswith("I2V: hitsz-vcm/i2v, 9 queries")
    assert max(map(len, lines)) <= 100


def test_table_marks_the_rows_that_were_measured_under_other_conditions():
    flipped = [one | {"flip": True} for one in RECORDS[:2]]
    drawn = [
        one | {"stage": "pretrain", "rerank": True, "trials": 3, "std": dict.fromkeys(SCORES, 0.1)}
        for one in RECORDS[:2]
    ]
    alike = [one | {"stage": "intra_modality"} for one in flipped[:1]]
    text = summary_table([*flipped, *drawn, *alike, *RECORDS[2:]])
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    heads = {line.partition(" |")[0].strip() for line in lines if "00" in line and "|" in line}
    assert heads == {"untrained *", "pre-training **", "stage one, intra-modality *", "MMM"}
    assert "10.00±10.00" in text
    assert len({len(line) for line in lines[1:7]}) == 1  # the columns stay below their heads
    for name, query, gallery in (("V2I", 4, 9), ("I2V", 9, 4)):
        about = f"hitsz-vcm/{name.lower()}, {query} queries ({query - 1} with a match) x {gallery}"
        about += " gallery tracks, camera rule standard"
        for rows, how in (
            ("", "1 trial, whole gallery, no flip, no re-ranking"),
            (", rows marked *", "1 trial, whole gallery, flip, no re-ranking"),
            (", rows marked **", "3 trials, whole galleries, no flip, re-ranked"),
        ):
            assert f"{name}{rows}: {about}, {how}, in per cent" in " ".join(text.split())


def test_table_marks_other_sizes_of_one_protocol_alone():
    smaller = [RECORDS[0] | {"gallery": 5}, RECORDS[1]]
    lines = summary_table([*smaller, *RECORDS[2:]]).splitlines()
    assert [line.split(":")[0] for line in lines if line[1:4] == "2V:" or "marked" in line] == [
        "V2I, rows marked *",
        "I2V",
    ]
    assert lines[3].startswith("untrained *") and lines[4].startswith("MMM  ")


def test_table_survives_missing_directions_and_no_records():
    assert summary_table([]) == "No evaluation was recorded."
    lines = summary_table(RECORDS[:3]).splitlines()
    assert lines[4].split()[-1] == "-"
    assert percent(None) == percent(float("nan")) == "-"


def test_trials_are_recorded_one_by_one_with_mean_and_deviation():
    values = [0.1, 0.25, 0.7]
    trials = [RankMetrics(torch.full((20,), v), v / 2, v / 4, 2 - n) for n, v in enumerate(values)]
    name = "sysu-mm01/all/single/i2v"
    drawn = result(*trials, protocol=name, rule="sysu", gallery=(3, 3, 3), kind="official")
    found = drawn.record()
    mean = sum(values) / 3
    deviation = (sum((v - mean) ** 2 for v in values) / 2) ** 0.5
    assert found["rank1"] == pytest.approx(mean)
    assert found["mAP"] == pytest.approx(mean / 2)
    assert found["std"]["rank20"] == pytest.approx(deviation)
    assert found["std"]["mINP"] == pytest.approx(deviation / 4)
    assert (found["trials"], found["gallery"], found["valid_queries"]) == (3, 3, 0)
    assert (found["direction"], found["gallery_kind"]) == ("i2v", "official")
    each = drawn.trial_records()
    assert [r["trial"] for r in each] == [1, 2, 3]  # official rows count from 1
    assert [r["mAP"] for r in each] == pytest.approx([v / 2 for v in values])
    assert json.loads(json.dumps(each, allow_nan=False)) == each
    line = result_line(found)
    assert "3 trials, official galleries" in line and "R1 35.00±31.22" in line


def test_a_trial_without_a_valid_query_leaves_no_mean():
    trials = [
        RankMetrics(torch.ones(20), 1.0, 1.0, 2),
        RankMetrics(torch.full((20,), torch.nan), float("nan"), float("nan"), 0),
    ]
    found = result(*trials, gallery=(1, 1), kind="seeded").record()
    assert found["mAP"] is None and found["std"]["mAP"] is None and found["valid_queries"] == 0


@pytest.mark.parametrize("with_spread", [True, False])
def test_many_protocols_stay_within_a_hundred_columns(with_spread):
    names = [f"sysu-mm01/{m}/{s}/i2v" for m in ("all", "indoor") for s in ("single", "multi")]
    names.append("sysu-mm01/indoor/multi/released/v2i")
    records = [
        record(stage, 0, "i2v", 1.0, 3803, 3010)
        | {"protocol": name, "rule": "sysu-symmetric", "trials": 10, "gallery_kind": "seeded"}
        | ({"std": dict.fromkeys(SCORES, 0.1234)} if with_spread else {})
        for stage in ("intra_modality", "cross_modality", "mmm")
        for name in names
    ]
    lines = summary_table(records).splitlines()
    assert max(map(len, lines)) <= 100
    text = "\n".join(lines)
    assert all(short_name(name) in text for name in names)
    assert text.count("stage one, intra-modality") == (5 if with_spread else 3)
    assert text.count("mean mAP") == 1
    assert ("100.00±12.34" in text) == with_spread
    assert " ".join(text.split()).count("10 trials, seeded galleries") == 5


def test_short_names():
    assert short_name("hitsz-vcm/v2i") == "V2I"
    assert short_name("regdb/trial-3/t2v") == short_name("regdb/trial-*/t2v") == "T2V"
    assert short_name("sysu-mm01/all/single/i2v") == "all/single/i2v"
