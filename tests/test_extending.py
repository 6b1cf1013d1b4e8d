"""The examples of docs/extending.md run as they stand there, with the commands beneath them."""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from run_records import records
from vireid.cli import main
from vireid.commands.mmm import MMMSettings
from vireid.datasets import DatasetSpec, ProtocolRecipe, Scan, load_dataset, register_dataset
from vireid.datasets.errors import DatasetError
from vireid.datasets.layouts import recognise_layout
from vireid.datasets.registry import DATASETS
from vireid.losses.registry import LOSSES, extra_losses, parse_losses, register_loss
from vireid.mmm.matchers import MATCHERS, register_matcher
from vireid.mmm.matching import match
from vireid.models import AGW
from vireid.models.network import NETWORKS, network_named, register_network

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
SMALL = "--img-h 32 --img-w 16 --test-frames 2 --workers 0 --device cpu --precision fp32"
TRAINING = (
    "--backbone thin-8 --num-frames 2 --augmentation recolour --p-num 2 --k-num 4 --steps 2 "
    "--k1 6 --k2 3 --min-samples 2 --eps 0.5 --on-collapse relax"
)
EXTRA = {
    "verify": "",
    "evaluate": "--workers 0 --device cpu --precision fp32",
    "mmm": f"{SMALL} {TRAINING} --epochs 1",
    "baseline": f"{SMALL} {TRAINING} --weights none --pretrain-epochs 1 --pretrain-steps 2 "
    "--pretrain-tracks 4 --intra-epochs 1 --cross-epochs 1 --joint-k1 8 --joint-k2 4",
}


@pytest.fixture(autouse=True)
def _registries():
    """What a test registers is forgotten after it."""
    tables = [(table, dict(table)) for table in (DATASETS, NETWORKS, LOSSES, MATCHERS)]
    yield
    for table, before in tables:
        table.clear()
        table.update(before)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Runs a program of the page as `python NAME ARGUMENTS`; without any it only registers."""

    def run(name, arguments=None):
        file = tmp_path / name
        file.write_text(PROGRAMS[name], encoding="utf-8")
        if arguments is None:
            return runpy.run_path(str(file), run_name=file.stem)
        monkeypatch.setattr(sys, "argv", [str(file), *arguments])
        registered = [(table, dict(table)) for table in (DATASETS, NETWORKS, LOSSES, MATCHERS)]
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(file), run_name="__main__")
        for table, before in registered:  # the next command is another process
            table.clear()
            table.update(before)
        return end.value.code

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vireid.engine.program._file", None)
    return run


def run_commands(program, name, data, baseline="", more=()):
    """Runs the page's commands of one program with the settings of a tiny run."""
    places = {"DIR": str(data), "RUN": str(baseline)}
    found = [words[2:] for words in COMMANDS if words[1] == name]
    assert found
    for words in found:
        words = [places.get(word, word) for word in words]
        extra = EXTRA[words[0]].split()
        if "--supervised" in words:
            extra += ["--weights", "none"]
        assert program(name, [*words, *extra, *more]) == 0, words


def test_every_command_of_the_page_starts_a_program_of_the_page():
    assert len(PROGRAMS) == 4
    assert {words[1] for words in COMMANDS} == set(PROGRAMS)
    assert all(words[0] == "python" for words in COMMANDS)


@pytest.fixture(scope="module")
def shop(tiny_set, tmp_path_factory):
    """The tiny set, two frames a track, in the layout of the page's reader."""
    root = tmp_path_factory.mktemp("shop")
    data = load_dataset("hitsz-vcm", tiny_set)
    lines = []
    for split in ("train", "query", "gallery"):
        for number, track in enumerate(getattr(data, split)):
            folder = root / split / str(number)
            folder.mkdir(parents=True)
            for frame in track.frames[:2]:
                shutil.copy(frame, folder)
            where = folder.relative_to(root).as_posix()
            name = track.modality.name.lower()
            lines.append(f"{split},{name},{track.camera},{track.identity},{where}\n")
    (root / "tracks.csv").write_text("".join(lines), encoding="utf-8")
    return root


