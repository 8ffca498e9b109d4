"""Tables of Planck-mean efficiencies, made from optical constants by Mie theory."""

from .build import build_tables

__all__ = ["build_tables"]
