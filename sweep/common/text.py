"""Values of a store as words."""

from typing import Any

import numpy as np

from marsdisk.common.text import printable
from marsdisk.result import StopReason

#: Label of each stop reason by its number.
STOP_LABELS = {int(reason): reason.label for reason in StopReason}


def text(value: Any) -> str:
    """Return a number to four digits, or a text in one line with control characters escaped."""
    if isinstance(value, float):
        return "-" if np.isnan(value) else f"{value:.4g}"
    return printable(str(value)).replace("\n", "\\x0a").replace("\t", "\\x09")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, such as ``1 run`` or ``2 runs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