def test_a_data_set_is_read_verified_trained_and_evaluated(program, shop, tiny_set):
    run_commands(program, "shop.py", shop)
    found = records("runs/shop", "evaluation")
    assert {record["protocol"] for record in found} == {"shop/v2i", "shop/i2v"}
    config = Path("runs/shop/config.yaml").read_text(encoding="utf-8")
    assert "network: agw" in config and "num_frames: 1\n" in config
    (single,) = records("runs/single", "evaluation")
    assert (single["protocol"], single["trials"]) == ("shop/single/i2v", 3)
    assert recognise_layout(shop) == "folder"  # it has a `train`
    program("shop.py")
    assert recognise_layout(shop) == "shop"
    ours, original = load_dataset("shop", shop), load_dataset("hitsz-vcm", tiny_set)
    for split in ("train", "query", "gallery"):
        for one, two in zip(getattr(ours, split), getattr(original, split), strict=True):
            assert (one.modality, one.camera, one.identity) == (
                two.modality,
                two.camera,
                two.identity,
            )
            assert len(one.frames) == 2


def test_a_damaged_copy_is_refused_with_its_line(program, shop, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(shop, copy)
    shutil.rmtree(copy / "train" / "3")
    with (copy / "tracks.csv").open("a", encoding="utf-8") as file:
        file.write("train,green,1,2,nowhere\n")
    assert program("shop.py", ["verify", "--dataset", "shop", "--data-dir", str(copy)]) == 2
    said = capsys.readouterr().out
    assert "tracks.csv:4" in said
    assert "'train,green,1,2,nowhere'" in said


def test_a_network_is_trained_stored_and_read_again(program, tiny_set):
    run_commands(program, "meannet.py", tiny_set)
    run = Path("runs/mean")
    assert "network: meannet" in (run / "config.yaml").read_text(encoding="utf-8")
    program("meannet.py")
    from vireid.engine.checkpoint import load_model

    model, meta = load_model(run / "model.safetensors")
    assert (meta["network"], type(model).__name__, model.num_identities) == ("MeanNet",) * 2 + (6,)
    clips = torch.randn(2, 3, 3, 32, 16, generator=torch.Generator().manual_seed(0))
    assert type(model) is network_named("meannet")
    unit = model.eval().embed(clips)
    assert torch.allclose(unit.norm(dim=1), torch.ones(2))


def test_a_loss_trains_with_its_weight(program, tiny_set):
    run_commands(program, "hetero_centre.py", tiny_set)
    found = records("runs/centre", "train")
    assert all(0 < record["losses"]["hetero-centre"] <= 0.5 * 4 for record in found)
    program("hetero_centre.py")
    rows = torch.tensor([[1.0, 0], [0, 2.0], [3.0, 0], [0, 1.0]], requires_grad=True)
    labels, sides = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 0])
    terms = extra_losses("hetero-centre=0.5", rows, labels, sides)
    assert terms["hetero-centre"].item() == pytest.approx(0.5 * 2)  # label 1 has one modality
    alone = extra_losses("hetero-centre=1", rows, labels, torch.zeros(4, dtype=torch.long))
    alone["hetero-centre"].backward()
    assert torch.equal(rows.grad, torch.zeros_like(rows))


def test_a_matcher_matches_and_trains(program, tiny_set, tmp_path):
    flags = f"--dataset hitsz-vcm {EXTRA['baseline']}".split()
    places = ["--data-dir", str(tiny_set), "--output", str(tmp_path / "baseline")]
    assert main(["baseline", *flags, *places]) == 0
    more = ["--extra-loss", "weighted-triplet=0.5"]  # which also belongs to this stage
    run_commands(program, "mutual.py", tiny_set, tmp_path / "baseline", more)
    assert records("runs/mutual", "matching")
    assert all("weighted-triplet" in r["losses"] for r in records("runs/mutual", "train"))
    program("mutual.py")
    cost = torch.tensor([[1.0, 5], [2, 3], [4, 0]])
    assert match(cost, "mutual").tolist() == [0, -1, 1]
    assert match(cost[:, :0], "mutual").tolist() == [-1, -1, -1]


