"""Fast decoding and resizing beside Pillow, and augmentation in one pass beside its steps."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from vireid.datasets import frames, transforms
from vireid.datasets.frames import UnreadableFrame, decode_bytes
from vireid.datasets.resize import resize_frame
from vireid.datasets.track import Modality


def pixels(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def by_pillow(data, height, width):
    with Image.open(io.BytesIO(data)) as image:
        resized = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def encoded(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


side = st.integers(1, 40)


@settings(max_examples=150, deadline=None)
@given(
    side, side, side, side, st.integers(0, 9), st.sampled_from(["bilinear", "bicubic", "lanczos"])
)
def test_resizing_is_pillows_to_the_bit(old_height, old_width, height, width, seed, resize):
    frame = pixels(old_height, old_width, seed)
    expected = Image.fromarray(frame).resize((width, height), Image.Resampling[resize.upper()])
    assert np.array_equal(resize_frame(frame, height, width, resize), np.asarray(expected))


@pytest.mark.parametrize("value", [0, 255])
def test_extreme_values_do_not_overflow(value):
    frame = np.full((256, 128, 3), value, np.uint8)
    assert (resize_frame(frame, 288, 144) == value).all()


JPEGS = {
    "plain": {},
    "444": {"subsampling": 0},
    "422": {"subsampling": 1},
    "progressive": {"progressive": True},
    "optimised": {"optimize": True},
    "comment": {"comment": b"x" * 300},
}


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("size", [(64, 32), (37, 19)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_every_jpeg_is_decoded_as_by_pillow(options, size, mode):
    picture = Image.fromarray(pixels(*size)).resize((24, 40)).resize(size[::-1]).convert(mode)
    data = encoded(picture, format="JPEG", quality=90, **options)
    assert (frames._decode_plain_jpeg(data) is None) == (mode == "CMYK")
    assert np.array_equal(decode_bytes(data, 70, 35), by_pillow(data, 70, 35))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
def test_other_formats_go_to_pillow(kind):
    data = encoded(Image.fromarray(pixels(20, 10)), format=kind)
    assert np.array_equal(decode_bytes(data, 30, 15), by_pillow(data, 30, 15))


def test_bytes_after_the_end_change_nothing():
    data = encoded(Image.fromarray(pixels(20, 10)), format="JPEG")
    assert np.array_equal(decode_bytes(data + b"\0" * 9, 30, 15), decode_bytes(data, 30, 15))


def test_without_torchvisions_decoder_pillow_does_it(monkeypatch):
    data = encoded(Image.fromarray(pixels(20, 10)), format="JPEG")
    expected = decode_bytes(data, 30, 15)
    monkeypatch.setattr(frames, "_jpeg_decoder", lambda: None)
    assert np.array_equal(decode_bytes(data, 30, 15), expected)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_a_jpeg_that_was_cut_off_is_reported(share):
    data = encoded(Image.fromarray(pixels(64, 32)), format="JPEG")
    with pytest.raises(UnreadableFrame):
        decode_bytes(data[: int(share * len(data))], 64, 32)


def test_a_jpeg_that_claims_an_absurd_size_is_left_to_pillow():
    data = bytearray(encoded(Image.fromarray(pixels(16, 16)), format="JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(UnreadableFrame):
        decode_bytes(bytes(data), 16, 16)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 5), st.integers(1, 3), st.integers(1, 14), st.integers(1, 9),
    st.integers(0, 12), st.integers(0, 10_000),
)  # fmt: skip
def test_one_pass_equals_its_steps(batch, length, height, width, padding, seed):
    shape = (batch, length, 3, height, width)
    clips = torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(seed))
    visible = torch.randint(0, 2, (batch,), generator=seeded(seed)) == Modality.VISIBLE
    video = transforms.VideoAugmentation(padding=padding)
    fast = video._in_one_pass(clips, visible, seeded(seed))
    assert torch.equal(fast, video._step_by_step(clips, visible, seeded(seed)))
    image = transforms.ImageAugmentation(padding=padding)
    fast = image._in_one_pass(clips, seeded(seed))
    assert torch.equal(fast, image._step_by_step(clips, seeded(seed)))


def test_one_pass_equals_its_steps_at_the_published_size():
    clips = torch.randint(0, 256, (6, 2, 3, 288, 144), dtype=torch.uint8, generator=seeded(0))
    visible = torch.arange(6) % 2 == 0
    video = transforms.VideoAugmentation(grey=0.7)
    fast = video._in_one_pass(clips, visible, seeded(1))
    assert torch.equal(fast, video._step_by_step(clips, visible, seeded(1)))
    assert fast.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
