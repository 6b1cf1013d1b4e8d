"""Which parameters of AGW move at which rate in stage two."""

from pathlib import Path

import pytest
from training_vectors import each_vector, facts
from vireid.commands.command_line import parse
from vireid.commands.mmm import MMMSettings
from vireid.engine.training import make_optimiser
from vireid.models import AGW
from vireid.models.published_agw import published_name

CONFIGS = Path(__file__).parents[2] / "configs"


@each_vector("schedule_mmm*.json")
@pytest.mark.parametrize("name", ["sysu-mm01", "regdb"])
def test_each_parameter_has_the_rate_of_its_published_group(vector, name):
    published = facts(vector)[f"main {name}"]
    recipe = CONFIGS / f"mmm_{name.replace('-', '_')}_released.yaml"
    flags = ["--config", str(recipe), "--data-dir", "data", "--output", "run", "--baseline", "run"]
    settings = parse(MMMSettings, flags, program="vireid", description="")
    model = AGW(9)
    optimiser = make_optimiser(model, settings, settings.lr)
    names = {id(parameter): published_name(n) for n, parameter in model.named_parameters()}
    group_of = {
        names[id(parameter)]: group
        for group in optimiser.param_groups
        for parameter in group["params"]
    }
    base = max(max(group["lr_by_epoch"]) for group in published["groups"])
    assert settings.lr == pytest.approx(base)
    frozen = {key for group in published["groups"] for key in group["frozen"]}
    assert set(names.values()) - set(group_of) == frozen & set(names.values())
    for key, group in group_of.items():
        (theirs,) = (g for g in published["groups"] if key.split(".")[0] in g["members"])
        assert group["factor"] == pytest.approx(max(theirs["lr_by_epoch"]) / base), key
        for option in ("momentum", "dampening", "weight_decay", "nesterov"):
            assert group[option] == theirs[option], (key, option)
