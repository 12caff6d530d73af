"""`dropscore.toml`: what it may say, read once, checked as a whole, and handed out as small frozen objects."""

from stacks.settings.load import SECTIONS, Settings
from stacks.settings.models import ServedModel

__all__ = ["SECTIONS", "ServedModel", "Settings"]
