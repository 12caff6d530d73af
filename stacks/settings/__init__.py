"""The settings in `dropscore.toml`: read once, validated as a whole, and returned as small frozen objects."""

from stacks.settings.load import SECTIONS, Settings
from stacks.settings.models import ServedModel

__all__ = ["SECTIONS", "ServedModel", "Settings"]