def test_an_ablation_trains_with_the_parts_of_its_program(program, tiny_set, tmp_path):
    for command in ("baseline", "mmm"):
        words = [*EXTRA[command].split(), "--steps", "2"]
        values = {name[2:]: yaml.safe_load(value) for name, value in zip(words[::2], words[1::2])}
        (tmp_path / f"{command}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    (tmp_path / "own.yaml").write_text("mine: {matcher: mutual}\n", encoding="utf-8")
    flags = (
        "--dataset hitsz-vcm --output out --seeds 0 --rows own.yaml --threads 1 "
        "--baseline-config baseline.yaml --mmm-config mmm.yaml"
    )
    assert program("mutual.py", ["ablate", "--data-dir", str(tiny_set), *flags.split()]) == 0
    folder = Path("out/seed-0/mine")
    assert "matcher: mutual" in (folder / "config.yaml").read_text(encoding="utf-8")
    assert records(folder, "matching")


def register(**about):
    register_dataset(DatasetSpec(scan=lambda root, problems: Scan(), **about))


def test_the_help_of_a_program_names_its_data_set(tmp_path):
    (tmp_path / "shop.py").write_text(PROGRAMS["shop.py"], encoding="utf-8")
    for command in ("verify", "evaluate", "mmm"):
        words = [sys.executable, str(tmp_path / "shop.py"), command, "--help"]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert "sysu-mm01, shop" in " ".join(said.split()), command


def test_a_taken_or_unreadable_name_is_refused():
    refused = (
        (lambda: register(name="HITSZ"), "lower-case"),
        (lambda: register(name="hitszvcm"), "already"),
        (lambda: register(name="sysu"), "already"),
        (lambda: register(name="shop", aliases=("RegDB",)), "already"),
        (lambda: register(name="shop", protocols=(ProtocolRecipe("all"),)), "ends in one of v2i"),
        (lambda: register(name="shop", protocols=(ProtocolRecipe("v2i", "some"),)), "rule 'some'"),
        (lambda: register_network("agw")(AGW), "already"),
        (lambda: register_network("agw2")(AGW), "'AGW' already"),
        (lambda: register_network("auto")(AGW), "already"),
        (lambda: register_loss("weighted-triplet"), "already"),
        (lambda: register_loss("a,b"), "lower-case"),
        (lambda: register_loss("contrast"), "a term of the stages"),
        (lambda: register_matcher("nearest"), "already"),
    )
    for call, message in refused:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(DatasetError, match="unknown data set 'shop'"):
        load_dataset("shop", ".")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"network": "resnet"}, "known: agw, m3reid"),
        ({"matcher": "greedy"}, "--matcher.*one-to-one"),
        ({"extra_loss": "centre=1"}, "known: weighted-triplet"),
        ({"extra_loss": "weighted-triplet"}, "weighted-triplet=WEIGHT"),
        ({"extra_loss": "weighted-triplet=inf"}, "finite"),
        ({"extra_loss": "weighted-triplet=1,weighted-triplet=2"}, "twice"),
        ({"extra_loss": "weighted-triplet=1", "variant": "released"}, "released"),
    ],
)
def test_a_setting_that_names_nothing_is_refused_at_once(setting, message, tmp_path):
    common = {"dataset": "folder", "data_dir": tmp_path, "output": tmp_path, "baseline": tmp_path}
    with pytest.raises(ValueError, match=message):
        MMMSettings(**common, **setting)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (torch.tensor([0.0, 1.0]), "int64"),
        (torch.tensor([0]), "int64"),
        (torch.tensor([0, 2]), "clusters -1 to 1"),
        ([0, 1], "found <class 'list'>"),
    ],
)
def test_a_matcher_without_an_assignment_is_refused(answer, message):
    register_matcher("wrong")(lambda cost: answer)
    with pytest.raises(ValueError, match=f"matcher 'wrong'.*{message}"):
        match(torch.zeros(2, 2), "wrong")


def test_an_extra_loss_is_a_scalar_and_several_add_up():
    register_loss("rows")(lambda embeddings, labels, modalities: embeddings.sum(1))
    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    labels, sides = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    with pytest.raises(ValueError, match="rows: expected a scalar"):
        extra_losses("rows=1", rows, labels, sides)
    register_loss("one")(lambda embeddings, labels, modalities: embeddings.new_ones(()))
    terms = extra_losses("one=2, weighted-triplet=0", rows, labels, sides)
    assert {name: float(term) for name, term in terms.items()} == {"one": 2, "weighted-triplet": 0}
    assert parse_losses("") == {}
