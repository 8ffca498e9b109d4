"""Mistakes in YAML files are refused with file, line, its content, and what to write instead."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from marsdisk.cli import main
from marsdisk.cli.options import parse_override
from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig, build_config, load_config, merge
from marsdisk.config.keys import config_keys
from marsdisk.config.yaml_file import read_yaml_mapping, yaml_text
from marsdisk.io.numbers import number_advice
from sweep.planning.plan import make_plan
from sweep.spec.file import load_sweep
from sweep.spec.sections import SweepSpec
from sweep.workers.profiles import JobsProfile, KubernetesProfile, LocalProfile, load_profile

PROFILES = {"local": LocalProfile, "slurm": JobsProfile, "kubernetes": KubernetesProfile}
BASE: dict[str, Any] = {
    "disk": {"r_in_RM": 1.0, "r_out_RM": 2.7},
    "sizes": {"s_min": 1e-7, "s_max": 3.0},
    "temperature": {"law": "slab", "T0": 4000.0},
    "numerics": {"t_end_years": 2.0},
}
GOOD = (
    "disk: {r_in_RM: 1.0, r_out_RM: 2.7}\nsizes: {s_min: 1e-7, s_max: 3.0}\ntemperature: {law:"
    " slab, T0: 4000.0}\nnumerics: {t_end_years: 2.0}\n"
)


def written(folder: Path, content: str | bytes | dict[str, Any], name: str = "given.yaml") -> Path:
    file = folder / name
    text = yaml_text(content) if isinstance(content, dict) else content
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


#: Text, number of the line that is wrong, words of the cure.
MISTAKES = {
    "a tab": (
        "a:\n\tb: 1\n",
        2,
        "a tab stands where the line is indented; YAML takes only blanks there",
    ),
    "a tab after blanks": ("a:\n  b: 1\n  \tc: 2\n", 3, "a tab stands where the line is indented"),
    "a tab first": ("\ta: 1\n", 1, "a tab stands where the line is indented"),
    "no blank, first": ("T0:4000\nx: 1\n", 1, "a blank is missing after the colon; write T0: 4000"),
    "no blank, last": ("x: 1\nT0:4000\n", 2, "a blank is missing after the colon; write T0: 4000"),
    "no blank, alone": ("T0:4000\n", 1, "a blank is missing after the colon; write T0: 4000"),
    "no blank, in braces": (
        "a: 1\nb: {T0:4000, c: 1}\n",
        2,
        "T0:4000: a blank is missing after the colon; write T0: 4000",
    ),
    "Latin-1": (
        "a: 1\n# Größe\n".encode("latin-1"),
        2,
        "its letter 'ö' is in Latin-1; save the file as UTF-8",
    ),
    "a decimal comma in braces": (
        "a: 1\nset: {t_end_years: 0,5, b: 1}\n",
        2,
        "0,5 is no number; write 0.5 with a decimal point",
    ),
    "a decimal comma at the end": (
        "set: {t_end_years: -1,5e-3}\n",
        1,
        "-1,5e-3 is no number; write -1.5e-3 with a decimal point",
    ),
    "thousands with commas": (
        "set: {T0: 4,000}\n",
        1,
        "write decimals after a point, and thousands without commas",
    ),
    "a key twice": ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' is given twice; drop one"),
    "a key twice, in quotes": ("{1: x, '1': y}\n", 1, "the key '1' is given twice; drop one"),
    "an open bracket": (
        "a: [1, 2\nb: 3\n",
        1,
        "the bracket [ is not closed, or a comma is missing",
    ),
    "an open brace": ("x: 1\na: {b: 1\n", 2, "the brace { is not closed, or a comma is missing"),
    "no comma": ("a: {b: 1 c: 2}\n", 1, "the brace { is not closed, or a comma is missing"),
    "an open quote": ("a: 'x\nb: 2\n", 1, "the quote is not closed; write it after the text, too"),
    "a closed bracket": (
        "a: 1\nb: ]\n",
        2,
        "a value is missing, or a bracket is closed that was never opened",
    ),
    "two braces": ("a: {b: 1}}\n", 1, "continues after a value"),
    "text behind quotes": ("a: 'b' c\n", 1, "continues after a value"),
    "two colons": (
        "a: 1\nb: c: d\n",
        2,
        "there are two colons in the line; put a text with a colon in quotes",
    ),
    "indented more": (
        "a: 1\n  b: 2\n",
        2,
        "the line is indented more than the one above it; align them",
    ),
    "indented less": (
        "  a: 1\nb: 2\n",
        2,
        "the line is indented less than the first one; align them",
    ),
    "indented between": (
        "a:\n    b: 1\n  c: 2\n",
        3,
        "the line is indented differently from those above it",
    ),
    "no dash": ("a:\n- 1\n- 2\nb\n", 4, "there is no colon in the line; write key: value"),
    "a dash without a blank": (
        "a:\n- 1\n-2\n",
        3,
        "there is no colon in the line; write key: value",
    ),
    "a list behind a colon": ("a: - 1\n", 1, "a list begins after a colon; write it in brackets"),
    "an at sign": ("a: @x\n", 1, "no text begins with @ in YAML; put it in quotes"),
    "a per cent sign": ("a: [%x]\n", 1, "no text begins with % in YAML; put it in quotes"),
    "a backtick": ("- `x`\n", 1, "no text begins with ` in YAML; put it in quotes"),
    "a star": (
        "a: *.csv\n",
        1,
        "* and & have meanings of their own in YAML; put the text in quotes",
    ),
    "a name with a star": (
        "a: *x\n",
        1,
        "there is no value called x; put *x in quotes, or write &x before what it repeats",
    ),
    "an ampersand": (
        "a: & b\n",
        1,
        "* and & have meanings of their own in YAML; put the text in quotes",
    ),
    "a greater sign": (
        "a: 1\nb: >5\n",
        2,
        "> and | begin a text of several lines; put the text in quotes",
    ),
    "a greater sign before a blank": (
        "a: > 5\n",
        1,
        "> and | begin a text of several lines; put the text in quotes",
    ),
    "a backslash": (
        'a: "C:\\data"\n',
        1,
        "a backslash begins a code in double quotes; take single quotes",
    ),
    "two documents": ("a: 1\n---\nb: 1\n", 2, "a second document begins; write one, without ---"),
    "YAML 1.1": ("%YAML 1.1\n---\na: 010\n", 1, "the file is read as YAML 1.2; drop this line"),
    "YAML 1.3": ("%YAML 1.3\n---\na: 010\n", 1, "the file is read as YAML 1.2; drop this line"),
    "a control character": (
        "a: 1\nb: \x07\n",
        2,
        "the character '\\x07' cannot stand in a YAML file; remove it",
    ),
    "a separator of lines": (
        "a: 1\nb: \u2028\n",
        2,
        "the character '\\u2028' cannot stand in a YAML file; remove it",
    ),
    "a list as a key": ("? [a]\n: 1\n", 1, "a key must be a word, in quotes if it has signs in it"),
    "no key": ("a: 1\n'': 2\n", 2, "a key is missing before the colon"),
    "a list": ("- a\n- b\n", 1, "must hold sections with keys, not a list"),
    "a text": ("disk\n", 1, "must hold sections with keys, not a text"),
    "nothing": ("# to do\n", 1, "must hold sections with keys, not an empty file"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_file_line_text_and_cure(mistake: str, tmp_path: Path) -> None:
    content, number, words = MISTAKES[mistake]
    file = written(tmp_path, content)
    with pytest.raises(ConfigError) as caught:
        read_yaml_mapping(file)
    text = content.decode("latin-1") if isinstance(content, bytes) else content
    raw = text.split("\n")[number - 1]
    first, *problem = str(caught.value).split("\n")
    assert first == f"{file}:"
    assert words in problem[0]
    assert problem[1:] == [f"      line {number}: {raw.strip()}"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-be"])
def test_a_file_in_another_encoding_is_told_to_be_saved_as_utf_8(
    encoding: str, tmp_path: Path
) -> None:
    words = "zero bytes, as UTF-16 and UTF-32 text have"
    if encoding in {"utf-16", "utf-32"}:  # with a byte-order mark
        words = f"not UTF-8 but {encoding.upper()} text"
    with pytest.raises(ConfigError, match=f"it (is|has) {words}; save it as UTF-8"):
        read_yaml_mapping(written(tmp_path, GOOD.encode(encoding)))


@pytest.mark.parametrize(
    "value",
    [
        "0,5",
        "4,000",
        "4_000",
        "1:30",
        "[1",
        "{a: 1",
        "'x",
        "@x",
        "a: b: c",
        "&",
        "1e400",
        "\x07",
        "\udce9",
    ],
)
def test_a_mistake_on_the_command_line_is_told_in_one_line(value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(
            written(tmp_path, GOOD), dict([parse_override(f"numerics.t_end_years={value}")])
        )
    assert len(caught.value.problems) == 1
    assert "\n" not in caught.value.problems[0]
    assert "line" not in caught.value.problems[0] or "the line" in caught.value.problems[0]


ADVICE = {
    "0,5": "write 0.5 with a decimal point",
    "4,000": "write decimals after a point, and thousands without commas",
    "4,000e3": "write decimals after a point, and thousands without commas",
    "4_000": "write 4000 without underscores",
    "1 234 567.5": "write 1234567.5 without gaps",
    "4 000": "write 4000 without gaps",
    "1.5d-3": "write 1.5e-3 with e before the exponent",
    "\u22125": "write -5 with the minus sign of the keyboard",
    "4000#K": "write 4000 with a blank before the #",
    "4 E3": "write 4E3 without gaps",
    "4e 3": "write 4e3 without gaps",
    "4x10^3": "write 4e3 with e before the exponent",
    "4 × 10**3": "write 4e3 with e before the exponent",
    "4*10-3": "write 4e-3 with e before the exponent",
    "10^3": "write 1e3 with e before the exponent",
    **dict.fromkeys(
        ["4000 K", "3e3 kg/m3", "4k", "300 cm", "4x103"],
        "write the number alone, in the unit that is asked for",
    ),
}


@pytest.mark.parametrize("text", ADVICE)
def test_a_text_that_was_meant_as_a_number_is_told_how_to_be_one(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_config(merge(BASE, {"material.rho": text}))
    assert caught.value.problems == [
        f"material.rho = {text!r}: must be a number in [1000, 5000] kg m-3; {ADVICE[text]}"
    ]


@pytest.mark.parametrize("text", ["1e3 000", "0.5 100", "1 2345", "12 34", "0 000"])
def test_two_numbers_are_not_told_to_be_one(text: str) -> None:
    assert "gaps" not in number_advice(text)


KEYS = [("run", key) for key in config_keys(RunConfig)]
KEYS += [("sweep", key) for key in config_keys(SweepSpec) if key != "base"]
KEYS += [
    (kind, key) for kind, model in PROFILES.items() for key in config_keys(model) if key != "kind"
]
WRONG = {
    "a mapping": {"wrong": 1},
    "a long text": 2000 * "x",
    "a long list": list(range(1000)),
    "a long key": {2000 * "k": 1},
}


def refusal_of(kind: str, key: str, value: Any, folder: Path) -> tuple[list[str], list[str]]:
    """Return the error on a file with a wrong value for one key, and the lines of the file.

    Both are empty if the value is right.
    """
    starts: dict[str, dict[str, Any]] = {
        "run": BASE,
        "sweep": {"name": "x", "base": "base.yaml", "axes": {"temperature.T0": [3000]}},
    }
    start = starts.get(kind, {"kind": kind, "workers_per_job": 1})
    written(folder, GOOD, "base.yaml")
    file = written(folder, merge(start, {key: value}))
    lines = file.read_text(encoding="utf-8").split("\n")
    loaders: dict[str, Callable[[Path], object]] = {"run": load_config, "sweep": load_sweep}
    load = loaders.get(kind, lambda file: load_profile(str(file)))
    try:
        load(file)
    except ConfigError as error:
        return error.problems, lines
    return [], lines


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_whatever_key_is_wrong_its_line_is_told_and_its_value_is_cut(
    kind: str, key: str, wrong: str, tmp_path: Path
) -> None:
    problems, lines = refusal_of(kind, key, WRONG[wrong], tmp_path)
    if (
        kind == "run"
        and wrong != "a long list"
        and (key, wrong) != ("radiation.Q_pr", "a long text")
    ):
        assert problems  # a text may be the path of a table, which a run reads
    for problem in problems:
        words, *told = problem.split("\n")
        for character in ("x", "k"):
            assert 101 * character not in problem
        assert len(words) < 900
        if (
            " is missing" in words.split(":")[0] and "." not in words.split(" ")[0]
        ) or not key.startswith(words.split(" ")[0].split(".")[0]):
            continue  # a key that is not in the file, or another one
        (line,) = told
        found = re.fullmatch(r"      line (\d+): (.*)", line)
        assert found is not None
        whole = lines[int(found[1]) - 1].strip()
        assert found[2] == (whole if len(whole) <= 100 else f"{whole[:97]}...")


TABLES: dict[str, dict[str, Any]] = {
    "radiation.Q_pr": {},
    "optical_depth.Q_ext": {"optical_depth": {"opacity": "planck"}},
    "temperature.path": {"temperature": {"law": "table"}},
    "shielding.path": {"shielding": {"mode": "table"}},
    "sublimation.vapour_pressure": {
        "sublimation": {"method": "sink", "alpha_evap": 0.1, "mu": 0.044}
    },
    "supply.table.path": {"supply": {"mode": "table"}},
}


@pytest.mark.parametrize("key", TABLES)
def test_a_long_path_of_a_table_is_told_with_its_line_and_cut(key: str, tmp_path: Path) -> None:
    file = written(
        tmp_path, merge(merge(BASE, TABLES[key]), {key: 2000 * "x", "numerics.t_end_years": 1e-6})
    )
    done = CliRunner().invoke(main, ["run", str(file)])
    assert done.exit_code == 2
    assert 101 * "x" not in done.output
    assert re.search(
        rf"\n  {re.escape(key)} = '.*[.]{{3}}: .*\n      line [0-9]+: .*x{{50}}x*[.]{{3}}\n",
        done.output,
    )


def test_a_value_of_the_command_line_is_in_no_line_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    with pytest.raises(ConfigError) as caught:
        load_config(file, {"temperature.T0": -1})
    assert caught.value.problems == ["temperature.T0 = -1: must be a number in [1000, 6500] K"]


@pytest.mark.parametrize(
    ("sweep", "line", "text"),
    [
        ("axes:\n  temperature.T0: [3000, 30000]\n", 4, "temperature.T0: [3000, 30000]"),
        ("axes: {temperature.T0: [3000, 30000]}\n", 3, "axes: {temperature.T0: [3000, 30000]}"),
        (
            "set: {temperature.T0: 30000}\naxes: {material.rho: [3000]}\n",
            3,
            "set: {temperature.T0: 30000}",
        ),
        ("include:\n- material.rho: 3000\n- temperature.T0: 30000\n", 5, "- temperature.T0: 30000"),
        ("variants:\n  hot:\n    temperature.T0: 30000\n", 5, "temperature.T0: 30000"),
    ],
)
def test_a_run_that_cannot_be_is_told_with_the_line_of_the_sweep_file(
    sweep: str, line: int, text: str, tmp_path: Path
) -> None:
    written(tmp_path, GOOD, "base.yaml")
    file = written(tmp_path, f"name: x\nbase: base.yaml\n{sweep}")
    with pytest.raises(ConfigError) as caught:
        make_plan(load_sweep(file))
    assert [problem.split("\n")[1:] for problem in caught.value.problems] == [
        [f"      line {line}: {text}"]
    ]


def test_a_wrong_base_is_told_with_its_own_line(tmp_path: Path) -> None:
    written(tmp_path, GOOD.replace("T0: 4000.0", "T0: 40000"), "base.yaml")
    file = written(tmp_path, "name: x\nbase: base.yaml\naxes: {material.rho: [3000, 3100]}\n")
    with pytest.raises(ConfigError) as caught:
        make_plan(load_sweep(file))
    (problem,) = caught.value.problems
    assert problem.endswith("\n      line 3 of base.yaml: temperature: {law: slab, T0: 40000}")


@pytest.mark.parametrize("name", ["2024-01-20", "1:30", "010x", "1_000", "off", "1.2.3"])
def test_a_name_may_look_like_a_date_or_a_time(name: str, tmp_path: Path) -> None:
    written(tmp_path, GOOD, "base.yaml")
    file = written(
        tmp_path, f"name: {name}\nbase: base.yaml\naxes: {{material.rho: [3000, 3100]}}\n"
    )
    if ":" in name:
        with pytest.raises(ConfigError, match="name = '1:30': must be letters, digits"):
            load_sweep(file)
    else:
        assert load_sweep(file).spec.name == name


@pytest.mark.parametrize("name", ["1000", "1e3", "true", "010"])
def test_a_name_that_is_a_number_is_told_to_be_put_in_quotes(name: str, tmp_path: Path) -> None:
    written(tmp_path, GOOD, "base.yaml")
    given = "base: base.yaml\naxes: {material.rho: [3000, 3100]}\nname: "
    with pytest.raises(ConfigError) as caught:
        load_sweep(written(tmp_path, f"{given}{name}\n"))
    (problem,) = caught.value.problems
    assert problem.endswith(
        f"; put the text in quotes, for without them it is no text\n      line 3: name: {name}"
    )
    assert load_sweep(written(tmp_path, f"{given}'{name}'\n")).spec.name == name


@pytest.mark.parametrize("kind", ["slurm", "pbs"])
def test_times_of_a_profile_need_no_quotes(kind: str, tmp_path: Path) -> None:
    text = (
        f"kind: {kind}\njobs: 1\nmemory: 2 GiB\nwalltime: 01:30:00\nlifetime:"
        " 00:50:00\nlifetime_stagger: 0:01:00\n"
    )
    profile = load_profile(str(written(tmp_path, text)))
    assert isinstance(profile, JobsProfile)
    assert (profile.walltime, profile.lifetime_seconds, profile.stagger_seconds) == (
        "01:30:00",
        3000.0,
        60.0,
    )


def test_sweeps_take_merge_keys_and_variants_of_any_name(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "base.yaml")
    variants = (
        "variants:\n  1: &one {blowout.enabled: false}\n  true: {<<: *one, material.rho: 3100.0}\n"
    )
    sweep = load_sweep(written(tmp_path, f"name: x\nbase: base.yaml\n{variants}"))
    assert sweep.axes[0].labels == ("1", "true")
    assert sweep.axes[0].points[1] == {"blowout.enabled": False, "material.rho": 3100.0}


def test_leading_zeros_are_no_octal_numbers(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "base.yaml")
    sweep = load_sweep(
        written(tmp_path, "name: x\nbase: base.yaml\naxes: {sizes.n_bins: [020, 040]}\n")
    )
    assert sweep.axes[0].labels == (20, 40)
    assert (
        load_config(tmp_path / "base.yaml", dict([parse_override("sizes.n_bins=040")])).sizes.n_bins
        == 40
    )
