"""Variants of stage two, trained over seeds and tabulated."""

import json
import shutil
from pathlib import Path
from statistics import stdev

import pytest
import yaml
from tiny_settings import SHORTEST, SHORTEST_STAGE_ONE
from vireid.ablation import execute as execution
from vireid.ablation.measures import Spread, spread
from vireid.ablation.rows import SETS, choose_rows, predefined_rows
from vireid.ablation.run import run_ablation
from vireid.ablation.settings import AblateSettings
from vireid.ablation.variants import LAST_FILE, Job, continued, from_labels, plan
from vireid.baselines.settings import BaselineSettings
from vireid.cli import main
from vireid.commands.mmm import MMMSettings
from vireid.errors import UserError

STAGE_TWO = {**SHORTEST, "epochs": 2, "steps": 3, "alignment_weight": 0.0}


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    paths = {}
    for name, values in (("baseline_config", SHORTEST_STAGE_ONE), ("mmm_config", STAGE_TWO)):
        paths[name] = tmp_path / f"{name}.yaml"
        paths[name].write_text(yaml.safe_dump(values), encoding="utf-8")
    return paths


@pytest.fixture
def settings(files, tiny_set, tmp_path):
    def make(**changes) -> AblateSettings:
        values = {
            "dataset": "hitsz-vcm",
            "data_dir": str(tiny_set),
            "output": tmp_path / "out",
            "seeds": "0",
            **files,
            **changes,
        }
        return AblateSettings(**values)

    return make


@pytest.fixture
def in_process(monkeypatch):
    """Jobs run in this process, which saves the start of an interpreter; gives their labels."""
    ran = []

    def train(job, threads, stop):
        ran.append(job.label)
        arguments = [job.command, "--config", str(job.folder.with_name("settings.yaml"))]
        job.folder.parent.mkdir(parents=True, exist_ok=True)
        job.folder.with_name("settings.yaml").write_text(job.settings, encoding="utf-8")
        code = main(arguments + ["--resume"] * job.started)
        return None if code == 0 else "it failed"

    monkeypatch.setattr(execution, "_train", train)
    return ran


def recipe(**changes) -> MMMSettings:
    return MMMSettings(data_dir=Path(), dataset="x", output=Path("o"), baseline=Path(), **changes)


def test_rows_are_trained_measured_and_not_trained_again(settings, in_process, tmp_path, capsys):
    own = tmp_path / "own.yaml"
    own.write_text("mine: {mimic-weight: 0, matcher: nearest}\n", encoding="utf-8")
    config = settings(rows=f"stage-one,continued,matching,supervised,{own}")
    entries = {entry["name"]: entry for entry in run_ablation(config)}
    assert len(in_process) == 5
    steps = {
        name: (entry["runs"][0]["steps_before"], entry["runs"][0]["steps"])
        for name, entry in entries.items()
    }
    assert steps.pop("supervised") == (0, 14)
    assert steps.pop("stage-one") == (0, 8)
    assert set(steps.values()) == {(8, 6)}
    for entry in entries.values():
        assert 0 < entry["mean"]["mAP"] <= 1
        assert entry["std"]["mAP"] is None  # of one seed
    assert 0 <= entries["mine"]["mean"]["precision"] <= 1
    assert "precision" not in entries["continued"]["mean"]
    gain = entries["matching"]["mean"]["mAP"] - entries["continued"]["mean"]["mAP"]
    assert entries["matching"]["mean"]["gain"] == pytest.approx(gain)

    text = (config.output / "ablation.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    written = json.loads((config.output / "ablation.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in written["rows"]] == list(entries)

    assert list(run_ablation(config)) == list(entries.values())
    assert len(in_process) == 5  # nothing new
    folder = Path(entries["matching"]["runs"][0]["folder"])
    (folder / LAST_FILE["mmm"]).unlink()  # as a kill would have left it
    again = {entry["name"]: entry for entry in run_ablation(config)}
    assert in_process[5:] == ["seed 0: + matching"]
    assert again["matching"]["mean"]["mAP"] == entries["matching"]["mean"]["mAP"]


