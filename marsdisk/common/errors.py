"""Errors that a user can act on: what happened, where, what to do.

The command line prints their text without a traceback.
"""

from .url_secrets import without_passwords


class MarsDiskError(Exception):
    """Base of every error that this project raises on purpose.

    Its text quotes what people typed, but no secret of a URL.
    """

    def __str__(self) -> str:
        return without_passwords(super().__str__())


class ConfigError(MarsDiskError, ValueError):
    """A configuration that cannot be run.

    Parameters
    ----------
    problems : list of str
        One line for each thing that is wrong.
    where : str
        The file, if there is one.
    """

    def __init__(self, problems: list[str], where: str = "") -> None:
        self.problems = [without_passwords(problem) for problem in problems]
        self.where = where
        heading = f"{where}:" if where else "bad configuration:"
        lines = [f"  {problem}" for problem in self.problems]
        super().__init__("\n".join([heading, *lines]))

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[list[str], str]]:
        return type(self), (self.problems, self.where)


class SolverError(MarsDiskError, ArithmeticError):
    """A run whose integration could not reach its end."""


class CacheError(MarsDiskError, RuntimeError):
    """A cache used in a way that could change a number."""


class CacheRefusedError(CacheError, ValueError):
    """A value that is not finite was about to be cached."""
