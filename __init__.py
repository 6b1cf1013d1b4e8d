"""Visible-infrared person re-identification with and without labels."""

__version__ = "0.3.0"
