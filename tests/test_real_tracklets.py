"""The two steps on real visible and thermal video, where a folder of it lies beside the repository.

It shows that real pixels pass; the set is far too small to say how well anything works.
"""

from pathlib import Path

import pytest
from vireid.cli import main
from vireid.reporting.run_record import read_run

REAL = Path(__file__).parents[2] / "shared" / "real-tracklets"
DATA = ["--dataset", "hitsz-vcm", "--data-dir", str(REAL), "--allow-incomplete", "--workers", "0"]
SMALL = [
    *("--img-h", "64", "--img-w", "32", "--num-frames", "2", "--test-frames", "2"),
    *("--cache", "memory", "--backbone", "thin-16", "--augmentation", "recolour"),
    *("--optimiser", "adamw", "--schedule", "cosine", "--p-num", "3", "--k-num", "2"),
    *("--k1", "5", "--k2", "2", "--eps", "0.5", "--min-samples", "2", "--on-collapse", "relax"),
    *("--device", "cpu", "--precision", "fp32"),
]

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real tracklets at {REAL}")


def test_both_steps_evaluation_and_report(tmp_path, capsys):
    stage_one, stage_two = tmp_path / "baseline", tmp_path / "mmm"
    first = ["--weights", "none", "--pretrain-epochs", "1", "--pretrain-steps", "3"]
    first += ["--pretrain-tracks", "6", "--intra-epochs", "1", "--cross-epochs", "1"]
    first += ["--steps", "2", "--joint-k1", "6", "--joint-k2", "3"]
    assert main(["baseline", *DATA, *SMALL, *first, "--output", str(stage_one)]) == 0
    second = ["--baseline", str(stage_one), "--epochs", "1", "--steps", "3"]
    assert main(["mmm", *DATA, *SMALL, *second, "--output", str(stage_two)]) == 0
    evaluation = tmp_path / "evaluation"
    again = ["--checkpoint", str(stage_two), "--output", str(evaluation)]
    assert main(["evaluate", *DATA, *again]) == 0
    trained, evaluated = (
        read_run(run).of_kind("evaluation")[-2:] for run in (stage_two, evaluation)
    )
    assert [r["mAP"] for r in trained] == pytest.approx([r["mAP"] for r in evaluated], abs=1e-6)
    assert all(0 < r["mAP"] <= 1 and r["valid_queries"] > 0 for r in trained)
    capsys.readouterr()
    assert main(["report", str(stage_two)]) == 0
    page = Path(capsys.readouterr().out.strip()).read_text(encoding="utf-8")
    # Ranked lists of both directions, with pictures.
    assert page.count('class="list"') >= 2
    assert page.count("data:image/") >= 20
    assert 'data-verdict="right"' in page
    assert "no frames" not in page
