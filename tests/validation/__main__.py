"""Print the comparisons, or renew the page: ``python -m tests.validation [--write]``."""

import argparse
import sys
from collections.abc import Sequence

from .case import Case
from .cases import CASES
from .page import COMMAND, INSTALL, PAGE, ROOT, table, write


def failures(cases: Sequence[Case]) -> list[str]:
    """Return a line for each row that misses its tolerance."""
    lines = []
    for case in cases:
        for row in case.outcome().rows:
            if not row.passes:
                missed = f"{row.difference:.2g}, {row.tolerance:g} is allowed"
                lines.append(f"{case.title}: {row.quantity} differs by {missed}")
    return lines


def main(arguments: Sequence[str] | None = None, cases: Sequence[Case] = CASES) -> int:
    """Compare, print, and write where asked.

    Returns
    -------
    int
        1 if a row misses its tolerance or the page could not be made whole, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.validation", description=__doc__)
    where = PAGE.relative_to(ROOT)
    parser.add_argument("--write", action="store_true", help=f"renew {where} and its figures")
    options = parser.parse_args(arguments)
    runnable = [case for case in cases if case.can_run]
    for case in cases:
        if not case.can_run:
            print(f"left out: {case.title}, which needs {case.needs}: {INSTALL}", file=sys.stderr)
    print("\n".join(table(runnable)))
    missed = failures(runnable)
    for line in missed:
        print(line, file=sys.stderr)
    if not options.write:
        return int(bool(missed))
    if missed or len(runnable) < len(cases):
        print(f"{where} is as it was: {COMMAND} needs all comparisons to pass", file=sys.stderr)
        return 1
    write(runnable)
    return 0


if __name__ == "__main__":
    sys.exit(main())
