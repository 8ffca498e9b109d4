"""Errors form one tree, derive from builtins that callers catch, and can be pickled."""

import pickle

import pytest

from marsdisk.common.errors import (
    CacheError,
    CacheRefusedError,
    ConfigError,
    MarsDiskError,
    SolverError,
)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ConfigError, ValueError),
        (SolverError, ArithmeticError),
        (CacheError, RuntimeError),
        (CacheRefusedError, ValueError),
    ],
)
def test_every_error_is_ours_and_a_builtin(
    error: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(error, MarsDiskError)
    assert issubclass(error, builtin)


def test_a_configuration_error_keeps_its_problems_when_pickled() -> None:
    before = ConfigError(["a.b = 1: must be 2", "c is missing"], "run.yaml")
    after = pickle.loads(pickle.dumps(before))
    assert (str(after), after.problems, after.where) == (str(before), before.problems, before.where)


@pytest.mark.parametrize(
    "error",
    [SolverError("too many steps"), CacheError("another thread"), CacheRefusedError("not finite")],
)
def test_other_errors_keep_their_text_when_pickled(error: MarsDiskError) -> None:
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
