"""What the README tells a newcomer to type is true."""

import re
from pathlib import Path

import pytest

from sweep.planning.plan import make_plan
from sweep.spec.file import load_sweep

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_example_sweep_can_be_planned(tmp_path: Path) -> None:
    (example,) = blocks("yaml")
    file = tmp_path / "my_sweep.yaml"
    file.write_text(example.replace("base: configs/", f"base: {ROOT}/configs/"), encoding="utf-8")
    plan = make_plan(load_sweep(file))
    assert len(plan.cases) == (3 * 5 * 5 * 8 * 2 * 2) - (1 * 5 * 1 * 8 * 2 * 2) + 1
    assert not plan.warnings


@pytest.mark.parametrize("code", blocks("python"))
def test_python_examples_are_python(code: str) -> None:
    compile(code, "README.md", "exec")


def test_files_it_names_exist() -> None:
    for name in re.findall(r"\]\(([\w/.]+)\)|`(configs/[\w/.]+)`", README):
        assert (ROOT / next(filter(None, name))).exists(), name
