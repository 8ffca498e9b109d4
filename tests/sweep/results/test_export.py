"""Exported files hold the store's numbers bit for bit, with units, without uncommitted ones."""

import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xarray
from click.testing import CliRunner
from small_sweeps import HOSTILE

import sweep.cli.commands
from sweep.common.errors import StoreError
from sweep.results import export
from sweep.results.columns import Columns
from sweep.store.store import Store

FORMATS = ("csv", "parquet", "netcdf")


def exported(store: Path, out: Path, *arguments: str) -> Any:
    done = CliRunner().invoke(
        sweep.cli.commands.main,
        [
            "export",
            str(store),
            "--to",
            {".csv": "csv", ".nc": "netcdf"}.get(out.suffix, "parquet"),
            "--out",
            str(out),
            *arguments,
        ],
    )
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert done.stdout.endswith(f"written to {out}\n")
    assert [file.name for file in out.parent.iterdir()] == [out.name]
    return done.stdout


def read_csv(path: Path) -> dict[str, list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        heads, *rows = csv.reader(file)
    columns = map(list, zip(*rows, strict=True))
    return dict(zip(heads, columns, strict=True))


def test_csv_has_units_in_its_heads_and_every_digit(mixed: Path, tmp_path: Path) -> None:
    assert "\n18 rows written" in exported(mixed, tmp_path / "all.csv")
    table = read_csv(tmp_path / "all.csv")
    stored = Columns(Store.open(mixed))
    assert set(table) > {
        "run",
        "T0 [K]",
        "M_loss [M_Mars]",
        "t99 [s]",
        "status",
        "error",
        "variant",
    }
    for name in ("M_loss", "t99", "T0", "ledger_error"):
        head = next(head for head in table if head.split(" [")[0] == name)
        assert (
            np.array([float(text) for text in table[head]]).tobytes()
            == stored[name].astype(float).tobytes()
        )
    assert table["status"] == stored["status"].tolist()
    assert table["variant"][1] == HOSTILE
    assert table["status"][2] == "pending"
    assert table["M_loss [M_Mars]"][2] == "nan"
    assert table["stop_reason"][2] == "not_yet"


def test_parquet_has_units_in_its_metadata_and_in_pandas(mixed: Path, tmp_path: Path) -> None:
    exported(mixed, tmp_path / "all.parquet")
    table = pq.read_table(tmp_path / "all.parquet")
    stored = Columns(Store.open(mixed))
    assert table.column_names[:3] == ["run", "T0", "r_in_RM"]
    for name in table.column_names:
        column = table[name].to_numpy(zero_copy_only=False)
        assert (
            column.tolist() == stored[name].tolist()
            or column.tobytes() == stored[name].astype(column.dtype).tobytes()
        )
    assert table.schema.field("M_loss").metadata == {
        b"units": b"M_Mars",
        b"long_name": b"mass lost",
    }
    frame = pd.read_parquet(tmp_path / "all.parquet")
    assert frame.attrs["units"]["t99"] == "s"
    assert frame.attrs["provenance"]["model_version"]
    assert frame.status.value_counts().to_dict() == {"done": 10, "failed": 6, "pending": 2}


def test_netcdf_opens_in_xarray_with_flags_and_units(mixed: Path, tmp_path: Path) -> None:
    exported(
        mixed,
        tmp_path / "all.nc",
        "--series",
        "--columns",
        "M_loss,status,stop_reason,variant,T0,in_product,run_id",
    )
    group = Store.open(mixed)
    stored = Columns(group)
    with xarray.open_dataset(tmp_path / "all.nc") as dataset:
        assert dataset.M_loss.values.tobytes() == stored["M_loss"].tobytes()
        assert dataset.M_loss.attrs["units"] == "6.4171e+23 kg"
        assert dataset.M_loss.attrs["store_units"] == "M_Mars"
        assert dataset.status.dtype == np.uint8
        assert dict(
            zip(
                dataset.status.attrs["flag_values"].tolist(),
                dataset.status.attrs["flag_meanings"].split(),
                strict=True,
            )
        ) == {
            0: "pending",
            1: "done",
            2: "failed",
            3: "unused",
        }
        assert "T0" in dataset.M_loss.coords
        assert dataset.variant.values[1] == HOSTILE
        assert dataset.tau_los.dims == ("run", "sample")
        done = stored.where("status == 'done'")
        assert dataset.tau_los.values[done].tobytes() == group.column("tau_los")[done].tobytes()
        assert np.isnan(dataset.tau_los.values[2]).all()
        assert json.loads(dataset.attrs["provenance"])["packages"]["numpy"]


def test_a_table_of_series_has_a_row_for_each_run_and_sample(mixed: Path, tmp_path: Path) -> None:
    exported(
        mixed, tmp_path / "series.parquet", "--series", "--where", "stop_reason == 'loss_rate'"
    )
    frame = pq.read_table(tmp_path / "series.parquet").to_pydict()
    group = Store.open(mixed)
    runs = Columns(group).where("stop_reason == 'loss_rate'")
    assert frame["run"] == np.repeat(runs, 8).tolist()
    assert frame["sample"] == list(range(8)) * runs.size
    assert np.array(frame["Sigma"]).tobytes() == group.column("Sigma")[runs].tobytes()
    assert frame["T0"] == np.repeat(group.column("T0")[runs], 8).tolist()


@pytest.mark.parametrize("to", FORMATS)
def test_the_file_does_not_depend_on_how_many_blocks_are_read_at_a_time(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    selection = export.Extract.of(Store.open(mixed), "ring == 1", series=True)
    contents = []
    for at_once in (1, 5, 2000):
        monkeypatch.setattr(export, "AT_ONCE", at_once)
        assert export.export(selection, to, tmp_path / "file") == (9 if to == "netcdf" else 72)
        if to == "csv":
            contents.append(str(read_csv(tmp_path / "file")))
        elif to == "parquet":
            contents.append(str(pq.read_table(tmp_path / "file").to_pydict()))
        else:
            with xarray.open_dataset(tmp_path / "file", engine="h5netcdf") as dataset:
                contents.append(
                    str(
                        {name: values.values.tolist() for name, values in dataset.variables.items()}
                    )
                )
    assert contents[0] == contents[1] == contents[2]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".nc"])
