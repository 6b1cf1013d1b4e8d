"""Facts of a network's file that no training writes are refused by name."""

import pytest
from vireid.engine.model_facts import check_facts

FACTS = {
    **{"network": "AGW", "backbone": "thin-8", "stage": "baseline", "flip": True},
    **{"num_identities": 0, "num_frames": 1, "test_frames": 1, "img_h": 64, "img_w": 32, "step": 9},
    **{"test_resize": "lanczos", "trial": 3, "seed": 0},
}


def test_what_a_training_writes_is_taken():
    assert check_facts(FACTS) == FACTS
    assert check_facts({n: v for n, v in FACTS.items() if n != "test_resize"})


@pytest.mark.parametrize(
    "damage",
    [
        *({"test_resize": value} for value in (1, None, "nearest", ["lanczos"])),
        *({"num_frames": value} for value in (0, -1, True, 1.0, "1", 10**6, None)),
        *({"flip": 1}, {"stage": 3}, {"trial": 0}, {"img_h": 10**9}),
    ],
)
def test_what_none_writes_is_named(damage):
    (name,) = damage
    with pytest.raises(ValueError, match=name):
        check_facts({**FACTS, **damage})


@pytest.mark.parametrize("name", ["network", "img_h", "flip", "step"])
def test_what_is_missing_is_named(name):
    with pytest.raises(ValueError, match=f"no {name}"):
        check_facts({n: v for n, v in FACTS.items() if n != name})
