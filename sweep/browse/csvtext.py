"""Tables as CSV that a spreadsheet opens without running what is in it."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any


def table(columns: Mapping[str, Sequence[Any]]) -> str:
    """Columns of one length with their heads; numbers in full, and a text that a spreadsheet would take for a formula after an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_safe(head) for head in columns])
    writer.writerows(
        zip(*([_safe(value) for value in values] for values in columns.values()), strict=True)
    )
    return out.getvalue()


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
    return "" if value != value else value
