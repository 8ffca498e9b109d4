"""Runs that fail: repeated alone, counted against a limit, and ended when they take too long."""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_sweeps import assert_same_bits, in_one_line, run_command, run_here, sweep_file

import sweep
import sweep.workers.block
from marsdisk.accuracy.convergence import check_run
from marsdisk.cache import RunCache
from marsdisk.common.errors import SolverError
from marsdisk.config import RunConfig
from marsdisk.zero_d import ensure_compiled, finish, prepare, run_zero_d, solve
from sweep.common.errors import TooManyFailures
from sweep.running.progress import Allowance
from sweep.store.store import Store
from sweep.workers.time_limit import Watch

Shipped = Callable[..., RunConfig]
T0 = {"temperature.T0": [3000.0, 3250.0, 3500.0, 3750.0, 4000.0]}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[float]], None]:
    """Return a function that makes runs with given T0 fail."""
    solve_normally = sweep.workers.block.solve

    def fail(bad: set[float]) -> None:
        def solve(run: Any) -> Any:
            if run.config.temperature.T0 in bad:
                raise RuntimeError("no such luck")
            return solve_normally(run)

        monkeypatch.setattr(sweep.workers.block, "solve", solve)

    return fail


def test_failed_runs_run_again_alone_and_the_others_stay_as_they_are(
    tmp_path: Path, failing: Callable[[set[float]], None]
) -> None:
    file = sweep_file(tmp_path, axes=T0, block=4)
    store = tmp_path / "s.zarr"
    failing({3250.0, 3750.0, 4000.0})
    run_here(file, store)
    before = sweep.open_store(store).load()
    assert before.status.values.tolist() == [1, 2, 1, 2, 2]
    failing({3750.0})
    run_here(file, store)
    assert sweep.open_store(store).status.values.tolist() == [
        1,
        2,
        1,
        2,
        2,
    ], "not without being asked"
    run_here(file, store, retry_failed=True)
    after = sweep.open_store(store).load()
    assert after.status.values.tolist() == [1, 1, 1, 2, 1]
    assert after.attempt.values.tolist() == [1, 2, 1, 2, 2]
    assert after.error.values.tolist() == ["", "", "", before.error.values[3], ""]
    assert after.isel(run=[0, 2]).identical(before.isel(run=[0, 2]))
    failing(set())
    run_here(file, store, retry_failed=True)
    run_here(file, tmp_path / "undisturbed.zarr")
    assert_same_bits(store, tmp_path / "undisturbed.zarr")
    assert sweep.open_store(store).attempt.values.tolist() == [1, 2, 1, 3, 2]


def test_checks_of_runs_that_are_run_again_are_made_and_others_kept(
    tmp_path: Path, failing: Callable[[set[float]], None]
) -> None:
    file = sweep_file(tmp_path, axes=T0, block=5, accuracy={"fraction": 1.0})
    store = tmp_path / "s.zarr"
    failing({3250.0})
    run_here(file, store)
    failing(set())
    run_here(file, store, retry_failed=True)
    run_here(file, tmp_path / "undisturbed.zarr")
    assert_same_bits(store, tmp_path / "undisturbed.zarr")


def test_a_sweep_stops_when_more_runs_fail_than_are_allowed(
    tmp_path: Path, failing: Callable[[set[float]], None]
) -> None:
    file = sweep_file(tmp_path, axes=T0, block=1)
    store = tmp_path / "s.zarr"
    failing({3000.0, 3250.0})
    with pytest.raises(
        TooManyFailures, match="2 of 2 finished runs failed, and the limit of 1 allows no more"
    ):
        run_here(file, store, allowed=Allowance("1"))
    assert (Store.open(store).counts().failed, Store.open(store).counts().pending) == (2, 3)
    with pytest.raises(TooManyFailures):  # what failed before counts, too
        run_here(file, store, allowed=Allowance("1"))
    assert Store.open(store).counts().pending == 3
    run_here(file, store, allowed=Allowance("2"))
    assert (Store.open(store).counts().failed, Store.open(store).counts().pending) == (2, 0)
    failing(set())
    run_here(file, store, allowed=Allowance("0"), retry_failed=True)
    assert Store.open(store).counts().done == 5


@pytest.mark.parametrize(
    ("text", "failed", "finished", "exceeded"),
    [
        ("0", 1, 1, True),
        ("3", 3, 3, False),
        ("3", 4, 1000, True),
        ("10%", 19, 19, False),
        ("10%", 3, 20, True),
        ("10%", 2, 20, False),
    ],
)
def test_a_share_is_judged_once_enough_runs_have_finished(
    text: str, failed: int, finished: int, exceeded: bool
) -> None:
    assert Allowance(text).exceeded(failed, finished) is exceeded