def test_a_failed_row_is_a_row_with_its_message(settings, in_process, files):
    values = {**STAGE_TWO, "variant": "released", "steps": None}
    files["mmm_config"].write_text(yaml.safe_dump(values), encoding="utf-8")
    config = settings(rows="continued,stage-one")
    failed, good = run_ablation(config)
    assert "give `steps`" in failed["runs"][0]["problem"]
    assert "mAP" in good["mean"]
    text = (config.output / "ablation.md").read_text(encoding="utf-8")
    assert "0/1" in text
    assert "- control: stage one trained on, seed 0: stage two's steps depend" in text


def test_where_stage_one_fails_its_rows_fail_and_the_command_says_so(settings, monkeypatch):
    monkeypatch.setattr(execution, "_train", lambda *_: "all is noise")
    with pytest.raises(UserError, match=r"no run of .* succeeded"):
        run_ablation(settings(rows="stage-one,matching"))
    text = (settings().output / "ablation.md").read_text(encoding="utf-8")
    assert "stage one alone, seed 0: all is noise" in text
    assert "+ matching, seed 0: stage one failed" in text


def test_a_process_of_its_own_that_fails_gives_its_last_words(settings, tiny_set, tmp_path):
    import threading

    broken = Path(shutil.copytree(tiny_set, tmp_path / "data"))
    (broken / "info" / "train_name.txt").unlink()
    job = plan(settings(data_dir=str(broken), rows="stage-one"))[0].job
    said = execution._train(job, 1, threading.Event())
    assert said is not None
    assert "train_name.txt" in said
    assert "Traceback" not in said


def test_no_more_than_the_asked_number_runs_at_once_and_stage_one_comes_first(
    settings, monkeypatch
):
    import threading

    lock, running, most, order = threading.Lock(), set(), [0], []

    def train(job, threads, stop):
        with lock:
            running.add(job.label)
            order.append(job)
            most[0] = max(most[0], len(running))
        stop.wait(0.02)
        with lock:
            running.discard(job.label)

    monkeypatch.setattr(execution, "_train", train)
    jobs = [cell.job for cell in plan(settings(rows="memories", seeds="0,1"))]
    failed = execution.execute(jobs, 3, 1, lambda *_: None)
    assert not failed
    assert most[0] <= 3
    assert len(order) == len(set(order)) == 2 + 2 * 6
    assert all(job.before is None or order.index(job.before) < order.index(job) for job in order)


def test_rows_of_equal_settings_share_a_run_whichever_are_asked_for(settings):
    asked = {cell.row.name: cell.job.folder.name for cell in plan(settings(rows="all"))}
    # The recipe has the mimic loss alone, one-to-one matches and four memories.
    assert asked["one-to-one"] == asked["memories-4"] == asked["recipe"] == "mimic"
    assert len(set(asked.values())) == len(asked) - 3
    alone = plan(settings(rows="one-to-one"))
    assert alone[0].job.folder.name == "mimic"


def test_placeholders_are_filled(settings, tmp_path):
    for value in ("0", "0.5"):
        for seed in (0, 3):
            (tmp_path / f"data-{value}-{seed}").mkdir()
    config = settings(
        data_dir=str(tmp_path / "data-{unshared}-{seed}"),
        over="unshared=0,0.5",
        seeds=(0, 3),
        rows="matchers",
    )
    cells = plan(config)
    assert len(cells) == 2 * 2 * len(SETS["matchers"])
    for cell in cells:
        found = yaml.safe_load(cell.job.settings)
        assert found["data_dir"] == str(tmp_path / f"data-{cell.over}-{cell.seed}")
        assert found["seed"] == cell.seed
        assert Path(found["output"]).parts[-3:-1] == (f"unshared-{cell.over}", f"seed-{cell.seed}")
        assert found["baseline"] == str(cell.job.before.folder)


