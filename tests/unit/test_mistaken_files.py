"""Files and folders that are given where another kind is asked for are named for what they are."""

from pathlib import Path

import pytest

from marsdisk.common.errors import ConfigError
from marsdisk.config import load_config
from marsdisk.config.builtin import configurations, folder, located, sweeps

CONFIGS = folder()


@pytest.mark.parametrize("path", sweeps(), ids=lambda path: path.stem)
def test_a_sweep_file_is_no_configuration(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a sweep file .*; sweep run takes it"):
        load_config(path)


def test_a_store_and_a_folder_are_no_configurations(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder, not a YAML file"):
        load_config(tmp_path)
    (tmp_path / "zarr.json").touch()
    with pytest.raises(ConfigError, match="is a store of results, not a YAML file; sweep show"):
        load_config(tmp_path)


@pytest.mark.parametrize("path", configurations(), ids=lambda path: path.stem)
def test_what_comes_with_the_program_is_found_by_its_name(path: Path) -> None:
    for name in (path.stem, path.name):
        assert located(f"builtin:{name}") == path
    assert load_config(f"builtin:{path.stem}") == load_config(path)


def test_a_path_is_taken_as_it_is() -> None:
    assert located("configs/a.yaml") == Path("configs/a.yaml")
    assert located(Path("builtin:mars_0d_melt")) == CONFIGS / "mars_0d_melt.yaml"


@pytest.mark.parametrize("name", ["", "mars_0d_mel", "../pyproject", "sweeps/map1", "README"])
def test_another_name_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(ConfigError, match=r"nothing of this name .* mars_0d_melt,"):
        load_config(f"builtin:{name}")


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(ConfigError, match="did you mean builtin:mars_0d_melt"):
        load_config("builtin:mars_0d_mel")
