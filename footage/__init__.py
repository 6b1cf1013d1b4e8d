"""From video and tracks to tracklets on disk: one's own footage as a data set."""

from ..lazy import lazy_names

__all__ = ["CropOptions", "Tracks", "Window", "crop_footage", "read_tracks"]
# Video needs numpy and Pillow, which `--help` does not.
__getattr__ = lazy_names(__name__, "options", "tracks", "track_files", "thermal", "crop")