@pytest.mark.parametrize(("epochs", "steps"), [(12, 25), (2, 3), (7, 13), (1, 1), (80, None)])
@pytest.mark.parametrize("across", [0, 2])
def test_the_control_takes_as_many_steps_as_stage_two(epochs, steps, across):
    one = BaselineSettings(
        data_dir=Path(), dataset="x", output=Path("o"), steps=25, cross_epochs=across
    )
    changes = continued(one, recipe(epochs=epochs, steps=steps))
    taken = (changes["intra_epochs"] + 2 * changes["cross_epochs"]) * changes["steps"]
    wanted = epochs * (steps or 100)
    assert taken == wanted + (wanted % 2 if across else 0)
    if steps == 25:
        assert changes["steps"] == 25  # as stage one had them
    assert changes["pretrain_epochs"] == 0


def test_supervised_takes_the_steps_of_both_stages():
    one = BaselineSettings(data_dir=Path(), dataset="x", output=Path("o"), **SHORTEST_STAGE_ONE)
    changes = from_labels(one, recipe(epochs=2, steps=3))
    assert 2 * changes["steps"] == 8 + 6


@pytest.mark.parametrize(("beside", "wanted"), [(0.0, 1.0), (0.5, 0.5)])
def test_the_loss_rows_switch_the_losses_on_one_by_one(beside, wanted):
    rows = predefined_rows(
        recipe(
            mimic_weight=0.3,
            alignment_weight=0.0,
            alignment_from=15,
            epochs=10,
            union_weight=beside,
        )
    )
    weights = {
        name: tuple(row.changes[f"{loss}_weight"] for loss in ("mimic", "alignment", "union"))
        for name, row in rows.items()
        if name in SETS["steps"] and row.kind == "stage two"
    }
    assert weights == {
        "matching": (0.0, 0.0, 0.0),
        "joint-clusters": (0.0, 0.0, wanted),
        "mimic": (0.3, 0.0, 0.0),
        "alignment": (0.0, 0.05, 0.0),
        "mimic-alignment": (0.3, 0.05, 0.0),
    }
    assert rows["alignment"].changes["alignment_from"] == 2  # 15 of 80 epochs


def test_every_set_names_rows_that_exist():
    known = predefined_rows(recipe())
    assert set().union(*SETS.values()) <= set(known)
    assert choose_rows(["all"], known) == list(known.values())
    assert [row.name for row in choose_rows(["nearest", "matchers"], known)] == [*SETS["matchers"]]


def test_published_forms_start_from_the_network_of_their_seed(settings):
    for cell in plan(settings(rows="paper,released,recipe", seeds="0,1")):
        assert cell.job.before is not None
        values = yaml.safe_load(cell.job.settings)
        if cell.row.name == "recipe":
            assert values["variant"] == "vireid"
        else:
            assert values["variant"] == cell.row.name
            assert Path(values["weights"]) == cell.job.before.folder / "encoder.safetensors"
            assert f"seed-{cell.seed}" in values["weights"]


def test_the_spread_between_draws_is_that_of_their_means_and_the_one_within_is_pooled():
    assert spread({3: [0.5]}) == Spread(0.5, None, None)
    one_run_each = spread({0: [0.2], 1: [0.4]})
    assert one_run_each.within is None
    assert (one_run_each.mean, one_run_each.between) == pytest.approx((0.3, 0.02**0.5))
    several = spread({0: [0.1, 0.3], 1: [0.6, 0.7, 0.8], 2: [0.4]})
    means = [0.2, 0.7, 0.4]
    assert several.mean == pytest.approx(sum(means) / 3)
    assert several.between == pytest.approx(stdev(means))
    # Three degrees of freedom: one of the first draw, two of the second, none of the third.
    assert several.within == pytest.approx(((0.01 + 0.01 + 0.01 + 0.01) / 3) ** 0.5)


