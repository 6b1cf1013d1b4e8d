"""What the gap takes from infrared, in tables and in pictures, and what it leaves alone."""

import hashlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from vireid.datasets import Modality, load_dataset
from vireid.datasets.verify import verify_dataset
from vireid.synthetic import MARKER, SyntheticError, SyntheticOptions, render_dataset
from vireid.synthetic.camera import draw_camera
from vireid.synthetic.infrared import lost_patterns
from vireid.synthetic.person import Material
from vireid.synthetic.tracklet import Sighting, render_tracklet
from vireid.synthetic.wardrobe import draw_person

SMALL = {"workers": 1, "train_identities": 1, "test_identities": 1, "progress": False}
GAPS = (0.0, 0.33, 0.67, 1.0)
PEOPLE = 40
SIDEWAYS = 1  # place of a camera that sees people from the side


def seen(number, modality, gap):
    """Frames of a walk, and how much of each pixel is the person: (T, H, W) twice.

    A pixel is the person's as far as it stays as it is when the background does not.
    """
    camera = draw_camera(3, 2, modality, SIDEWAYS, gap)
    person = draw_person(3, number, gap)
    walk = Sighting(3, number, 2, 1 + int(modality), 4, stride=3)
    dark, bright = (
        render_tracklet(
            walk,
            person,
            replace(
                camera,
                scene=np.full_like(camera.scene, value),
                shadowed=np.full_like(camera.scene, value),
            ),
        )
        .astype(np.float64)
        .mean(axis=3)
        for value in (0, np.iinfo(camera.scene.dtype).max)
    )
    change = bright - dark
    return bright, np.clip(1 - change / np.quantile(change, 0.95), 0, 1)


def edges(frames, person):
    """Directions of edges within the person, dark to light or light to dark, in eight heights."""
    across = np.gradient(frames, axis=2)
    down = np.gradient(frames, axis=1)
    inside = person > 0.8
    for axis in (1, 2):
        inside = inside & np.roll(person > 0.8, 2, axis) & np.roll(person > 0.8, -2, axis)
    weight = np.hypot(across, down) * inside
    turn = (np.arctan2(down, across) % np.pi * 8 / np.pi).astype(int) % 8
    bands = [
        [weight[:, rows][turn[:, rows] == part].sum() for part in range(8)]
        for rows in (slice(20 + 11 * i, 31 + 11 * i) for i in range(8))
    ]
    bands = np.array(bands) + 1e-9
    return (bands / np.linalg.norm(bands, axis=1, keepdims=True)).ravel()


def outline(person):
    """Mean shape, whichever way the person walks."""
    shape = person.mean(axis=0)
    return (shape + shape[:, ::-1]).ravel()


def identified(seen_in_visible, seen_in_infrared):
    """Share of people whose nearest infrared row, each side without its mean, is their own."""
    one, two = (
        (rows - rows.mean(axis=0)) / np.linalg.norm(rows - rows.mean(axis=0), axis=1)[:, None]
        for rows in map(np.array, (seen_in_visible, seen_in_infrared))
    )
    return float(np.mean((one @ two.T).argmax(axis=1) == np.arange(len(one))))


@pytest.fixture(scope="module")
def rates():
    """Gap to the rates of identification by edges and by outline."""
    visible = [seen(number, Modality.VISIBLE, 0.0) for number in range(PEOPLE)]
    found = {}
    for gap in GAPS:
        infrared = [seen(number, Modality.INFRARED, gap) for number in range(PEOPLE)]
        found[gap] = (
            identified([edges(*pair) for pair in visible], [edges(*pair) for pair in infrared]),
            identified([outline(p) for _, p in visible], [outline(p) for _, p in infrared]),
        )
    return found


def test_patterns_identify_fewer_people_the_larger_the_gap(rates):
    by_edges = [rates[gap][0] for gap in GAPS]
    assert all(larger < smaller for smaller, larger in pairwise(by_edges)), by_edges
    assert by_edges[0] > 4 * by_edges[-1]


def test_shape_identifies_people_at_every_gap(rates):
    by_outline = [rates[gap][1] for gap in GAPS]
    assert min(by_outline) > 0.75 * by_outline[0], by_outline
    assert min(by_outline) > 8 / PEOPLE, by_outline


def test_a_larger_gap_loses_the_patterns_of_a_smaller_one_and_more():
    lost = {gap: np.array([lost_patterns(7, n, gap) for n in range(600)]) for gap in GAPS}
    for gap in GAPS:
        assert abs(lost[gap].mean() - gap) < 0.05
    for smaller, larger in pairwise(GAPS):
        assert not (lost[smaller] & ~lost[larger]).any()
    assert not lost[0.0].any()
    assert lost[1.0].all()