def test_no_run_makes_a_file_without_rows(mixed: Path, tmp_path: Path, suffix: str) -> None:
    assert exported(
        mixed, tmp_path / f"none{suffix}", "--where", "T0 > 1e6", "--columns", "T0,variant,M_loss"
    ).startswith("0 r")
    if suffix == ".nc":
        with xarray.open_dataset(tmp_path / "none.nc") as dataset:
            assert dataset.sizes["run"] == 0
    elif suffix == ".csv":
        assert (tmp_path / "none.csv").read_text(
            encoding="utf-8"
        ) == "run,T0 [K],variant,M_loss [M_Mars]\n"
    else:
        assert pq.read_table(tmp_path / "none.parquet").column_names == [
            "run",
            "T0",
            "variant",
            "M_loss",
        ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--to csv --columns T_0", "'T_0' is no array with one value per run"),
        ("--to csv --where T0>", "syntax error"),
        (
            "--to netcdf --out no/file.nc",
            (
                "no/file.nc cannot be written: No such file or directory; choose another path with"
                " --out"
            ),
        ),
        ("--to excel", "'excel' is not one of 'csv', 'parquet', 'netcdf'"),
    ],
)
def test_what_cannot_be_exported_is_said(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        sweep.cli.commands.main, ["export", str(finished), *arguments.split()]
    )
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("to", "package"), [("parquet", "pyarrow"), ("netcdf", "h5netcdf")])
def test_a_missing_package_is_named_with_what_to_install(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        export.ExportError,
        match=rf"{to} needs {package}, which is not installed: pip install 'marsdisk\[export\]'",
    ):
        export.export(export.Extract.of(Store.open(finished)), to, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", FORMATS)
def test_a_chunk_that_is_gone_is_no_hole_in_the_file(
    finished: Path, tmp_path: Path, to: str
) -> None:
    store = Path(shutil.copytree(finished, tmp_path / "s.zarr"))
    (store / "Sigma" / "c" / "1" / "0").unlink()
    chosen = export.Extract.of(Store.open(store), series=True)
    with pytest.raises(StoreError, match=r"Sigma is damaged: Sigma/c/1 is missing"):
        export.export(chosen, to, tmp_path / f"out.{to}")
    assert not (tmp_path / f"out.{to}").exists()
