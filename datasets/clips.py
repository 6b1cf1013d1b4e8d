"""Clips of tracks: the reader that decodes them and the loader that batches them."""

from .clip_loader import ClipLoader
from .clip_reader import ClipReader

__all__ = ["ClipLoader", "ClipReader"]