@pytest.mark.parametrize("gap", [0.33, 0.67])
def test_a_lost_pattern_has_one_reflectance_and_another_keeps_two(gap):
    for number in range(60):
        infrared = draw_person(7, number, gap).infrared.astype(int)
        pairs = ((Material.UPPER, Material.UPPER_SECOND), (Material.LOWER, Material.LOWER_SECOND))
        for lost, (first, second) in zip(lost_patterns(7, number, gap), pairs):
            assert (infrared[first] == infrared[second]) == lost


def test_thermal_shows_skin_then_clothes_then_luggage():
    for number in range(60):
        person = draw_person(7, number, 1.0)
        heat = person.infrared.astype(int)
        clothes = heat[[Material.UPPER, Material.LOWER]]
        assert heat[Material.SKIN] > clothes.max() > clothes.min() > heat[Material.BAG] + 40
        assert heat[Material.UPPER] == heat[Material.UPPER_SECOND]
        assert heat[Material.LOWER] == heat[Material.LOWER_SECOND]


def test_heat_says_nothing_about_colour_or_reflectance():
    people = [draw_person(7, number, 1.0) for number in range(400)]
    heat = [int(person.infrared[Material.UPPER]) for person in people]
    luma = [int(person.visible[Material.UPPER].astype(int).sum()) for person in people]
    near = [int(draw_person(7, number).infrared[Material.UPPER]) for number in range(400)]
    # 400 people: chance correlations have a standard deviation of 0.05
    assert abs(np.corrcoef(heat, luma)[0, 1]) < 0.2
    assert abs(np.corrcoef(heat, near)[0, 1]) < 0.2


def test_a_thermal_sensor_resolves_less_and_has_no_lamp():
    for number in range(6):
        near, thermal = (draw_camera(0, number, Modality.INFRARED, 0, g).sensor for g in (0.0, 1.0))
        assert thermal.height <= near.height // 2
        assert thermal.blur > near.blur
        assert (near.glow < 256, thermal.glow) == (True, 256)
        assert (near.stripes, thermal.stripes > 0) == (0, True)


def test_visible_pictures_people_and_walks_do_not_depend_on_the_gap():
    one, two = (draw_camera(2, 1, Modality.VISIBLE, 0, gap) for gap in (0.0, 1.0))
    walk = Sighting(2, 5, 1, 1, 3)
    np.testing.assert_array_equal(
        render_tracklet(walk, draw_person(2, 5), one, draw_person(2, 6)),
        render_tracklet(walk, draw_person(2, 5, 1.0), two, draw_person(2, 6, 1.0)),
    )
    assert draw_person(2, 5).upper == draw_person(2, 5, 1.0).upper


def files(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != MARKER
    }


@pytest.mark.parametrize("layout", ["hitsz-vcm", "regdb"])
def test_a_set_with_a_gap_has_the_same_lists_and_other_infrared_pictures(layout, tmp_path):
    thermal = SyntheticOptions(gap=1.0)
    render_dataset(tmp_path / "near", layout=layout, **SMALL)
    render_dataset(tmp_path / "far", layout=layout, options=thermal, **SMALL)
    near, far = files(tmp_path / "near"), files(tmp_path / "far")
    assert near.keys() == far.keys()
    changed = {name for name in near if near[name] != far[name]}
    infrared = {name for name in near if "/ir/" in name or name.startswith("Thermal/")}
    assert changed == infrared
    verification = verify_dataset(layout, tmp_path / "far")
    assert verification.ok, verification.text()
    assert verification.source == "synthetic set, preset tiny, seed 0, gap 1.0"
    assert load_dataset(layout, tmp_path / "far").query
    assert render_dataset(tmp_path / "far", layout=layout, options=thermal, **SMALL).reused
    with pytest.raises(SyntheticError, match=r"gap 1\.0 instead of 0\.0"):
        render_dataset(tmp_path / "far", layout=layout, **SMALL)


def test_the_pictures_of_a_gap_are_the_same_on_every_machine():
    digest = hashlib.sha256()
    for number in range(4):
        camera = draw_camera(0, number + 1, Modality.INFRARED, number, 0.67)
        person, other = (draw_person(0, n, 0.67, 4) for n in (number, number + 50))
        frames = render_tracklet(Sighting(0, number, number + 1, 1, 3), person, camera, other)
        digest.update(frames.tobytes())
    assert digest.hexdigest() == (
        "d1e1ad52865f009f663575401e410b0c85834e4e3f2008705411a05fe2776138"
    )
