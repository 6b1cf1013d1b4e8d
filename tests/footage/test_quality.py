"""The rules by which crops are left out, against what one counts by hand."""

import numpy as np
import pytest
from PIL import Image, ImageFilter
from vireid.footage.quality import coloured, covered_shares, is_cut, sharpness


def test_blur_lowers_sharpness_and_contrast_does_not():
    rng = np.random.default_rng(0)
    crop = np.kron(rng.integers(0, 256, (24, 12)), np.ones((4, 4))).astype(np.uint8)
    image = Image.fromarray(crop)
    blurred = [sharpness(np.asarray(image.filter(ImageFilter.GaussianBlur(r)))) for r in (1, 3, 6)]
    assert sharpness(crop) > blurred[0] > blurred[1] > blurred[2]
    faint = (100 + crop * 0.25).round().astype(np.uint8)
    assert sharpness(faint) == pytest.approx(sharpness(crop), rel=0.1)


def test_a_flat_or_tiny_crop_is_not_sharp():
    assert sharpness(np.full((40, 20, 3), 90, np.uint8)) == 0
    assert sharpness(np.zeros((2, 2), np.uint8)) == 0


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((2, 2, 10, 20), False),
        ((1, 2, 10, 20), True),
        ((2, 1, 10, 20), True),
        ((89, 2, 10, 20), True),
        ((88, 2, 10, 20), False),
        ((2, 79, 10, 20), True),
        ((-5, 2, 10, 20), True),
    ],
)
def test_a_box_at_the_edge_is_cut(box, cut):
    assert is_cut(np.array(box, float), 100, 100, 2) is cut
    assert not is_cut(np.array(box, float), 100, 100, 0)


def test_covered_shares_are_those_of_pixels():
    rng = np.random.default_rng(1)
    boxes = np.concatenate([rng.integers(0, 30, (9, 2)), rng.integers(4, 25, (9, 2))], axis=1)
    wanted = []
    for i, (left, top, wide, high) in enumerate(boxes):
        mask = np.zeros((80, 80), bool)
        mask[top : top + high, left : left + wide] = True
        most = 0.0
        for j, (x, y, w, h) in enumerate(boxes):
            if j != i and y + h > top + high:  # lower feet are nearer
                most = max(most, mask[y : y + h, x : x + w].sum() / mask.sum())
        wanted.append(most)
    np.testing.assert_allclose(covered_shares(boxes.astype(float)), wanted)
    assert max(wanted) > 0.3


def test_grey_with_the_traces_of_compression_has_no_colours():
    rng = np.random.default_rng(0)
    grey = np.repeat(rng.integers(0, 256, (60, 80, 1)), 3, axis=2)
    assert not coloured((grey + rng.integers(-2, 3, grey.shape)).clip(0, 255).astype(np.uint8))
    assert coloured((grey + np.array([0, 0, 40])).clip(0, 255).astype(np.uint8))
    assert not coloured(np.zeros((60, 80), np.uint16))