def test_runs_repeat_with_another_rounding_and_nothing_else(settings):
    cells = plan(settings(rows="stage-one,continued,matching", seeds="0,1", repeat=3))
    assert len(cells) == 3 * 2 * 3
    for cell in cells:
        found = yaml.safe_load(cell.job.settings)
        assert found["rounding"] == cell.repeat
        assert found["seed"] == cell.seed
        place = f"seed-{cell.seed}-repeat-{cell.repeat}" if cell.repeat else f"seed-{cell.seed}"
        assert cell.job.folder.parent.name == place
        if cell.job.before:
            assert cell.job.before.folder.parent.name == place
    first = [cell.job for cell in cells if cell.repeat == 0]
    assert first == [
        c.job for c in plan(settings(rows="stage-one,continued,matching", seeds="0,1"))
    ]


def test_the_table_shows_both_spreads(settings, in_process):
    (entry,) = run_ablation(settings(rows="stage-one", repeat=2))
    assert [run["repeat"] for run in entry["runs"]] == [0, 1]
    one, other = (run["mAP"] for run in entry["runs"])
    files = [Path(run["folder"]) / "encoder.safetensors" for run in entry["runs"]]
    assert files[0].read_bytes() != files[1].read_bytes()  # another rounding was taken
    assert entry["mean"]["mAP"] == pytest.approx((one + other) / 2)
    assert entry["std"]["mAP"] is None
    assert entry["within"]["mAP"] == pytest.approx(abs(one - other) / 2**0.5)
    text = (settings().output / "ablation.md").read_text(encoding="utf-8")
    assert "| 1 x 2 |" in text
    assert f"{100 * entry['mean']['mAP']:.1f} ({100 * entry['within']['mAP']:.1f})" in text


def test_a_row_may_have_a_stage_one_of_its_own(settings, tmp_path):
    own = tmp_path / "own.yaml"
    rows = {
        "longer": {"stage-one": {"pretrain-epochs": 2}, "matcher": "nearest"},
        "longer alone": {"kind": "stage one", "stage-one": {"pretrain_epochs": 2}},
        "longer control": {"kind": "continued", "stage-one": {"pretrain_epochs": 2}},
    }
    own.write_text(yaml.safe_dump(rows), encoding="utf-8")
    jobs = {cell.row.name: cell.job for cell in plan(settings(rows=f"nearest,{own}"))}
    assert jobs["longer"].before == jobs["longer control"].before == jobs["longer alone"]
    assert yaml.safe_load(jobs["longer alone"].settings)["pretrain_epochs"] == 2
    assert jobs["nearest"].before.folder.name == "stage-one"
    assert jobs["longer alone"].folder.name == "longer-stage-one"
    found = yaml.safe_load(jobs["longer control"].settings)
    assert found["weights"] == str(jobs["longer alone"].folder / "encoder.safetensors")
    # Equal but for where they start, so not one run.
    assert len({job.folder for job in jobs.values()}) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{a: {lr: x}}", "--lr"),
        ("{a: {nonsense: 1}}", "unknown settings: nonsense"),
        ("{a: 3}", "expected settings of `vireid mmm` below the name"),
        ("[1]", "expected rows like"),
        ("{a: [", "is no YAML"),
        ("{matching: {lr: 0.1}}", "the name 'matching' is taken"),
        ("{a/b: {lr: 0.1}}", "without slashes"),
        ("{a: {stage-one: 3}}", "expected settings of `vireid baseline`"),
        ("{a: {stage-one: {nonsense: 1}}}", "a: stage-one: unknown settings: nonsense"),
        ("{a: {kind: nonsense}}", "kind is stage one, continued, stage two, supervised"),
        ("{a: {kind: continued, lr: 0.1}}", "put lr below stage-one"),
    ],
)
def test_bad_rows_stop_before_anything_is_trained(settings, tmp_path, content, message):
    own = tmp_path / "own.yaml"
    own.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        plan(settings(rows=str(own)))


