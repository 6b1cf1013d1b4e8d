"""Resized images of every path by which training, clustering and tests read them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training_vectors import arrays, each_vector
from vireid.baselines.settings import BaselineSettings
from vireid.commands.command_line import parse
from vireid.commands.mmm import MMMSettings
from vireid.datasets.resize import resize_frame
from vireid.datasets.track import Modality, Track
from vireid.engine.frame_source import FrameSource

CONFIGS = Path(__file__).parents[2] / "configs"
SETS = ("sysu_mm01", "regdb")
STAGES = {
    "stage_one": (BaselineSettings, ["mmm_{}_baseline.yaml"]),
    "stage_two": (MMMSettings, ["mmm_{}.yaml", "mmm_{}_released.yaml"]),
}
FILTERS = ("bicubic", "lanczos")


def recipes(stage, dataset, folder, height=288, width=144):
    kind, files = STAGES[stage]
    for file in files:
        flags = ["--config", str(CONFIGS / file.format(dataset)), "--data-dir", str(folder)]
        flags += ["--output", str(folder / "run"), "--img-h", str(height), "--img-w", str(width)]
        flags += ["--baseline", str(folder)] if kind is MMMSettings else []
        yield parse(kind, flags, program="vireid", description="")


def paths(data):
    """Stage, data sets, reader of a session and filter of each path in the vector."""
    for name, lanczos in data.items():
        if name.startswith("path_"):
            path = name.removeprefix("path_").removesuffix("_is_lanczos")
            stage = next(stage for stage in STAGES if path.startswith(stage))
            # Images are extracted by the reader with which training goes on.
            reader = "test" if path.removeprefix(stage + "_").startswith("test") else "train"
            sets = [dataset for dataset in SETS if path.endswith(dataset.split("_")[0])] or SETS
            yield stage, sets, reader, FILTERS[int(lanczos)]


def pictures(data):
    """Image, and what each filter makes of it."""
    for name, image in data.items():
        if name.startswith("image"):
            number = name.removeprefix("image")
            yield image.astype(np.uint8), {f: data[f"resized{number}_{f}"] for f in FILTERS}


def assert_close(found, expected):
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


@each_vector("image_pipeline_*.npz")
def test_each_filter_resizes_as_released(vector):
    found = list(pictures(arrays(vector)))
    assert found
    for image, resized in found:
        for resize, expected in resized.items():
            assert_close(resize_frame(image, *expected.shape[:2], resize), expected)


@each_vector("image_pipeline_*.npz")
def test_every_path_of_the_recipes_reads_with_its_filter(vector, tmp_path):
    data = arrays(vector)
    routes = list(paths(data))
    assert {(stage, reader) for stage, _, reader, _ in routes} == {
        (stage, reader) for stage in STAGES for reader in ("train", "test")
    }
    for number, (image, resized) in enumerate(pictures(data)):
        file = tmp_path / f"{number}.png"
        Image.fromarray(image).save(file)
        track = Track((file,), Modality.VISIBLE, 1, 1, "picture")
        height, width, _ = resized["bicubic"].shape
        for stage, sets, name, resize in routes:
            for settings in (
                config for s in sets for config in recipes(stage, s, tmp_path, height, width)
            ):
                reader = FrameSource(settings, skip_corrupt=False, say=print).reader(name, [track])
                (clip,) = reader.test_clips([0], 1)
                assert_close(clip[0].permute(1, 2, 0).numpy(), resized[resize])
                again = reader.train_clips([0], (0,), 1)[0]
                assert_close(again[0].permute(1, 2, 0).numpy(), resized[resize])


@pytest.mark.parametrize("dataset", SETS)
def test_greyscale_files_become_colour(dataset, tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (60, 30), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "colour.png")
    tracks = [
        Track((tmp_path / f"{name}.png",), Modality.INFRARED, 1, 1, name)
        for name in ("grey", "colour")
    ]
    for stage in STAGES:
        for settings in recipes(stage, dataset, tmp_path):
            for name in ("train", "test"):
                reader = FrameSource(settings, skip_corrupt=False, say=print).reader(name, tracks)
                first, second = reader.test_clips([0, 1], 1)
                assert (first == second).all()
