"""Tables as CSV that a spreadsheet opens without running formulas."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any


def table(columns: Mapping[str, Sequence[Any]]) -> str:
    """Return columns of one length as CSV, with numbers in full precision.

    A text that a spreadsheet would take for a formula gets an apostrophe in front of it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(map(_safe, columns))
    for row in zip(*columns.values(), strict=True):
        writer.writerow(map(_safe, row))
    return out.getvalue()


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
    is_nan = value != value
    return "" if is_nan else value
