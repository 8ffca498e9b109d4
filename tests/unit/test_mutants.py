"""The flips of ``make mutants``: they can be repeated, and each is one change of a source."""

import ast
from pathlib import Path

import pytest

from tests.mutants.copies import Copy
from tests.mutants.flips import draw, flips
from tests.mutants.nearby import Imports

ROOT = Path(__file__).parents[2]
SOURCE = """
def more(a: int, b: float = 0.5) -> bool:
    \"\"\"Compare 1 with 2.\"\"\"
    if a is None or (
        a + 1 > b
    ):
        return True
    return f"{a * b}" not in {"1"}
"""


@pytest.fixture
def flipped(tmp_path: Path) -> list[str]:
    """Return every flip of a small source, by its two lines."""
    (tmp_path / "small.py").write_text(SOURCE, encoding="utf-8")
    return [f"{flip.line} => {flip.flipped_line}" for flip in flips(tmp_path, "small.py")]


def test_a_flip_is_one_change_of_an_operator_a_number_a_truth_or_a_branch(
    flipped: list[str],
) -> None:
    assert flipped == [
        "def more(a: int, b: float = 0.5) -> bool: => def more(a: int, b: float = 0.55) -> bool:",
        "if a is None or ( => if not (a is None or (",
        "if a is None or ( => if a is not None or (",
        "if a is None or ( => if a is None and (",
        "a + 1 > b => a - 1 > b",
        "a + 1 > b => a + 2 > b",
        "a + 1 > b => a + 1 >= b",
        "return True => return False",
        'return f"{a * b}" not in {"1"} => return f"{a * b}" in {"1"}',
    ]


def test_equal_seeds_draw_equal_flips_one_of_each_module_first() -> None:
    modules = Imports(ROOT).modules
    drawn = draw(ROOT, modules, 60, seed=1)
    assert drawn == draw(ROOT, modules, 60, seed=1) != draw(ROOT, modules, 60, seed=2)
    assert len({flip.file for flip in drawn}) == 60
    for flip in drawn:
        assert ast.dump(ast.parse(flip.mutated)) != ast.dump(ast.parse(flip.source))


def test_an_edit_of_a_module_leaves_the_flips_of_others(tmp_path: Path) -> None:
    for name, source in (("a.py", SOURCE), ("b.py", SOURCE)):
        (tmp_path / name).write_text(source, encoding="utf-8")
    before = draw(tmp_path, ["a.py", "b.py"], 4, seed=1)
    (tmp_path / "a.py").write_text("one = 1\n", encoding="utf-8")
    after = draw(tmp_path, ["a.py", "b.py"], 4, seed=1)
    kept = [flip for flip in before if flip.file == "b.py"]
    assert [flip for flip in after if flip.file == "b.py"][: len(kept)] == kept


def test_the_tests_of_a_module_are_those_named_like_it_and_then_those_that_import_it() -> None:
    imports = Imports(ROOT)
    assert imports.tests_of("marsdisk/physics/energy.py")[0] == "tests/physics/test_energy.py"
    assert (
        imports.tests_of("sweep/plots/heatmap.py")[0]
        == "tests/sweep/plots/test_figures_for_papers.py"
    )
    assert imports.tests_of("sweep/running/driver.py")[0] == "tests/cluster/test_window.py"
    assert all(imports.tests_of(module) for module in imports.modules)


@pytest.mark.parametrize(
    ("code_without_the_flip", "outcome"),
    [(0, "killed"), (4, "unclear")],
)
def test_tests_that_cannot_be_collected_notice_a_flip_only_if_they_can_without_it(
    monkeypatch: pytest.MonkeyPatch,
    code_without_the_flip: int,
    outcome: str,
) -> None:
    copy = Copy.__new__(Copy)
    monkeypatch.setattr(copy, "_test", lambda tests: (code_without_the_flip, ""))
    # a whole study takes minutes, so its verdict on one flip is asked for
    verdict = copy._outcome(4, "file not found", ["tests/test_gone.py"])  # noqa: SLF001
    assert verdict[0] == outcome
