"""The table of runs: chosen by a condition, sorted, and as wide as the terminal."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console
from small_sweeps import HOSTILE, in_one_line

import sweep.cli.commands
from sweep.common.text import text
from sweep.report.tables import runs_table
from sweep.results.columns import Columns, in_sequence
from sweep.store.store import Store


def shown(store: Path, *arguments: str) -> str:
    done = CliRunner().invoke(sweep.cli.commands.main, ["show", str(store), *arguments])
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def runs_of(printed: str) -> list[int]:
    return [int(match[1]) for match in re.finditer(r"^│ +(\d+)(?: \*)? │", printed, re.MULTILINE)]


@pytest.mark.parametrize(
    ("condition", "runs"),
    [
        ('T0 > 3500 and status == "failed"', [4, 7, 13, 16]),
        ("status == 'pending'", [2, 3]),
        ("stop_reason == 'loss_rate' and ring == 0", [5, 8]),
        ("M_loss > 1e-12 and not variant == 'early'", [0, 6]),
        ("run in (0, 17) or run > 15", [0, 16, 17]),
        ("T0 > 9000", []),
    ],
)
def test_show_lists_the_runs_for_which_a_condition_holds(
    mixed: Path, condition: str, runs: list[int]
) -> None:
    printed = shown(mixed, "--where", condition, "--columns", "T0,status")
    assert runs_of(printed) == runs
    assert f"\n{len(runs)} of 18 runs\n" in printed


def test_runs_are_sorted_either_way_and_those_without_a_value_come_last(mixed: Path) -> None:
    columns = Columns(Store.open(mixed))
    loss = columns["M_loss"]
    runs = np.arange(18)
    up, down = (in_sequence(columns, runs, by) for by in ("M_loss", "-M_loss"))
    done = np.isfinite(loss)
    for order, sign in ((up, 1.0), (down, -1.0)):
        assert (np.diff(sign * loss[order[: done.sum()]]) >= 0.0).all()
        assert order[done.sum() :].tolist() == np.flatnonzero(~done).tolist()
    # equal ones keep their order
    assert in_sequence(columns, runs, "-T0").tolist() == sorted(
        runs, key=lambda run: -columns["T0"][run]
    )
    assert runs_of(shown(mixed, "--sort", "-M_loss", "--rows", "1", "--columns", "M_loss")) == [
        int(down[0])
    ]


def test_what_is_not_committed_is_not_shown(mixed: Path) -> None:
    # a worker wrote it, but its block was not committed
    assert np.isfinite(Store.open(mixed).column("M_loss")[2])
    assert re.search(
        r"│ +2 │ pending │ +- │ +- │", shown(mixed, "--columns", "status,M_loss,stop_reason")
    )


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160, 200])
def test_a_table_is_as_wide_as_the_terminal_and_names_what_it_leaves_out(
    finished: Path, width: int
) -> None:
    columns = Columns(Store.open(finished))
    output = io.StringIO()
    Console(file=output, width=width).print(
        runs_table(columns, None, np.arange(6), rows=4, width=width)
    )
    lines = output.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    printed = in_one_line(output.getvalue())
    assert "2 more runs; --rows shows them" in printed
    left_out = re.search(r"no room for (.*); choose with --columns", printed)
    for name in (
        "T0",
        "r_in_RM",
        "r_out_RM",
        "ring",
        "status",
        "M_loss",
        "t99",
        "tau_max",
        "stop_reason",
    ):
        assert (name in printed.partition("no room")[0]) != bool(
            left_out and name in left_out[1].split(", ")
        )
    assert "3000" in printed
    assert "T0" in printed.partition("no room")[0]
    assert bool(left_out) == (width < 99)


def test_chosen_columns_are_left_out_from_the_last(finished: Path) -> None:
    output = io.StringIO()
    names = ["M_loss", "worker", "t99", "T0", "run_id"]
    Console(file=output, width=44).print(
        runs_table(Columns(Store.open(finished)), names, np.arange(6), rows=6, width=44)
    )
    assert "no room for T0, run_id" in in_one_line(
        output.getvalue()
    ) or "no room for t99, T0, run_id" in in_one_line(output.getvalue())


def test_hostile_text_reaches_no_terminal(mixed: Path) -> None:
    printed = shown(mixed, "--columns", "variant", "--where", "status == 'failed'")
    assert "\u202e" not in printed
    assert '=1+1 <script>alert("x")</script> & $x_{^ \\u202e' in in_one_line(printed)
    assert text("\x1b[31mred\x07\r\n") == "\\x1b[31mred\\x07\\x0d\\x0a"
    assert text(HOSTILE).isprintable()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "T_0 > 1"], "there is no T_0; did you mean T0?"),
        (["--where", "status == failed"], "for the text write 'failed'"),
        (["--where", "T0"], "this is a number, not a condition"),
        (["--sort", "M_los"], "'M_los' is no array with one value per run"),
        (["--columns", "T0,"], "the name of a column is empty; write --columns T0,M_loss"),
    ],
)
def test_bad_input_is_said(finished: Path, arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(sweep.cli.commands.main, ["show", str(finished), *arguments])
    assert done.exit_code == 2
    assert message in in_one_line(done.stderr)


def test_cache_sums_are_of_the_chosen_runs(finished: Path) -> None:
    group = Store.open(finished)
    hits = group.column("cache_hits")
    first = in_one_line(shown(finished, "--cache", "--where", "run == 1"))
    assert f"│ weights_table │ {hits[1, 0]} │" in first
    assert f"│ weights_table │ {hits[:, 0].sum()} │" in in_one_line(shown(finished, "--cache"))
