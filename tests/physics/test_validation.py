"""The comparisons of docs/validation.md hold, and the page says what they give."""

import dataclasses
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.validation import page
from tests.validation.__main__ import main
from tests.validation.case import Case, Outcome, Row
from tests.validation.cases import CASES
from tests.validation.figures import draw

TEXT = page.PAGE.read_text(encoding="utf-8")
NAMES = [case.name for case in CASES]


def case_with(ours: float, tolerance: float) -> Case:
    """Return a case that expects 1."""
    row = Row.compare("a number", ours, 1.0, tolerance)
    return CASES[0]._replace(compute=lambda: Outcome((row,), ()))


@pytest.fixture(scope="module", autouse=True)
def _compiled_kernels_of_mie() -> Iterator[None]:
    """Have miepython compile its kernels, where a test before told it not to.

    Mie sums of a hundred thousand spheres take half a minute without.
    """
    with pytest.MonkeyPatch.context() as patch:
        loaded = sys.modules.get("miepython")
        if loaded is not None and not loaded.USE_JIT:
            for name in list(sys.modules):
                if name.split(".")[0] == "miepython":
                    patch.delitem(sys.modules, name)
        yield


def outcome_of(case: Case) -> Outcome:
    """Return what a case finds; skip the test where its package is missing."""
    if not case.can_run:
        pytest.skip(f"needs {case.needs}: {page.INSTALL}")
    return case.outcome()


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_model_agrees_with_the_literature(case: Case) -> None:
    missed = [row for row in outcome_of(case).rows if not row.passes]
    assert missed == []


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_page_of_comparisons_has_their_numbers(case: Case) -> None:
    rows = outcome_of(case).rows
    lines = [line for line in page.numbers_of(TEXT) if line.figure == case.name]
    assert [line.quantity for line in lines] == [page.escaped(row.quantity) for row in rows]
    for line, row in zip(lines, rows, strict=True):
        assert line.ours == pytest.approx(row.ours, rel=1e-3), page.COMMAND
        assert line.expected == pytest.approx(row.expected, rel=1e-3), page.COMMAND
        assert line.tolerance == row.tolerance


def test_the_page_of_comparisons_describes_all_of_them() -> None:
    assert "\n".join(page.sections(CASES)) in TEXT, f"run: {page.COMMAND}"
    assert {line.figure for line in page.numbers_of(TEXT)} == set(NAMES)
    assert {path.stem for path in page.FIGURES.iterdir()} == set(NAMES)


def test_what_the_page_of_comparisons_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXT):
        assert (page.PAGE.parent / target).exists(), target
    headings = {page.anchor(heading) for heading in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)}
    for target in re.findall(r"\]\(#([^)]+)\)", TEXT):
        assert target in headings, target


def test_mathematics_on_the_page_of_comparisons_survives_markdown() -> None:
    formulas = re.findall(r"\$([^$\n]+)\$", TEXT)
    assert len(formulas) > 20
    assert not [formula for formula in formulas if re.search(r"\\[^A-Za-z]|\*|\}_", formula)]
    assert all(line.count("$") % 2 == 0 for line in TEXT.splitlines())


def test_the_figure_of_a_comparison_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    panels = CASES[NAMES.index("collision_time")].outcome().panels
    paths = [tmp_path / "first.svg", tmp_path / "second.svg"]
    for path in paths:
        draw(panels, path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert b"<dc:date>" not in first
    assert b"t_per" in first


@pytest.mark.parametrize(("ours", "ends_with"), [(1.009, 0), (0.991, 0), (1.011, 1), (0.989, 1)])
def test_a_comparison_that_misses_its_tolerance_ends_the_command_with_1(
    ours: float,
    ends_with: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([], [case_with(ours, 0.01)]) == ends_with
    output = capsys.readouterr()
    assert f"{ours:#.5g}" in output.out
    assert ("a number differs by" in output.err) is bool(ends_with)


def test_the_largest_difference_of_a_series_counts() -> None:
    row = Row.compare_series("series", *np.array([[1.0, 2.2, 3.0], [1.0, 2.0, 3.0]]), 0.05)
    assert (row.ours, row.expected) == (3.0, 3.0)
    assert row.difference == pytest.approx(0.1)
    assert not row.passes
    assert not dataclasses.replace(row, difference=float("nan")).passes


def test_without_its_package_a_comparison_is_left_out_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    missing = case_with(1.0, 0.01)._replace(needs="no_such_package")
    before = TEXT
    assert main(["--write"], [missing]) == 1
    assert "pip install" in capsys.readouterr().err
    assert page.PAGE.read_text(encoding="utf-8") == before


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_each_plot_of_a_comparison_has_what_is_expected(case: Case) -> None:
    for panel in outcome_of(case).panels:
        assert {curve.kind for curve in panel.curves} == {"ours", "expected"}
    drawn = (page.FIGURES / f"{case.name}.svg").read_text(encoding="utf-8")
    assert len(drawn) < 100_000
    assert all(panel.xlabel in drawn for panel in outcome_of(case).panels)
