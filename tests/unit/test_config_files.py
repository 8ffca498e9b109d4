"""Configuration files: what YAML means here, overrides, tables beside the file, digests."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import marsdisk
from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig, Variations, build_config, load_config, merge, read_config
from marsdisk.io.efficiency_tables import shipped_qext_table

MINIMAL = """\
disk: {r_in_RM: 1.0, r_out_RM: 2.7}
sizes: {s_min: 1e-7, s_max: 3.0}
temperature: {law: slab, T0: 4000.0}
numerics: {t_end_years: 2.0}
"""
QPR = "T_M,s,Q_pr\n1000,1e-8,0.1\n1000,1e-5,1.0\n6500,1e-8,0.2\n6500,1e-5,1.1\n"
QEXT = QPR.replace("Q_pr", "Q_ext")
COOLING = "time,T_M\n0,4000\n1e9,2000\n"


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("text", ["1e-7", "1E-7", "1.0e-7", ".1e-6", "+1e-7", "0.0000001"])
def test_numbers_are_read_as_people_write_them(file: Callable[[str], Path], text: str) -> None:
    assert load_config(file(MINIMAL.replace("1e-7", text))).sizes.s_min == pytest.approx(
        1e-7, rel=1e-15
    )


def test_a_key_given_twice_is_refused(file: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match=r"run.yaml(.|\n)*'T0' is given twice"):
        load_config(file(MINIMAL.replace("T0: 4000.0", "T0: 4000.0, T0: 3000.0")))
    with pytest.raises(ConfigError, match="'disk' is given twice"):
        load_config(file(MINIMAL + "disk: {r_in_RM: 2.0, r_out_RM: 2.7}\n"))


@pytest.mark.parametrize("word", ["off", "on", "yes", "no", "Off", "none", "~"])
def test_only_true_and_false_are_booleans(file: Callable[[str], Path], word: str) -> None:
    with pytest.raises(ConfigError, match=r"collisions\.enabled = .*: must be true or false"):
        load_config(file(MINIMAL + f"collisions: {{enabled: {word}}}\n"))


def test_none_is_a_word(file: Callable[[str], Path]) -> None:
    config = load_config(
        file(MINIMAL + "supply: {mode: none}\npsd: {floor: none}\nsublimation: {method: none}\n")
    )
    assert (config.supply.mode, config.psd.floor, config.sublimation.method) == (
        "none",
        "none",
        "none",
    )


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "", "disk\n", "disk: {r_in_RM: 1.0\n", "disk: [\n"])
def test_a_file_that_is_no_configuration_is_refused_by_name(
    file: Callable[[str], Path], text: str
) -> None:
    with pytest.raises(ConfigError, match=r"run\.yaml"):
        load_config(file(text))


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml(.|\n)*cannot be read"):
        load_config(tmp_path / "nothing.yaml")


def test_overrides_replace_values_and_whole_sections(file: Callable[[str], Path]) -> None:
    path = file(MINIMAL + "blowout: {edge: sharp, chi: auto}\n")
    config = load_config(
        path, {"temperature.T0": 3000, "material.rho": 3270.0, "blowout": {"edge": "sharp"}}
    )
    assert (config.temperature.T0, config.material.rho, config.blowout.chi) == (3000.0, 3270.0, 1.0)
    assert load_config(path).temperature.T0 == 4000.0


def test_merging_leaves_what_it_merged_alone() -> None:
    content: dict[str, Any] = {"a": {"b": {"c": 1, "d": 2}}, "e": 3}
    assert merge(content, {"a.b.c": 9, "f.g": 7}) == {
        "a": {"b": {"c": 9, "d": 2}},
        "e": 3,
        "f": {"g": 7},
    }
    assert content == {"a": {"b": {"c": 1, "d": 2}}, "e": 3}


def test_variations_of_a_base_are_the_configurations_built_alone(
    file: Callable[[str], Path],
) -> None:
    base = read_config(file(MINIMAL))
    variations = Variations(base)
    wrong = {"temperature.T0": -1.0}
    for overrides in (
        {},
        {"temperature.T0": 3000.0},
        {"disk": {"r_in_RM": 1.5, "r_out_RM": 2.0}},
        wrong,
        {"material.rho": 2000.0},
        {},
    ):
        if overrides is wrong:
            with pytest.raises(ConfigError, match=r"temperature\.T0"):
                variations.config(overrides)
            continue
        alone = build_config(merge(base, overrides))
        assert variations.config(overrides) == alone
        assert variations.config(overrides).digest() == alone.digest()


@pytest.mark.parametrize("name", ["melt", "baseline"])
def test_shipped_configurations_are_valid(shipped: Callable[..., RunConfig], name: str) -> None:
    assert len(shipped(name).digest()) == 32


def test_a_configuration_is_frozen(shipped: Callable[..., RunConfig]) -> None:
    config = shipped("melt_simple")
    with pytest.raises(ValidationError):
        config.material.rho = 2000.0  # type: ignore[misc]
    with pytest.raises(ValidationError):
        config.disk = config.disk  # type: ignore[misc]


def test_the_rows_of_a_q_star_table_are_frozen_too(shipped: Callable[..., RunConfig]) -> None:
    config = shipped("melt_simple", {"qstar.table": [[3.0, 1e7, 0.38, 0.3, 1.36]]})
    digest = config.digest()
    with contextlib.suppress(TypeError):  # what frozen rows would raise
        config.qstar.table[0][1] = 2e7  # type: ignore[index, call-overload]
    assert config.digest() == digest
    assert isinstance(hash(config), int)


def test_the_digest_does_not_depend_on_the_order_or_spelling_of_keys(
    file: Callable[[str], Path],
) -> None:
    plain = load_config(file(MINIMAL)).digest()
    assert load_config(file("\n".join(reversed(MINIMAL.splitlines())))).digest() == plain
    assert (
        load_config(file(MINIMAL.replace("1e-7", "0.1e-6").replace("4000.0", "4000"))).digest()
        == plain
    )
    assert load_config(file(MINIMAL + "material: {rho: 3000.0}\n")).digest() == plain, (
        "a default that is written out"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature.T0": 4000.1},
        {"material.rho": 3001.0},
        {"blowout.edge": "sharp"},
        {"numerics.rtol": 1e-4},
        {"output.samples": 64},
        {"radiation.Q_pr": 1.0},
        {"optical_depth.opacity": "planck"},
    ],
    ids=str,
)
def test_the_digest_changes_with_any_key(
    file: Callable[[str], Path], changes: dict[str, Any]
) -> None:
    path = file(MINIMAL)
    assert load_config(path).digest() != load_config(path, changes).digest()


TABLES = {
    "radiation.Q_pr": ("qpr.csv", QPR, "1.1", "1.2"),
    "optical_depth.Q_ext": ("qext.csv", QEXT, "1.1", "1.2"),
    "temperature.path": ("cooling.csv", COOLING, "2000", "2100"),
}
LINES = {
    "radiation.Q_pr": "radiation: {Q_pr: qpr.csv}\n",
    "optical_depth.Q_ext": "optical_depth: {opacity: planck, Q_ext: qext.csv}\n",
    "temperature.path": "",
}


def with_table(folder: Path, key: str, text: str) -> RunConfig:
    folder.mkdir(exist_ok=True)
    name = TABLES[key][0]
    (folder / name).write_text(text, encoding="utf-8")
    cooling = MINIMAL
    if key == "temperature.path":
        cooling = MINIMAL.replace("law: slab, T0: 4000.0", f"law: table, path: {name}")
    (folder / "run.yaml").write_text(cooling + LINES[key], encoding="utf-8")
    return load_config(folder / "run.yaml")


@pytest.mark.parametrize("key", TABLES)
def test_the_digest_follows_the_content_of_a_table_and_not_its_place(
    tmp_path: Path, key: str
) -> None:
    _, text, old, new = TABLES[key]
    original, moved, changed = (
        with_table(tmp_path / name, key, t)
        for name, t in (("a", text), ("b", text), ("c", text.replace(old, new)))
    )
    assert original.digest() == moved.digest()
    assert original.digest() != changed.digest()
    assert set(original.table_digests()) == {"radiation.Q_pr", key}
    assert original.table_digests()[key] != changed.table_digests()[key]


def test_a_copy_of_the_shipped_table_has_the_digest_of_the_shipped_one(
    tmp_path: Path, file: Callable[[str], Path]
) -> None:
    shutil.copy(
        Path(marsdisk.__file__).parent / "data" / "qpr_forsterite.csv", tmp_path / "copy.csv"
    )
    assert (
        load_config(file(MINIMAL + "radiation: {Q_pr: copy.csv}\n")).digest()
        == load_config(file(MINIMAL)).digest()
    )
    data = Path(marsdisk.__file__).parent / "data"
    shutil.copy(data / "qext_forsterite.csv", tmp_path / "copy.csv")
    with_copy = load_config(file(MINIMAL + "optical_depth: {opacity: planck, Q_ext: copy.csv}\n"))
    shipped = load_config(file(MINIMAL), {"optical_depth.opacity": "planck"})
    assert with_copy.digest() == shipped.digest()


def test_extinction_is_part_of_a_run_with_planck_opacity_only(file: Callable[[str], Path]) -> None:
    path = file(MINIMAL)
    geometric = load_config(path)
    planck = load_config(path, {"optical_depth.opacity": "planck"})
    assert geometric.q_ext() is None
    assert planck.q_ext() is shipped_qext_table("forsterite")
    assert geometric.table_digests().keys() == {"radiation.Q_pr"}
    assert planck.table_digests() == {
        **geometric.table_digests(),
        "optical_depth.Q_ext": shipped_qext_table("forsterite").digest,
    }


def test_each_table_of_efficiencies_is_refused_in_the_place_of_the_other(tmp_path: Path) -> None:
    pressure = with_table(tmp_path / "a", "radiation.Q_pr", QEXT)
    message = r"radiation\.Q_pr = .*: a table of <Q_ext>, where one of <Q_pr> is needed"
    with pytest.raises(ConfigError, match=message):
        pressure.q_pr()
    extinction = with_table(tmp_path / "b", "optical_depth.Q_ext", QPR)
    message = r"optical_depth\.Q_ext = .*: a table of <Q_pr>, where one of <Q_ext> is needed"
    with pytest.raises(ConfigError, match=message):
        extinction.q_ext()


def test_a_table_named_on_the_command_line_is_sought_where_the_user_is(
    tmp_path: Path, file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "qext.csv").write_text(QEXT, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    planck = {"optical_depth.opacity": "planck", "optical_depth.Q_ext": "qext.csv"}
    config = load_config(file(MINIMAL), planck)
    assert config.optical_depth.Q_ext == str(tmp_path / "here" / "qext.csv")
    table = config.q_ext()
    assert table is not None
    assert table.name == "qext"


@pytest.mark.parametrize("key", TABLES)
@pytest.mark.parametrize("ask", [RunConfig.digest, RunConfig.table_digests])
def test_a_missing_table_is_a_configuration_error(
    tmp_path: Path, key: str, ask: Callable[[RunConfig], Any]
) -> None:
    config = with_table(tmp_path / "a", key, TABLES[key][1])
    (tmp_path / "a" / TABLES[key][0]).unlink()
    with pytest.raises(ConfigError, match=key):
        ask(config)
