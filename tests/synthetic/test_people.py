"""What people, patterns and walks are, before a camera sees them."""

import numpy as np
import pytest
from vireid.synthetic.patterns import Pattern, PatternKind
from vireid.synthetic.person import Material
from vireid.synthetic.pose import walk
from vireid.synthetic.wardrobe import PALETTE, draw_person

PEOPLE = [draw_person(7, number) for number in range(400)]
PAIRS = [
    (Material.UPPER, Material.UPPER_SECOND),
    (Material.LOWER, Material.LOWER_SECOND),
    (Material.BAG, Material.STRAP),
]


def luma(person, material):
    return float(person.visible[material] @ np.array([0.299, 0.587, 0.114]))


def test_a_person_depends_on_seed_and_number_only():
    again = draw_person(7, 3)
    assert again.body == PEOPLE[3].body
    assert again.upper == PEOPLE[3].upper
    np.testing.assert_array_equal(again.visible, PEOPLE[3].visible)
    np.testing.assert_array_equal(again.infrared, PEOPLE[3].infrared)
    assert draw_person(8, 3).body != again.body
    assert draw_person(7, 4).body != again.body


@pytest.mark.parametrize("material", [Material.UPPER, Material.LOWER, Material.BAG, Material.HAT])
def test_reflectance_says_nothing_about_colour(material):
    reflectance = np.array([float(person.infrared[material]) for person in PEOPLE])
    # 400 people: chance correlations have a standard deviation of 0.05
    for channel in range(3):
        colour = np.array([float(person.visible[material, channel]) for person in PEOPLE])
        assert abs(np.corrcoef(colour, reflectance)[0, 1]) < 0.2
    assert reflectance.min() < 0.2 * 255
    assert reflectance.max() > 0.85 * 255
    assert abs(reflectance.mean() - 0.535 * 255) < 12


@pytest.mark.parametrize("first, second", PAIRS)
def test_the_order_of_two_cloths_is_not_shared_by_the_modalities(first, second):
    brighter = [luma(person, first) > luma(person, second) for person in PEOPLE]
    reflects = [person.infrared[first] > person.infrared[second] for person in PEOPLE]
    agree = np.mean([a == b for a, b in zip(brighter, reflects)])
    assert 0.4 < agree < 0.6


@pytest.mark.parametrize("first, second", PAIRS)
def test_patterns_show_in_both_modalities(first, second):
    for person in PEOPLE:
        assert abs(int(person.infrared[first]) - int(person.infrared[second])) >= 0.24 * 255
        assert abs(luma(person, first) - luma(person, second)) >= 40


def test_people_share_a_small_palette():
    colours = np.array([person.visible[Material.UPPER] for person in PEOPLE], np.int64)
    distance = np.abs(colours[:, None, :] - PALETTE[None, :, :]).max(axis=2)
    assert distance.min(axis=1).max() <= 7
    assert np.bincount(distance.argmin(axis=1), minlength=len(PALETTE)).min() >= 15


def test_few_garments_are_plain_and_every_kind_of_thing_occurs():
    garments = [p.upper.pattern.kind for p in PEOPLE] + [p.lower.pattern.kind for p in PEOPLE]
    assert np.mean([kind is PatternKind.PLAIN for kind in garments]) < 0.24
    assert set(garments) == set(PatternKind)
    for values, count in (
        ({p.upper.kind for p in PEOPLE}, 8),
        ({p.lower.kind for p in PEOPLE}, 7),
        ({p.hair for p in PEOPLE}, 7),
        ({p.hat for p in PEOPLE}, 4),
        ({p.bag for p in PEOPLE}, 5),
    ):
        assert len(values) == count


@pytest.mark.parametrize("kind", list(PatternKind))
def test_a_pattern_closes_around_the_body_and_has_two_colours(kind):
    pattern = Pattern(kind, phase=0.3, shape=1)
    angle = (np.arange(1024, dtype=np.float32) / 1024)[None, :]
    height = (np.arange(300, dtype=np.float32) / 1000)[:, None]
    second = pattern.second(angle, height)
    assert second.shape == (300, 1024)
    assert second.dtype == np.bool_
    # points on the very edge of a stripe may round either way
    assert (second != pattern.second(angle + np.float32(1), height)).mean() < 1e-3
    assert second.any() == (kind is not PatternKind.PLAIN)
    assert not second.all()


def test_a_walk_keeps_bone_lengths_and_one_foot_on_the_ground():
    for person in PEOPLE[:20]:
        pose = walk(person, np.linspace(0.1, 1.1, 24))
        for chain in (("hips", "knees"), ("knees", "ankles"), ("elbows", "hands")):
            for side in (0, 1):
                start, end = (getattr(pose, name)[side] for name in chain)
                length = np.sqrt(((start - end) ** 2).sum(axis=1))
                assert length.max() - length.min() < 0.01
        feet = np.stack([p[:, 1] for p in (*pose.toes, *pose.heels)])
        lowest = feet.min(axis=0)
        np.testing.assert_allclose(lowest, lowest[0], atol=1e-9)
        # a whole stride later everything is where it was
        np.testing.assert_allclose(pose.toes[0][0], pose.toes[0][-1], atol=1e-9)


def test_legs_alternate_and_arms_swing_against_them():
    pose = walk(PEOPLE[0], np.linspace(0, 1, 40, endpoint=False))
    left, right = pose.ankles[0][:, 2], pose.ankles[1][:, 2]
    assert np.corrcoef(left, right)[0, 1] < -0.6
    assert np.corrcoef(left, pose.elbows[0][:, 2])[0, 1] < -0.6