def test_the_command_ends_with_the_failures_and_how_to_go_on(tmp_path: Path) -> None:
    variants = {f"short_{i}": {"numerics.max_steps": i} for i in (2, 3, 4)} | {"good": {}}
    sweep_file(
        tmp_path,
        set={"numerics.t_end_years": 0.02, "optical_depth.tau_stop": None},
        variants=variants,
        block=1,
    )
    done = run_command(
        "sweep", "run", "small.yaml", "--workers", 0, "--max-failures", 1, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (1, "")
    text = in_one_line(done.stdout)
    assert "stopped: 2 of 2 finished runs failed, and the limit of 1 allows no more" in text
    assert text.count("run it alone: marsdisk run ") == 2
    assert (
        "when the cause is fixed: sweep run small.yaml --workers 0 --max-failures 1 --retry-failed"
        in text
    )
    assert (
        run_command(
            "sweep", "resume", "results/small.zarr", "--workers", 0, cwd=tmp_path
        ).returncode
        == 1
    )
    resumed = run_command(
        "sweep", "resume", "results/small.zarr", "--workers", 0, "--retry-failed", cwd=tmp_path
    )
    assert "3 runs in 3 blocks into results/small.zarr (1 are committed already)" in resumed.stdout


@pytest.mark.parametrize("text", ["many", "-1", "1.5", "101%", "nan", "inf"])
def test_what_is_no_number_of_runs_is_refused(tmp_path: Path, text: str) -> None:
    sweep_file(tmp_path, axes=T0)
    done = run_command("sweep", "run", "small.yaml", "--max-failures", text, cwd=tmp_path)
    assert done.returncode == 2
    assert "is neither a number of runs, such as 10, nor a percentage, such as 5%" in in_one_line(
        done.stderr.replace("│", "")
    )


OUT_OF_TIME = (
    r"the time limit was reached at t = \S+ s after \d+ steps .*Sigma = \S+ kg/m2, tau_los up to"
    r" \S+, last step \S+ s; .*time_limit"
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dynamics.damping": {"e_eq": 0.1}},
        {"numerics.scheme": "imex_bdf1", "sizes.s_min": 1e-3},
    ],
)
def test_an_alarm_ends_a_run_with_its_last_state(shipped: Shipped, changes: dict[str, Any]) -> None:
    """An alarm set before the run ends it at once; one that is never set changes no bit."""
    config = shipped(
        "melt_simple",
        {
            "numerics.t_end_years": 0.001,
            "blowout.enabled": False,
            "initial": {"s0_mode": "upper"},
            **changes,
        },
    )
    with pytest.raises(SolverError, match=OUT_OF_TIME):
        run_zero_d(config, alarm=np.ones(1, np.int64))
    with pytest.raises(SolverError, match="time limit"):
        check_run(config, alarm=np.ones(1, np.int64))


def set_alarm_of_a_run_that_has_begun(alarm: np.ndarray) -> None:
    """Set the alarm once this process, which integrates, has used 50 ms of processor time."""
    begin = time.process_time()
    while time.process_time() - begin < 0.05:
        time.sleep(0.001)  # the loop waits for processor time of the integrator, not of this thread
    alarm.fill(1)


def test_another_thread_ends_a_run_in_its_middle(shipped: Shipped) -> None:
    ensure_compiled()
    run = prepare(
        shipped(
            "melt_simple",
            {"numerics.rtol": 1e-12, "numerics.atol": 1e-20, "numerics.max_steps": 10**9},
        ),
        RunCache(),
    )
    threading.Thread(target=set_alarm_of_a_run_that_has_begun, args=(run.alarm,)).start()
    with pytest.raises(SolverError, match=OUT_OF_TIME) as error:
        finish(solve(run))
    assert int(re.search(r"after (\d+) steps", str(error.value)).group(1)) > 0  # type: ignore[union-attr]


class Alarm(threading.Event):
    """An alarm that can be waited for: the watch sets it as it sets the element of an array."""

    def __setitem__(self, index: int, value: int) -> None:
        assert (index, value) == (0, 1)
        self.set()


def test_a_watch_sets_the_alarm_of_what_takes_too_long_only() -> None:
    watch = Watch()
    short = Alarm()
    long = Alarm()
    free = Alarm()
    with watch.limited(long, 3600.0), watch.limited(free, None), watch.limited(short, 0.01):
        short.wait()
    assert [alarm.is_set() for alarm in (short, long, free)] == [True, False, False]


def test_a_run_over_the_time_limit_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=time.process_time, sleep=time.sleep)
    # of this process: a busy machine does not make the quick run slow
    monkeypatch.setattr("sweep.workers.time_limit.time", clock)
    slow = {
        "numerics.rtol": 1e-12,
        "numerics.atol": 1e-20,
        "numerics.max_steps": 10**9,
        "numerics.t_end_years": 50.0,
        "sizes.n_bins": 160,
    }
    file = sweep_file(
        tmp_path,
        set={"optical_depth.tau_stop": None},
        variants={"slow": slow, "quick": {"numerics.t_end_years": 1e-4}},
        time_limit=0.05,
    )
    run_here(file, tmp_path / "s.zarr")
    dataset = sweep.open_store(tmp_path / "s.zarr")
    by_name = dict(
        zip(
            dataset.variant.values.tolist(),
            zip(dataset.status.values.tolist(), dataset.error.values.tolist(), strict=True),
            strict=True,
        )
    )
    assert by_name["quick"] == (1, "")
    assert by_name["slow"][0] == 2
    assert re.search(OUT_OF_TIME, by_name["slow"][1])