def test_a_mistake_in_a_settings_file_names_that_file(settings, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("nonsense: 1\n", encoding="utf-8")
    for name in ("baseline_config", "mmm_config"):
        with pytest.raises(UserError, match=r"wrong\.yaml: unknown settings: nonsense"):
            plan(settings(**{name: wrong}))


def test_an_unknown_row_is_named(settings):
    with pytest.raises(UserError, match="there is no row 'mathcing'"):
        plan(settings(rows="mathcing"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": "0,x"}, "--seeds are different numbers"),
        ({"seeds": "1,1"}, "--seeds are different numbers"),
        ({"processes": 0}, "processes lies between 1 and 512"),
        ({"rows": " , "}, "--rows names at least one row"),
        ({"over": "unshared"}, "--over looks like"),
        ({"over": "unshared=0,1"}, "--data-dir has no {unshared}"),
    ],
)
def test_bad_settings_are_named(settings, changes, message):
    with pytest.raises(ValueError, match=message):
        settings(**changes)


def test_a_missing_data_folder_is_named_with_its_seed(settings, tmp_path):
    with pytest.raises(UserError, match=r"data-7 \(seed 7\) is not there"):
        plan(settings(data_dir=str(tmp_path / "data-{seed}"), seeds="7"))


def test_a_run_of_other_settings_is_not_taken_for_this_row(settings):
    config = settings(rows="stage-one")
    job = plan(config)[0].job
    job.folder.mkdir(parents=True)
    (job.folder / LAST_FILE["baseline"]).touch()
    (job.folder / "config.yaml").write_text(job.settings.replace("steps: 2", "steps: 9"))
    with pytest.raises(UserError, match="was started with other settings"):
        plan(config)


def test_flags_reach_the_settings(files, tiny_set, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("vireid.ablation.run.run_ablation", seen.append)
    arguments = ["--dataset", "hitsz-vcm", "--data-dir", str(tiny_set), "--seeds", "0,2"]
    arguments += ["--baseline-config", str(files["baseline_config"]), "--rows", "steps,matchers"]
    arguments += ["--mmm-config", str(files["mmm_config"]), "--output", str(tmp_path / "out")]
    assert main(["ablate", *arguments]) == 0
    assert seen[0].seed_list == (0, 2)
    assert seen[0].row_names == ("steps", "matchers")
    one = tmp_path / "one.yaml"
    one.write_text("seeds: [5]\nrows: [recipe]\n", encoding="utf-8")
    assert main(["ablate", *arguments, "--config", str(one)]) == 0
    assert (seen[1].seed_list, seen[1].row_names) == ((5,), ("recipe",))


def test_jobs_are_known_by_what_they_are(tmp_path):
    job = Job("a", "mmm", tmp_path, "x: 1")
    assert not job.finished
    assert job == Job("a", "mmm", tmp_path, "x: 1")


def test_every_remedy_changes_both_stages_and_published_numbers_stay():
    rows = predefined_rows(recipe(k1=30, k2=6))
    for row in choose_rows(["remedies"], rows)[3:]:
        both = row.kind == "stage two"
        assert row.stage_one
        assert row.changes == (row.stage_one if both else {})
        BaselineSettings(data_dir=Path(), dataset="x", output=Path("o"), **row.stage_one)
    aware = rows["camera-neighbours"].changes
    defaults = BaselineSettings(data_dir=Path(), dataset="x", output=Path("o"))
    assert all(aware[name] == getattr(defaults, name) for name in aware if "_k" in name)
    small = predefined_rows(recipe(k1=10, k2=3))["camera-neighbours"].changes
    assert (small["own_camera_k1"], small["other_cameras_k1"]) == (2, 7)
