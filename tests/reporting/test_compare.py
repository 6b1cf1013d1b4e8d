"""Two runs that part: the comparison names the place, and nothing before it."""

from __future__ import annotations

import json

import pytest
import yaml
from run_records import STARTED
from vireid.cli import main
from vireid.commands.compare import comparison_text
from vireid.reporting.compare import compare_runs
from vireid.reporting.run_record import read_run

SETTINGS = {"dataset": "hitsz-vcm", "data_dir": "/data", "eps": 0.6, "seed": 0}


def records(clusters=(30, 31, 32), mean=(0.1, 0.2, 0.3), counts="train 40"):
    yield STARTED | {"command": "baseline", "verification": f"data in X\n{counts}\ncomplete"}
    for epoch, (found, value) in enumerate(zip(clusters, mean), 1):
        yield {
            "kind": "pseudo_labels",
            "stage": "intra_modality",
            "epoch": epoch,
            "modality": "visible",
            "clusters": found,
        }
        yield {
            "kind": "train",
            "stage": "intra_modality",
            "epoch": epoch,
            "losses": {"memory": value},
            "seconds": epoch * id(value) % 7,
        }
        yield {
            "kind": "evaluation",
            "stage": "intra_modality",
            "epoch": epoch,
            "protocol": "hitsz-vcm/v2i",
            "rule": "standard",
            "query": 21,
            "gallery": 22,
            "mAP": value,
            "rank1": value,
        }


@pytest.fixture
def write(tmp_path):
    def _write(name, settings=SETTINGS, **changed):
        folder = tmp_path / name
        folder.mkdir()
        config = {**settings, "output": str(folder)}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        lines = (json.dumps(record) for record in records(**changed))
        (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
        return folder

    return _write


def compared(first, second, tolerance=0.0):
    return compare_runs(read_run(first), read_run(second), tolerance)


def test_equal_runs_are_the_same_whatever_their_times_and_folders(write):
    found = compared(write("a"), write("b"))
    assert found.same
    assert found.same_records == 9
    assert "the same" in comparison_text(found)


def test_the_first_clustering_that_differs_is_named(write):
    found = compared(write("a"), write("b", clusters=(30, 29, 32)))
    assert found.same_records == 3
    assert [one.what for one in found.parting] == [
        "intra_modality epoch 2, pseudo-labels visible: clusters"
    ]
    assert comparison_text(found).startswith(
        "the runs part at intra_modality epoch 2, pseudo-labels visible: clusters: 31 | 29"
    )
    assert found.result == []


def test_losses_are_looked_into_and_last_results_told(write):
    found = compared(write("a"), write("b", mean=(0.1, 0.2, 0.4)))
    assert found.parting[0].what == "intra_modality epoch 3, train: losses: memory"
    assert {one.what for one in found.result} == {"hitsz-vcm/v2i mAP", "hitsz-vcm/v2i rank1"}


def test_data_counts_come_before_settings_and_settings_before_records(write):
    other = {**SETTINGS, "eps": 0.5}
    a, b = write("a"), write("b", other, clusters=(1, 1, 1), counts="train 39")
    found = compared(a, b)
    assert comparison_text(found).splitlines()[0] == (
        "the runs part at run: verification: train 40 | train 39"
    )
    assert [(d.what, d.first, d.second) for d in found.settings] == [("setting eps", 0.6, 0.5)]
    settings_only = compared(write("c"), write("d", other, clusters=(1, 1, 1)))
    assert comparison_text(settings_only).startswith("the runs part at setting eps: 0.6 | 0.5")


def test_a_shorter_run_parts_where_it_ends(write):
    found = compared(write("a"), write("b", clusters=(30, 31)))
    assert found.same_records == 6
    assert found.parting[0].second == "nothing"


def test_a_tolerance_forgives_rounding_but_no_more(write):
    a, b = write("a"), write("b", mean=(0.1000001, 0.2, 0.3))
    assert not compared(a, b).same
    assert compared(a, b, tolerance=1e-5).same
    assert not compared(a, write("c", mean=(0.11, 0.2, 0.3)), tolerance=1e-5).same
    with pytest.raises(ValueError, match="tolerance"):
        compared(a, b, tolerance=-1.0)


def test_the_command_prints_it_and_refuses_anything_but_two_runs(write, capsys):
    a, b = write("a"), write("b", clusters=(30, 29, 32))
    assert main(["compare", str(a), str(b)]) == 0
    assert "31 | 29" in capsys.readouterr().out
    assert main(["compare", str(a)]) == 2
    assert "two run folders" in capsys.readouterr().err
    assert main(["compare", str(a), str(a / "none")]) == 2
    assert "no run folder" in capsys.readouterr().err
