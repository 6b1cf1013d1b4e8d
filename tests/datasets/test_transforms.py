"""Augmentation of clips: exact operations, statistics, and what holds for every preset."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from vireid.datasets import transforms
from vireid.datasets.frames import decode_frame
from vireid.datasets.track import Modality
from vireid.datasets.transforms.channels import copy_matrices

FOLDER = Path(__file__).parents[1] / "conformance"
RANDOM = json.loads((FOLDER / "transforms_random.json").read_text())
PRESETS = [
    transforms.VideoAugmentation(),
    transforms.ImageAugmentation(),
    transforms.ImageAugmentation(exchange=True),
    transforms.RecolourAugmentation(),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(batch=8, frames=3, height=24, width=12, seed=0):
    shape = (batch, frames, 3, height, width)
    return torch.randint(0, 256, shape, generator=generator(seed), dtype=torch.uint8)


def modalities(batch):
    return torch.arange(batch) % 2


@pytest.mark.parametrize("kind", ["down", "up", "same"])
def test_published_resize_and_normalisation(tmp_path, kind):
    vectors = np.load(FOLDER / "transforms_test_resize.npz")
    expected = vectors[f"m3_{kind}_output"]
    frames = []
    for pixels in vectors[f"m3_{kind}_frames"].astype(np.uint8):
        Image.fromarray(pixels).save(tmp_path / "frame.png")
        frames.append(decode_frame(tmp_path / "frame.png", *expected.shape[2:]))
    clips = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None]
    found = transforms.normalise(clips)[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_published_weighted_grey():
    vectors = np.load(FOLDER / "transforms_weighted_gray.npz")
    image = torch.from_numpy(vectors["image"].astype(np.uint8)).permute(2, 0, 1)
    weights = torch.from_numpy(vectors["weights"])
    grey = transforms.weighted_grey(image.expand(3, 1, *image.shape), weights)
    assert np.array_equal(grey[:, 0].permute(0, 2, 3, 1).numpy(), vectors["outputs"])


def test_random_grey_weights_sum_to_one():
    weights = transforms.random_grey_weights(2000, generator())
    torch.testing.assert_close(weights.sum(1), torch.ones(2000, dtype=torch.float64))
    assert (weights > 0).all()
    assert (weights.mean(0) - 1 / 3).abs().max() < 0.02


def plain_flip_and_crop(clip, padding, top, left, mirrored):
    padded = torch.nn.functional.pad(clip, (padding[1],) * 2 + (padding[0],) * 2)
    height, width = clip.shape[-2:]
    cropped = padded[..., top : top + height, left : left + width]
    return cropped.flip(-1) if mirrored else cropped


def test_each_clip_is_one_flip_and_crop():
    clips, padding = noise(batch=60, height=10, width=8), (2, 1)
    changed = transforms.flip_and_crop(clips, padding, generator(1))
    found = set()
    for old, new in zip(clips, changed):
        fits = [
            (top, left, mirrored)
            for top in range(5)
            for left in range(3)
            for mirrored in (False, True)
            if torch.equal(plain_flip_and_crop(old, padding, top, left, mirrored), new)
        ]
        assert len(fits) == 1
        found.add(fits[0])
    for values in zip(*found):
        assert len(set(values)) in (5, 3, 2)
    assert {top for top, _, _ in found} == set(range(5))
    assert {left for _, left, _ in found} == set(range(3))
    assert {mirrored for _, _, mirrored in found} == {False, True}


def test_no_padding_and_no_flip_change_nothing():
    clips = noise()
    assert torch.equal(transforms.flip_and_crop(clips, (0, 0), generator(), flip=0.0), clips)
    flipped = transforms.flip_and_crop(clips, (0, 0), generator(), flip=1.0)
    assert torch.equal(flipped, clips.flip(-1))


def rectangle(mask):
    """Top, left, height and width of a mask that must be one filled rectangle."""
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    height, width = len(rows), len(columns)
    assert mask.sum() == height * width
    assert rows[-1] - rows[0] + 1 == height
    assert columns[-1] - columns[0] + 1 == width
    return int(rows[0]), int(columns[0]), height, width


def erased_rectangles(number=3000, size=(72, 36), *, probability, **options):
    clips, shape = torch.ones(number, 2, 3, *size), transforms.RectangleShape(**options)
    changed = transforms.random_erasing(
        clips, generator(2), probability=probability, shape=shape, fill=(0.1, 0.2, 0.3)
    )
    gone = changed != 1
    assert (gone == gone[:, :1, :1]).all()
    for channel, value in enumerate((0.1, 0.2, 0.3)):
        touched = changed[:, :, channel][gone[:, :, channel]]
        torch.testing.assert_close(touched, torch.full_like(touched, value))
    touched = gone[:, 0, 0].any((1, 2))
    return float(touched.float().mean()), [rectangle(m) for m in gone[touched, 0, 0]]


@pytest.mark.parametrize(
    "options",
    [
        {"area": (0.02, 0.33), "ratio": (0.3, 3.3)},
        {"area": (0.02, 0.4), "ratio": (0.3, 1 / 0.3), "log_ratio": False, "attempts": 100},
    ],
)
def test_erased_rectangles(options):
    share, boxes = erased_rectangles(probability=0.5, **options)
    assert abs(share - 0.5) < 0.04  # four deviations
    height, width = 72, 36
    areas = np.array([h * w for _, _, h, w in boxes]) / (height * width)
    shapes = np.array([h / w for _, _, h, w in boxes])
    low, high = options["area"]
    assert low - 0.005 < areas.min() < low + 0.02
    assert high - 0.03 < areas.max() < high + 0.015
    assert options["ratio"][0] * 0.85 < shapes.min() < options["ratio"][0] * 1.3
    assert options["ratio"][1] * 0.75 < shapes.max() < options["ratio"][1] * 1.15
    assert max(t + h for t, _, h, _ in boxes) == height
    assert max(left + w for _, left, _, w in boxes) == width
    assert min(t for t, _, _, _ in boxes) == min(left for _, left, _, _ in boxes) == 0


def test_the_published_image_erasing_is_that_of_the_preset():
    published = RANDOM["channel_random_erasing_p0.5"]
    share, boxes = erased_rectangles(
        probability=0.5, area=(0.02, 0.4), ratio=(0.3, 1 / 0.3), log_ratio=False, attempts=100
    )
    areas = np.array([h * w for _, _, h, w in boxes]) / (72 * 36)
    shapes = np.array([h / w for _, _, h, w in boxes])
    assert abs(share - published["fraction_erased"]) < 0.06
    np.testing.assert_allclose(
        [areas.min(), areas.max()], published["area_fraction_observed"], atol=0.02
    )
    np.testing.assert_allclose(
        [shapes.min(), shapes.max()], published["aspect_h_over_w_observed"], rtol=0.25
    )


def test_a_rectangle_that_never_fits_leaves_the_clip():
    clips = torch.ones(20, 1, 3, 4, 4)
    shape = transforms.RectangleShape(area=(0.99, 1.0), ratio=(0.99, 1.01))
    changed = transforms.random_erasing(clips, generator(), probability=1.0, shape=shape)
    assert torch.equal(changed, clips)


def test_style_variation():
    clips = torch.ones(4000, 2, 3, 2, 2)
    single = torch.arange(4000) % 2 == 0
    factors = transforms.style_variation(clips, single, generator(3))
    assert (factors == factors[:, :1, :, :1, :1]).all()
    one, every = factors[single][:, 0, :, 0, 0], factors[~single][:, 0, :, 0, 0]
    assert (one == one[:, :1]).all()
    assert RANDOM["style_variation_one"]["same_factor_for_all_channels"]
    for values, name in ((one, "one"), (every, "all")):
        published = RANDOM[f"style_variation_{name}"]
        assert abs(values.min() - published["factor_min"]) < 0.01
        assert abs(values.max() - published["factor_max"]) < 0.01
        assert abs(values.mean() - 1) < 0.03
    assert np.corrcoef(every.T.numpy())[0, 1:].max() < 0.1


def count_copies(clips, changed):
    """Share of clips whose channels all equal one of the old channels."""
    same = [(changed == clips[:, :, c : c + 1]).flatten(1).all(1) for c in range(3)]
    return [float(s.float().mean()) for s in same]


def test_channel_exchange():
    clips = noise(batch=4000, frames=2, height=2, width=3).float()
    shares = count_copies(clips, transforms.channel_exchange(clips, generator(4)))
    expected = RANDOM["channel_exchange_gray2"]["expected"]
    for channel, share in enumerate(shares):
        assert abs(share - expected[f"all_channels_copy_channel_{channel}"]) < 0.03
    assert sum(shares) == pytest.approx(1)


def test_channel_adaptation():
    clips = noise(batch=4000, frames=2, height=2, width=3).float()
    changed = transforms.channel_adaptation(clips, generator(5))
    expected = RANDOM["channel_adap_gray_p0.5"]["expected"]
    for channel, share in enumerate(count_copies(clips, changed)):
        assert abs(share - expected[f"all_channels_copy_channel_{channel}"]) < 0.03
    unchanged = (changed == clips).flatten(1).all(1).float().mean()
    assert abs(unchanged - expected["unchanged"]) < 0.025
    weights = torch.tensor([0.2989, 0.5870, 0.1140]).view(3, 1, 1)
    luma = (clips * weights).sum(2, keepdim=True)
    grey = ((changed - luma).abs() < 1e-3).flatten(1).all(1).float().mean()
    assert abs(grey - expected["weighted_gray_0.2989_0.5870_0.1140"]) < 0.025


@pytest.mark.parametrize("planar", [False, True])
def test_mixing_equals_the_sum(planar):
    clips = noise().float()
    if planar:
        clips = clips.transpose(1, 2).contiguous().transpose(1, 2)
    matrices = torch.randn(8, 3, 3, generator=generator(6))
    exact = torch.einsum("bck,btkhw->btchw", matrices.double(), clips.double())
    # Three products and their sum, rounded to float32: each is off by at most 3·2⁻²⁴ of the sum of
    # magnitudes, in whatever order a processor adds (twice that for the rounding of rounding).
    magnitude = torch.einsum("bck,btkhw->btchw", matrices.double().abs(), clips.double().abs())
    mixed = transforms.mix_channels(clips, matrices)
    assert ((mixed.double() - exact).abs() <= 2 * 3 * 2**-24 * magnitude).all()
    moved = torch.tensor([[2, 0, 1]]).expand(8, 3)
    copied = transforms.mix_channels(clips, copy_matrices(moved))
    assert torch.equal(copied, clips[:, :, [2, 0, 1]])


def test_recolouring_is_a_smooth_function_of_colour():
    ramp = torch.linspace(0, 1, 200)
    clips = ramp.view(1, 1, 1, 1, -1).expand(30, 2, 3, 1, 200)
    grey = transforms.random_recolour(clips, torch.full((30,), 3.5), generator(7))
    assert grey.shape == clips.shape
    assert (grey == grey[:, :1, :1]).all()
    lines = grey[:, 0, 0, 0]
    torch.testing.assert_close(lines.amin(1), torch.zeros(30))
    torch.testing.assert_close(lines.amax(1), torch.ones(30))
    assert lines.diff(dim=1).abs().max() < 0.2
    assert len({tuple(line.tolist()) for line in lines}) == 30
    falls = (lines.diff(dim=1) < 0).any(1)
    assert falls.float().mean() > 0.5  # brightness order is not kept


def test_recolouring_keeps_equal_colours_equal_and_bears_one_colour():
    colours = torch.rand(4, 1, 3, 1, 1, generator=generator(8))
    flat = colours.expand(4, 2, 3, 6, 5)
    assert (transforms.random_recolour(flat, torch.full((4,), 3.5), generator()) == 0).all()


def test_jitter_moves_mean_and_spread_within_bounds():
    clips = 0.4 + 0.2 * torch.rand(2000, 1, 3, 6, 6, generator=generator(9))
    changed = transforms.jitter_brightness_contrast(clips, generator(10))
    shift = (changed.mean((1, 2, 3, 4)) - clips.mean((1, 2, 3, 4))).abs()
    gain = changed.std((1, 2, 3, 4)) / clips.std((1, 2, 3, 4))
    assert 0.14 < shift.max() <= 0.1501
    assert 0.699 < gain.min() < 0.71
    assert 1.29 < gain.max() < 1.301
    extreme = transforms.jitter_brightness_contrast(noise().float() / 255, generator())
    assert extreme.min() >= 0
    assert extreme.max() <= 1


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: type(p).__name__)
def test_identical_frames_stay_identical(preset):
    clips = noise(batch=40, frames=1).expand(-1, 4, -1, -1, -1)
    changed = preset(clips, modalities(40), generator(11))
    assert (changed == changed[:, :1]).all()
    assert len({tuple(c.flatten().tolist()) for c in changed[:, 0]}) == 40


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: type(p).__name__)
def test_contract_of_the_presets(preset):
    clips = noise(batch=6).permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    before = clips.clone()
    changed = preset(clips, modalities(6), generator(12))
    assert changed.shape == clips.shape
    assert changed.dtype == torch.float32
    assert torch.equal(clips, before)
    assert torch.equal(changed, preset(clips.contiguous(), modalities(6), generator(12)))
    assert not torch.equal(changed, preset(clips, modalities(6), generator(13)))
    assert preset(clips[:0], modalities(0), generator()).shape == clips[:0].shape


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: type(p).__name__)
def test_global_random_state_is_untouched(preset):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    preset(noise(), modalities(8), generator())
    assert torch.equal(torch.get_rng_state(), state)


def unnormalised(inputs):
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return inputs * std + mean


def test_video_preset_greys_visible_clips_only():
    clips = noise(batch=1000, frames=1, height=4, width=4)
    quiet = transforms.VideoAugmentation(padding=0, flip=0.0, erasing=0.0)
    changed = quiet(clips, modalities(1000), generator(14))
    plain = transforms.normalise(clips)
    factor = (changed / plain).flatten(3).median(-1).values[:, 0]  # [B, 3]
    same = torch.isclose(changed, plain * factor[:, None, :, None, None], atol=1e-5)
    same = same.flatten(1).all(1)
    infrared = modalities(1000) == Modality.INFRARED
    assert same[infrared].all()
    assert torch.allclose(factor[infrared], factor[infrared][:, :1], atol=1e-4)
    share = 1 - same[~infrared].float().mean()
    assert abs(share - RANDOM["weighted_gray_random"]["p"]) < 0.09
    assert factor[infrared].min() >= 0.499
    assert factor[infrared].max() <= 1.501


def test_image_preset_shows_the_visible_image_plain_or_exchanged():
    clips = noise(batch=200, frames=1)
    quiet = {"padding": 0, "flip": 0.0, "erasing": 0.0}
    plain = transforms.normalise(clips)
    visible = modalities(200) == Modality.VISIBLE
    first = transforms.ImageAugmentation(**quiet)(clips, modalities(200), generator(15))
    assert torch.equal(first[visible], plain[visible])
    assert not torch.equal(first[~visible], plain[~visible])
    view = transforms.ImageAugmentation(exchange=True, **quiet)(
        clips, modalities(200), generator(15)
    )
    assert sum(count_copies(plain[visible], view[visible])) == pytest.approx(1)


def test_recolour_preset_draws_its_four_ways():
    number = 2000
    clips = noise(batch=number, frames=1, height=4, width=4)
    quiet = transforms.RecolourAugmentation(
        padding=(0, 0), flip=0.0, brightness=0.0, contrast=0.0, erasing=0.0
    )
    colours = unnormalised(quiet(clips, modalities(number), generator(16)))
    old = clips.float() / 255
    same = torch.isclose(colours, old, atol=1e-4).flatten(1).all(1)
    grey = torch.isclose(colours, colours[:, :, :1], atol=1e-4).flatten(1).all(1)
    visible = modalities(number) == Modality.VISIBLE
    # Infrared: recoloured or left; visible: also grey (25 %) and channels (15 %, half of them
    # copies; one of six permutations changes nothing).
    assert abs(grey[~visible].float().mean() - 0.4) < 0.06
    assert (same | grey)[~visible].all()
    assert abs(grey[visible].float().mean() - (0.4 + 0.25 + 0.075)) < 0.06
    assert abs(same[visible].float().mean() - (0.2 + 0.075 / 6)) < 0.05
    stretched = grey & (colours.amin((1, 2, 3, 4)) < 1e-3) & (colours.amax((1, 2, 3, 4)) > 0.999)
    assert abs(stretched.float().mean() - 0.4) < 0.05


def test_recolour_preset_scales_its_padding():
    calm = transforms.RecolourAugmentation(
        flip=0.0, recolour=0, grey=0, channels=0, brightness=0, contrast=0, erasing=0
    )
    clips = torch.full((300, 1, 3, 32, 32), 255, dtype=torch.uint8)
    seen = unnormalised(calm(clips, modalities(300), generator(17)))[:, 0, 0] > 0.5
    rows, columns = (~seen.any(2)).sum(1), (~seen.any(1)).sum(1)
    assert (rows.max(), columns.max()) == (2, 2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: type(p).__name__)
def test_gpu_equals_cpu(preset):
    clips = noise(batch=16)
    expected = preset(clips, modalities(16), generator(18))
    found = preset(clips.cuda(), modalities(16).cuda(), generator(18))
    torch.testing.assert_close(found.cpu(), expected, atol=2e-3, rtol=1e-3)
