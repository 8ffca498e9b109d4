"""The configuration of one run: read from a file, checked, and known by its digest."""

from .build import Variations, build_config, merge
from .file import load_config, read_config, tables_resolved
from .run_config import RunConfig, digest_of_sections, value_at

__all__ = [
    "RunConfig",
    "Variations",
    "build_config",
    "digest_of_sections",
    "load_config",
    "merge",
    "read_config",
    "tables_resolved",
    "value_at",
]
