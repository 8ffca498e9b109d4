"""What the page on designs tells a scientist to type is true."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import sweep.cli.commands
from sweep.spec.designs import METHODS
from sweep.spec.file import load_sweep

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "designs.md").read_text(encoding="utf-8")
FILES = sorted(set(re.findall(r"configs/sweeps/\w+\.yaml", PAGE)))


@pytest.mark.parametrize("name", FILES)
def test_its_sweeps_are_those_that_are_shipped(name: str) -> None:
    shipped = load_sweep(ROOT / name)
    (runs,) = re.findall(rf"{name} +# ([\d,]+) runs", PAGE)
    assert sum(1 for _ in shipped.numbered()) == int(runs.replace(",", ""))


def test_its_sections_are_in_the_shipped_files() -> None:
    shipped = [yaml.safe_load((ROOT / name).read_text(encoding="utf-8")) for name in FILES]
    for block in map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)):
        if "expect" in block:
            assert any(
                block["expect"].items() <= content.get("expect", {}).items() for content in shipped
            )
            continue
        section = next(name for name in ("design", "sample", "refine") if name in block)
        axes = block[section].pop("axes")
        (file,) = (
            content
            for content in shipped
            if block[section].items() <= content.get(section, {}).items()
        )
        assert axes.items() <= file[section]["axes"].items()
        assert block.get("axes") in (None, file.get("axes"))


@pytest.mark.parametrize(
    "line",
    re.findall(r"(?:^    |`)(sweep (?:sensitivity|summary|expect) [^`\n]+)", PAGE, re.MULTILINE),
)
def test_its_questions_are_understood(line: str) -> None:
    _, *words = shlex.split(line)
    done = CliRunner().invoke(sweep.cli.commands.main, words)
    # which is looked for when all options have been read
    assert "there is no store of a sweep here" in done.output


def test_it_tells_of_every_method_whether_it_goes_on() -> None:
    rows = {
        method: row
        for row in PAGE.splitlines()
        if row.startswith("|")
        for method in re.findall(r"`(\w+)`", row.split("|")[2])
        if method in METHODS
    }
    assert rows.keys() == METHODS.keys()
    for method, row in rows.items():
        continues = METHODS[method].continues
        assert (f"| yes, in `{continues}`" if continues else "| no:") in row
