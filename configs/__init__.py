"""The shipped configurations: published recipes, and small ones for a machine without a GPU."""

from __future__ import annotations

from pathlib import Path

# By what is trained and whether the data are images; training from labels has one for clips.
SMALL = {
    ("baseline", False): "demo_baseline.yaml",
    ("baseline", True): "demo_images_baseline.yaml",
    ("mmm", False): "demo_mmm.yaml",
    ("mmm", True): "demo_images_mmm.yaml",
    ("supervised", False): "demo_supervised.yaml",
}


def small_config(training: str, *, images: bool) -> Path | None:
    """The shipped configuration that two CPU cores can train.

    Args:
        training: ``baseline``, ``mmm`` or ``supervised``.
        images: whether the network takes images instead of clips.

    Returns:
        The file, None where there is none.
    """
    name = SMALL.get((training, images))
    return None if name is None else Path(__file__).parent / name
