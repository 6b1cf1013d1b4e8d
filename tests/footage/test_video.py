"""Pictures of a file as they are meant to be seen."""

import struct
from fractions import Fraction

import footage_cases as cases
import numpy as np
import pytest
from vireid.footage.errors import FootageError
from vireid.footage.video import open_video

pytest.importorskip("av")


def pictures(path, wanted=lambda frame: True, rate=None):
    return list(open_video(path, rate).pictures(wanted))


@pytest.mark.parametrize("deep", [False, True])
def test_a_file_gives_the_pictures_that_went_in(tmp_path, deep):
    found = pictures(cases.video_file(tmp_path / "walk.mkv", deep=deep), lambda f: f % 2)
    assert [one.frame for one in found] == [1, 3, 5, 7, 9, 11]
    for one in found:
        np.testing.assert_array_equal(one.pixels, cases.picture(one.frame, deep))
        assert one.seconds == pytest.approx(one.frame / cases.RATE)


def test_a_folder_is_read_in_natural_order(tmp_path):
    found = pictures(cases.image_folder(tmp_path / "walk"), rate=cases.RATE)
    assert [one.frame for one in found] == list(range(12))  # 2.png before 10.png
    for one in found:
        np.testing.assert_array_equal(one.pixels, cases.picture(one.frame))


def write_mp4(path, times, rate=10):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for milliseconds in times:
            pixels = np.zeros((32, 64, 3), np.uint8)
            pixels[:16, :32] = 255  # the upper left quarter is white
            shown = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            shown.pts, shown.time_base = milliseconds, Fraction(1, 1000)
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
    return path


def test_time_stamps_are_the_files_own(tmp_path):
    """A camera that drops frames: the number of a frame does not say when it was."""
    times = [500, 600, 1200, 1250, 3000]
    found = pictures(write_mp4(tmp_path / "walk.mp4", times))
    np.testing.assert_allclose([one.seconds for one in found], [0, 0.1, 0.7, 0.75, 2.5], atol=2e-3)


def test_a_camera_on_its_side_is_turned(tmp_path):
    """The matrix that phones write: the picture is to be turned to the right by a quarter."""
    path = write_mp4(tmp_path / "walk.mp4", [0, 100])
    data = bytearray(path.read_bytes())
    upright = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 32 << 16, 0, 1 << 30)
    at = data.index(upright, data.index(b"tkhd"))
    data[at : at + len(turned)] = turned
    path.write_bytes(bytes(data))
    pixels = pictures(path)[0].pixels
    assert pixels.shape == (64, 32, 3)
    assert pixels[:30, 18:].mean() > 240  # the white quarter is now upper right
    assert pixels[34:].mean() < 15


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(FootageError, match="holds no images"):
        open_video(tmp_path, 5)
