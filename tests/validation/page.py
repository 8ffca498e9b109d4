"""The generated parts of docs/validation.md: its table, and a section for each comparison."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .case import Case, Row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "validation.md"
FIGURES = ROOT / "docs" / "figures" / "validation"
COMMAND = "make validation"
INSTALL = "pip install 'marsdisk[qpr]'"

if str(ROOT / "docs") not in sys.path:
    sys.path.insert(0, str(ROOT / "docs"))
from make_tables import escaped, put_between_markers  # noqa: E402

HEADS = (
    "comparison",
    "quantity",
    "ours",
    "expected",
    "difference",
    "tolerance",
    "figure",
    "source",
)
ROUND_OFF = 1e-9  # below which a difference is that of the last digits of constants


class Numbers(NamedTuple):
    """Numbers in a line of the table."""

    figure: str
    quantity: str
    ours: float
    expected: float
    tolerance: float


def anchor(title: str) -> str:
    """Return the anchor that a heading gets."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def shown_difference(row: Row) -> str:
    """Return a relative difference to two digits, or that it is one of round-off."""
    if abs(row.difference) < ROUND_OFF:
        return f"below {ROUND_OFF:g}"
    return f"{row.difference:+.1e}"


def line_of(case: Case, row: Row, source: str) -> str:
    """Return a line of the table."""
    cells = (
        f"[{escaped(case.title)}](#{anchor(case.title)})",
        escaped(row.quantity),
        f"{row.ours:#.5g}",
        f"{row.expected:#.5g}",
        shown_difference(row),
        f"{row.tolerance:g}",
        f"[figure](figures/validation/{case.name}.svg)",
        escaped(source),
    )
    return f"| {' | '.join(cells)} |"


def table(cases: Iterable[Case]) -> list[str]:
    """Return the table of the page: a line for each row of each case."""
    lines = [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
    for case in cases:
        for index, row in enumerate(case.outcome().rows):
            lines.append(line_of(case, row, "; ".join(case.sources) if index == 0 else ""))
    return lines


def numbers_of(text: str) -> list[Numbers]:
    """Return the numbers in the table of a page."""
    numbers = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        figure = re.search(r"figures/validation/(\w+)\.svg", line)
        if figure and len(cells) == len(HEADS):
            ours, expected, tolerance = (float(cells[column]) for column in (2, 3, 5))
            numbers.append(Numbers(figure[1], cells[1], ours, expected, tolerance))
    return numbers


def sections(cases: Iterable[Case]) -> list[str]:
    """Return a section for each case: set-up, tolerance, figure."""
    lines = []
    for case in cases:
        lines += [
            "",
            f"### {case.title}",
            "",
            case.text,
            "",
            f"*Tolerance.* {case.reason}",
            "",
            f"*Source.* {escaped('; '.join(case.sources))}.",
            "",
            f"![{case.title}](figures/validation/{case.name}.svg)",
        ]
    return [*lines, ""]


def write(cases: Iterable[Case]) -> None:
    """Renew the generated parts of the page, and the figures."""
    from .figures import draw

    cases = tuple(cases)
    put_between_markers("table", COMMAND, table(cases), PAGE)
    put_between_markers("comparisons", COMMAND, sections(cases), PAGE)
    FIGURES.mkdir(parents=True, exist_ok=True)
    for case in cases:
        draw(case.outcome().panels, FIGURES / f"{case.name}.svg")
