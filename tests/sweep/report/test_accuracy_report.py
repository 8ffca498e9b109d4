"""What a sweep reports on accuracy, also from a store with fewer quantities."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from small_sweeps import T0_AND_RINGS, as_of_schema, in_one_line, run_command, run_here, sweep_file
from zarr.codecs import Crc32cCodec

import sweep
from marsdisk.accuracy.convergence import QUANTITIES
from sweep import plots
from sweep.report.closing_lines import accuracy_lines
from sweep.report.run_card import card
from sweep.spec.file import load_sweep
from sweep.store import doctor
from sweep.store.store import Store

ERRORS = ("err_time", "err_bins")
ARRAYS = (*ERRORS, "order_bins")


def said_of(file: Path, store: Path) -> list[str]:
    """Return the report on the accuracy of a sweep, which is run if ``store`` is new."""
    if not store.exists():
        run_here(file, store)
    return accuracy_lines(Store.open(store), load_sweep(file))


def advice(lines: list[str], kind: str, pattern: str) -> tuple[str, ...]:
    (line,) = (line for line in lines if f"for {kind}: " in line)
    match = re.search(pattern, line)
    assert match, line
    return match.groups()


def numbers_of(line: str) -> list[float]:
    return [float(word) for word in line.split()[1:]]


def test_a_run_ends_with_the_errors_of_each_quantity_and_what_to_do(tmp_path: Path) -> None:
    sweep_file(tmp_path, axes=T0_AND_RINGS, accuracy={"fraction": 1.0, "bins_limit": 3e-3})
    done = run_command("sweep", "run", "small.yaml", "--workers", 0, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    text = in_one_line(done.stdout)
    assert (
        "repeated 6 of 6 runs with tighter steps and with half and twice the bins; relative errors:"
        in text
    )
    assert (
        "quantity err_time: largest median over 0.001 err_bins: largest median over 0.003" in text
    )
    dataset = sweep.open_store(tmp_path / "results" / "small.zarr")
    heads = tuple(f"  {name} " for name in QUANTITIES)
    table = [line for line in done.stdout.splitlines() if line.startswith(heads)]
    lines = {line.split()[0]: numbers_of(line) for line in table}
    assert list(lines) == list(QUANTITIES)
    for name, shown in lines.items():
        statistics = []
        for kind, limit in (("err_time", 1e-3), ("err_bins", 3e-3)):
            errors = dataset[kind].sel(quantity=name).dropna("run").values
            statistics += [errors.max(), np.median(errors), (errors > limit).sum()]
        assert shown == pytest.approx(statistics, rel=0.06)
    assert re.search(
        r"6 of them count as done, but are beyond a limit: err_bins of \w+ in 6, ", text
    )
    counts = dict(re.findall(r"err_bins of (\w+) in (\d)", text))
    over = (dataset.err_bins > 3e-3).sum("run")
    assert {name: int(count) for name, count in counts.items()} == {
        name: int(over.sel(quantity=name)) for name in QUANTITIES if over.sel(quantity=name)
    }
    assert {"M_loss", "tau_final", "M_out_dot_max"} <= counts.keys()
    assert re.search(
        r"within both limits in every run: t99 to 0\.00\d+ %, t_end to round-off, tau_max to"
        r" round-off\n",
        done.stdout,
    )
    numbers = advice(
        done.stdout.splitlines(),
        "err_bins",
        r"raise sizes\.n_bins to about (\d+) .*\((\w+) of run (\d) needs most\), or accept the"
        r" error: accuracy: {bins_limit: (\S+)}",
    )
    assert int(numbers[0]) > 50
    assert dataset.err_bins.sel(quantity=numbers[1]).values[int(numbers[2])] > 3e-3
    assert float(numbers[3]) >= np.nanmax(dataset.err_bins.values)
    (line,) = re.findall(r"look closer at run \d: (marsdisk check .*)", done.stdout)
    alone = run_command(*shlex.split(line), cwd=tmp_path)
    assert (alone.returncode, alone.stderr) == (1, "")
    assert "every" not in alone.stdout
    assert "M_loss: err_bins = 0.00" in alone.stdout


GOOD = "all are within the limits: M_loss to 0."
ALL_CHECKED: dict[str, Any] = {"axes": T0_AND_RINGS, "accuracy": {"fraction": 1.0}}


def test_the_limit_that_is_advised_accepts_the_errors(tmp_path: Path) -> None:
    report = said_of(sweep_file(tmp_path, **ALL_CHECKED), tmp_path / "s.zarr")
    (limit,) = advice(
        report, "err_bins", r"accept the error: accuracy: {bins_limit: (\S+)} in the sweep file"
    )
    accepting = {**ALL_CHECKED, "accuracy": {"fraction": 1.0, "bins_limit": float(limit)}}
    assert said_of(sweep_file(tmp_path, **accepting), tmp_path / "s.zarr")[-1].startswith(GOOD)


def test_the_bins_that_are_advised_are_enough_sooner_or_later(tmp_path: Path) -> None:
    """Errors change sign between grids and may be small by accident, so one step may not do."""
    settings = {"numerics.t_end_years": 0.02, "sizes.n_bins": 40}
    bins = []
    for i in range(3):
        report = said_of(sweep_file(tmp_path, **ALL_CHECKED, set=settings), tmp_path / f"{i}.zarr")
        if report[-1].startswith(GOOD):
            break
        bins += advice(report, "err_bins", r"raise sizes\.n_bins to about (\d+) and check again")
        settings["sizes.n_bins"] = int(bins[-1])
    assert report[-1].startswith(GOOD)
    assert bins


def test_the_tolerances_that_are_advised_are_enough_sooner_or_later(tmp_path: Path) -> None:
    """Errors hardly follow a tolerance as loose as 0.1, so one step may not do."""
    given = {"axes": T0_AND_RINGS, "accuracy": {"fraction": 1.0, "bins_limit": 1.0}}
    settings = {"numerics.t_end_years": 0.1, "numerics.rtol": 0.1, "numerics.atol": 3e-4}
    lowered = []
    for i in range(3):
        report = said_of(sweep_file(tmp_path, **given, set=settings), tmp_path / f"{i}.zarr")
        if report[-1].startswith(GOOD):
            break
        pattern = r"lower numerics\.rtol and atol to about (\S+) and (\S+) and check again"
        rtol, atol = map(float, advice(report, "err_time", pattern))
        lowered.append(rtol)
        settings.update({"numerics.rtol": rtol, "numerics.atol": atol})
    assert report[-1].startswith("all are within the limits: ")
    assert lowered


def test_checks_within_their_limits_need_no_advice(checked: Path, tmp_path: Path) -> None:
    generous = sweep_file(
        tmp_path, axes=T0_AND_RINGS, accuracy={"fraction": 0.4, "bins_limit": 1.0}
    )
    report = said_of(generous, checked)
    assert report[0].startswith("repeated 2 of 6 runs")
    assert len(report) == 3 + len(QUANTITIES)
    assert not [line for line in report if "beyond a limit" in line or "marsdisk check" in line]


def as_before_the_errors_were_extrapolated(store: Path) -> None:
    """Turn a store into one that compares three quantities, by plain differences."""
    group = zarr.open_group(store, mode="r+")
    labels = np.array(QUANTITIES[:3], dtype=np.dtypes.StringDType())
    kept = {name: Store.open(store).column(name)[:, :3] for name in ERRORS}
    for name in (*ARRAYS, "quantity"):
        del group[name]
    size = int(str(group.attrs["block_size"]))
    columns = {"quantity": (labels, (3,)), **{name: (kept[name], (size, 3)) for name in ERRORS}}
    for name, (values, chunks) in columns.items():
        array = group.create_array(
            name,
            shape=values.shape,
            chunks=chunks,
            dtype=values.dtype,
            fill_value="" if name == "quantity" else float("nan"),
            compressors=[Crc32cCodec()],
            dimension_names=("run", "quantity")[-values.ndim :],
            attributes=(
                {} if name == "quantity" else {"units": "1", "long_name": "relative difference"}
            ),
            config={"write_empty_chunks": True},
        )
        array[:] = values


def test_a_store_with_fewer_quantities_is_read_by_its_own_labels(
    checked: Path, tmp_path: Path
) -> None:
    store = tmp_path / "old.zarr"
    shutil.copytree(checked, store)
    as_before_the_errors_were_extrapolated(store)
    as_of_schema(store, 2)
    before = sweep.open_store(checked)
    group = Store.open(store)
    assert [finding.kind for finding in doctor.examine(store, deep=True).findings] == []
    assert sweep.open_store(store).err_bins.sel(quantity="t99").values.tolist() == pytest.approx(
        before.err_bins.sel(quantity="t99").values.tolist(), nan_ok=True
    )
    report = said_of(checked.parent / "small.yaml", store)
    assert [line.split()[0] for line in report[2:5]] == ["M_loss", "t99", "Sigma_final"]
    assert "all are within the limits: M_loss to 0." in report[5]
    run = int(np.flatnonzero(before.err_bins.notnull().all("quantity"))[0])
    text = card(group, run)
    assert "| Sigma_final | " in text
    assert "tau_final" not in text.partition("## Accuracy")[2]
    assert "order_bins" not in text
    axes = plots.draw(store, "convergence").axes[1]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "M_loss",
        "t99",
        "Sigma_final",
    ]
