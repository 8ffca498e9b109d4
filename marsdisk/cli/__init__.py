"""The command ``marsdisk``, and what it shares with ``sweep``."""

from .commands import main

__all__ = ["main"]
