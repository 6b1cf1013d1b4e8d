"""What the network of each variant starts from."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from vireid.engine.checkpoint import save_model
from vireid.engine.network import build_network
from vireid.engine.runtime import Runtime
from vireid.errors import UserError
from vireid.mmm.schedules import stage_two_schedule
from vireid.mmm.settings import StageTwoSettings
from vireid.mmm.variants import starting_network
from vireid.models import AGW


def settings_of(tmp_path, variant, **given) -> StageTwoSettings:
    given = {"dataset": "sysu-mm01", "backbone": "thin-8", "variant": variant, **given}
    return StageTwoSettings(data_dir=tmp_path, output=tmp_path / "run", **given)


def session_of(settings, said=None):
    said = [] if said is None else said
    return SimpleNamespace(options=settings, runtime=Runtime("cpu", "fp32"), say=said.append)


@pytest.fixture
def stage_one(tmp_path) -> SimpleNamespace:
    torch.manual_seed(7)
    file = tmp_path / "encoder.safetensors"
    facts = {"network": "AGW", "backbone": "thin-8", "num_identities": 0, "num_frames": 1}
    facts |= {"test_frames": 1, "img_h": 64, "img_w": 32, "flip": False}
    save_model(file, AGW(0, backbone="thin-8"), {**facts, "stage": "baseline", "step": 1})
    return SimpleNamespace(encoder=file)


def same(one, other) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_ours_goes_on_with_the_network_of_stage_one(tmp_path, stage_one):
    settings = settings_of(tmp_path, "vireid")
    torch.manual_seed(7)
    wanted = AGW(0, backbone="thin-8")
    assert same(starting_network(settings, stage_one, session_of(settings)), wanted)
    assert stage_two_schedule(settings).start == "encoder of stage one"


def test_frames_other_than_those_of_stage_one_are_told_in_one_line(tmp_path, stage_one):
    said: list[str] = []
    settings = settings_of(tmp_path, "vireid", img_h=96, img_w=32, flip=True)
    starting_network(settings, stage_one, session_of(settings, said))
    (line,) = said
    assert line.count("\n") == 0 and str(stage_one.encoder) in line
    # The file names no filter, as those of earlier versions do not.
    assert ": --img-h 64 then, 96 now; --flip False then, True now. " in line


def test_frames_as_in_stage_one_are_not_worth_a_line(tmp_path, stage_one):
    said: list[str] = []
    same_frames = settings_of(tmp_path, "vireid", img_h=64, img_w=32)
    starting_network(same_frames, stage_one, session_of(same_frames, said))
    # What starts from --weights has its frames from nobody.
    other = settings_of(tmp_path, "paper", weights="none", img_h=96)
    starting_network(other, stage_one, session_of(other, said))
    assert said == []


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_the_published_ones_start_from_the_weights_and_read_no_encoder(
    tmp_path, stage_one, variant
):
    settings = settings_of(tmp_path, variant, weights="none")
    nothing = SimpleNamespace(encoder=Path("nowhere"))
    found = starting_network(settings, nothing, session_of(settings))
    assert same(found, build_network(settings, session_of(settings)))
    of_stage_one = starting_network(
        settings_of(tmp_path, "vireid"), stage_one, session_of(settings)
    )
    assert not same(found, of_stage_one)
    # Whoever wants stage one's network names it.
    named = settings_of(tmp_path, variant, weights=str(stage_one.encoder))
    assert same(starting_network(named, nothing, session_of(named)), of_stage_one)
    assert stage_two_schedule(named).start == str(stage_one.encoder)


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_weights_that_cannot_be_had_say_what_to_do(tmp_path, variant, monkeypatch):
    import torchvision

    settings = settings_of(tmp_path, variant, backbone="resnet18")
    assert settings.weights == "imagenet"

    def offline(*arguments, **named):
        raise OSError("no route to host")

    kind = torchvision.models.get_model_weights("resnet18")
    monkeypatch.setattr(kind, "get_state_dict", offline)
    with pytest.raises(UserError, match=r"weights=FILE, or start from random .* weights=none"):
        starting_network(settings, SimpleNamespace(encoder=Path("x")), session_of(settings))
