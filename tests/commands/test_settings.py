"""Flags, YAML files and their mixture."""

import dataclasses
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from vireid.baselines.settings import BaselineSettings
from vireid.cli import COMMANDS, main
from vireid.commands.command_line import normalise_flags, parse
from vireid.commands.mmm import MMMSettings
from vireid.distributed import processes
from vireid.options import option, to_yaml

REQUIRED = ["--dataset", "hitsz-vcm", "--data-dir", "data", "--output", "out"]

UPSTREAM = [
    *("dataset", "data-dir", "dataset-dir", "img-h", "img-w", "p-num", "k-num", "batch-size"),
    *("workers", "lr", "wd", "fp16", "resume", "seed", "desc"),
    *("log-interval", "test-interval", "save-interval"),
]


@dataclass(frozen=True, kw_only=True)
class Small:
    """Settings of a test."""

    data_dir: Path = option("a folder")
    rate: float = option("a number", 0.5)
    kind: Literal["a", "b"] = option("a choice", "a")
    loud: bool = option("a switch", False)
    marks: tuple[int, ...] = option("numbers", (1,))
    resume: str | None = option("with or without a value", None, bare="output")


def small(*arguments: str) -> Small:
    return parse(Small, arguments, program="vireid test", description="a test")


def test_flags_with_dashes_and_underscores_are_the_same():
    assert small("--data-dir", "x") == small("--data_dir", "x") == small("--data_dir=x")


def test_file_and_flags_mix_in_the_order_given(tmp_path):
    file = tmp_path / "größe one.yaml"
    file.write_text(
        "rate: 0.25\nloud: true\nmarks: [2, 3]\ndata_dir: from file\n", encoding="utf-8"
    )
    read = small("--config", str(file), "--rate", "0.75")
    assert read == Small(data_dir=Path("from file"), rate=0.75, loud=True, marks=(2, 3))
    assert small("--config", str(file), "--no-loud").loud is False


@pytest.mark.parametrize(
    ("typed", "marks"), [("7", (7,)), ("4,5", (4, 5)), ("4, -5", (4, -5)), ("[4,5]", (4, 5))]
)
def test_numbers_are_listed_by_commas(typed, marks):
    assert small("--data-dir", "3", "--marks", typed).marks == marks
    assert small(f"--marks={typed}", "--data-dir=3").marks == marks
    assert small("--data-dir", "3").data_dir == Path("3")  # a folder may be called a number


def test_what_is_written_is_read_back(tmp_path):
    before = Small(data_dir=tmp_path / "a b", rate=1e-4, loud=True, marks=(4, 5), resume="x")
    file = tmp_path / "config.yaml"
    file.write_text(to_yaml(before), encoding="utf-8")
    assert small("--config", str(file)) == before


def test_a_bare_flag_takes_its_stand_in():
    assert small("--data-dir", "x", "--resume").resume == "output"
    assert small("--data-dir", "x", "--resume", "file.pt").resume == "file.pt"
    assert small("--data-dir", "x").resume is None


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--data-dir"),
        (["--data-dir", "x", "--rate", "fast"], "rate"),
        (["--data-dir", "x", "--kind", "c"], "kind"),
        (["--data-dir", "x", "--unknown", "1"], "unknown"),
    ],
)
def test_bad_settings_are_named(arguments, named, capsys):
    with pytest.raises(SystemExit) as stop:
        small(*arguments)
    assert stop.value.code == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--config", "--conf", "--c"])
@pytest.mark.parametrize("joined", [False, True])
def test_a_settings_file_is_looked_at_before_it_is_read(tmp_path, capsys, flag, joined):
    file = tmp_path / "deep.yaml"
    file.write_text("rate: " + "[" * 50_000, encoding="utf-8")
    words = [f"{flag}={file}"] if joined else [flag, str(file)]
    with pytest.raises(SystemExit) as stop:
        small("--data-dir", "x", *words)
    assert stop.value.code == 2
    assert "nested too deep" in capsys.readouterr().err


def test_a_word_of_any_length_gives_a_short_complaint(capsys):
    with pytest.raises(SystemExit):
        small("--data-dir", "x", "--rate", "y" * 100_000)
    said = capsys.readouterr().err
    assert "--rate" in said
    assert len(said) < 2000


@pytest.mark.parametrize("name", ["p_num", "network", "lr", "flip"])
def test_a_setting_without_a_value_is_refused(tmp_path, capsys, name):
    file = tmp_path / "recipe.yaml"
    file.write_text(f"{name}: null\n", encoding="utf-8")
    words = ["--dataset", "x", "--data-dir", "x", "--output", "o", "--config", str(file)]
    with pytest.raises(SystemExit) as stop:
        parse(BaselineSettings, words, program="test", description="")
    assert stop.value.code == 2
    assert f"--{name.replace('_', '-')}" in capsys.readouterr().err


def test_unknown_key_in_a_file_is_refused(tmp_path, capsys):
    file = tmp_path / "config.yaml"
    file.write_text("ratee: 1\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        small("--data-dir", "x", "--config", str(file))
    assert "ratee" in capsys.readouterr().err


@pytest.mark.parametrize("name", UPSTREAM)
@pytest.mark.parametrize("command", ["baseline", "mmm"])
def test_flags_of_the_upstream_projects_exist(command, name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    flag = normalise_flags([f"--{name}"])[0].partition("=")[0]
    assert f"{flag} " in capsys.readouterr().out.replace("\n", " ").replace("]", " ")


@pytest.mark.parametrize("config", [BaselineSettings, MMMSettings])
def test_every_setting_has_help(config):
    assert all(len(field.metadata["help"]) > 3 for field in dataclasses.fields(config))


def test_print_config_prints_what_config_reads(capsys, tmp_path):
    for spelling in ("--print_config", "--print-config"):
        with pytest.raises(SystemExit) as stop:
            main(["baseline", *REQUIRED, "--lr", "0.125", spelling])
        assert stop.value.code == 0
        file = tmp_path / "printed.yaml"
        file.write_text(capsys.readouterr().out, encoding="utf-8")
        read = parse(BaselineSettings, ["--config", str(file)], program="p", description="d")
        assert read.lr == 0.125


def test_stage_two_asks_for_its_predecessor(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["mmm", *REQUIRED])
    assert stop.value.code == 2
    assert "--baseline" in capsys.readouterr().err


def test_unknown_command_lists_the_known(capsys):
    assert main(["trian"]) == 2
    error = capsys.readouterr().err
    assert "trian" in error
    assert all(name in error for name in COMMANDS)


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device")
@pytest.mark.parametrize("words", [["--help"], ["--version"], []])
def test_help_that_nobody_can_take_ends_in_a_sentence(words):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "vireid", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("said", ["", "x", "-1", "2.5", "٣"])
def test_what_no_launcher_says_is_one_process(monkeypatch, said):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, said)
    assert (processes.rank(), processes.count(), processes.count_here()) == (0, 1, 1)
