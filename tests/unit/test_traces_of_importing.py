"""Importing our packages and compiling our kernels leave the settings of a process as they were."""

import json
import subprocess
import sys
import threading
from typing import Any

import numba
import pytest
from numba.core import event
from test_house_rules import ROOT, SOURCES, name_of, within

from marsdisk import _jit

# sweep.workers.loaded is imported by a process of its own, to set that up
APART = ("__main__.py", "loaded.py")
OURS = [name_of(path) for path in SOURCES if path.name not in APART]

IMPORT_ALL = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps(list(sys.modules)))
"""
#: Imports modules of others and then ours, and tells what the latter have changed of what a process
#: shares.
COMPARE = """
import contextlib, importlib, json, sys
others, ours = json.loads(sys.argv[1])

for name in others:
    with contextlib.suppress(Exception):  # one that cannot be imported alone comes with another
        importlib.import_module(name)

import logging, os, signal, socket, threading, warnings
import dask, numba, numpy, zarr

def loggers():
    known = {name: logging.getLogger(name) for name in list(logging.root.manager.loggerDict)}
    shown = {"root": logging.root, **known}
    return {name: [a.level, a.propagate, a.disabled, len(a.handlers)] for name, a in shown.items()}

def state():
    return {
        "numba": {key: repr(value) for key, value in vars(numba.config).items() if key.isupper()},
        "warnings": [repr(entry) for entry in warnings.filters],
        "loggers": loggers(),
        "logging": [logging.root.manager.disable, repr(logging.getLoggerClass())],
        "numpy": [numpy.geterr(), repr(numpy.geterrcall()), repr(numpy.get_printoptions())],
        "dask": repr(dask.config.config),
        "zarr": repr(zarr.config.to_dict()),
        "environment": dict(os.environ),
        "signals": [repr(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "folder": os.getcwd(),
        "path": sys.path[:],
        "hooks": [repr(hook) for hook in (sys.excepthook, threading.excepthook, sys.displayhook)],
        "streams": [repr(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "threads": threading.active_count(),
        "timeout": socket.getdefaulttimeout(),
        "recursion": sys.getrecursionlimit(),
    }

before = state()
for name in ours:
    importlib.import_module(name)
after = state()
# new loggers of ours may only have the default settings
for name in set(after["loggers"]) - set(before["loggers"]):
    if name.split(".")[0] in ("marsdisk", "sweep"):
        assert after["loggers"].pop(name) == [logging.NOTSET, True, False, 0]
changed = [name for name in before if before[name] != after[name]]
print(json.dumps({name: [before[name], after[name]] for name in changed}))
"""


def run(script: str, argument: object) -> Any:
    words = [sys.executable, "-c", script, json.dumps(argument)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_everything_changes_no_setting_of_the_process() -> None:
    others = [
        name for name in run(IMPORT_ALL, OURS) if not within(name, "marsdisk", "sweep", "__main__")
    ]
    assert {"numba", "dask", "distributed", "zarr", "tornado"} <= set(others)
    assert run(COMPARE, [others, OURS]) == {}


class Compilations(event.Listener):
    """Numba's setting for SLP at the beginning of each compilation."""

    def __init__(self) -> None:
        self.settings: list[int] = []

    def on_start(self, event: Any) -> None:
        self.settings.append(numba.config.SLP_VECTORIZE)

    def on_end(self, event: Any) -> None:
        pass


@pytest.fixture
def kernels_folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jit, "compiled_folder", lambda: tmp_path)


@pytest.mark.usefixtures("kernels_folder")
@pytest.mark.parametrize("others", [0, 1])
def test_the_setting_for_joined_operations_is_ours_only_while_we_compile(
    others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "SLP_VECTORIZE", others)
    double = _jit.kernel(lambda x: 2.0 * x)
    quadruple = _jit.kernel(lambda x: double(double(x)))
    foreign = numba.njit(lambda x: 3.0 * x)
    with event.install_listener("numba:compile", Compilations()) as seen:
        assert quadruple(1.0) == 4.0
        assert others == numba.config.SLP_VECTORIZE
        assert foreign(1.0) == 3.0
        assert double(1) == 2.0  # for a new type it is compiled anew
    assert seen.settings == [1, 1, others, 1]
    assert others == numba.config.SLP_VECTORIZE


@pytest.mark.usefixtures("kernels_folder")
def test_a_kernel_that_cannot_be_compiled_leaves_the_setting_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numba.config, "SLP_VECTORIZE", 0)
    with pytest.raises(numba.core.errors.TypingError):
        _jit.kernel(lambda x: x.nothing_of_the_kind)(1.0)
    assert numba.config.SLP_VECTORIZE == 0


@pytest.mark.usefixtures("kernels_folder")
def test_others_that_compile_at_the_same_time_do_not_see_our_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numba.config, "SLP_VECTORIZE", 0)
    start = threading.Barrier(2)
    settings: dict[str, list[int]] = {"ours": [], "theirs": []}

    class ByThread(Compilations):
        def on_start(self, event: Any) -> None:
            settings[threading.current_thread().name].append(numba.config.SLP_VECTORIZE)

    def adding(number: float) -> Any:
        return lambda x: x + number

    def compile_some(make: Any) -> None:
        start.wait()
        for number in range(6):
            make(adding(number + 0.5))(1.0)

    with event.install_listener("numba:compile", ByThread()):
        threads = [
            threading.Thread(target=compile_some, args=(_jit.kernel,), name="ours"),
            threading.Thread(target=compile_some, args=(numba.njit,), name="theirs"),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert settings == {"ours": [1] * 6, "theirs": [0] * 6}
