"""A line that a person can copy into a shell."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

#: What follows is no option, even if it begins with a dash.
END_OF_OPTIONS = "--"


@dataclass(frozen=True)
class Command:
    """A line that a person can copy into a shell, each word quoted where the shell asks for it.

    Every such line of a message, table, card, or page is one of these, for the paths and values in
    it are the user's: they may have spaces, quotes, or ``$``, or begin with a dash.

    Examples
    --------
    >>> str(Command.sweep("show", "my results/a.zarr", columns="status,error"))
    "sweep show 'my results/a.zarr' --columns status,error"
    """

    words: tuple[str, ...]

    @classmethod
    def sweep(cls, verb: str, *arguments: object, **options: object) -> "Command":
        """Return a command of ``sweep``.

        Parameters
        ----------
        verb : str
            Such as ``run``.
        *arguments : object
            In the order of the command, each a word whatever is in it.
        **options : object
            Options by name, with ``_`` for ``-``: True for one without a value, a list for one that
            is repeated; False or None leaves it out.

        Examples
        --------
        >>> str(Command.sweep("doctor", "-a.zarr", repair=True))
        'sweep doctor --repair -- -a.zarr'
        """
        words = tuple(map(str, arguments))
        if any(word.startswith("-") for word in words):
            words = (END_OF_OPTIONS, *words)
        return cls(("sweep", verb, *words)).with_options(**options)

    @classmethod
    def typed(cls) -> "Command":
        """Return the command of ``sweep`` that this process was started with."""
        return cls(("sweep", *sys.argv[1:]))

    @classmethod
    def parsed(cls, line: str) -> "Command":
        """Return the command that a line holds."""
        return cls(tuple(shlex.split(line)))

    def with_options(self, **options: object) -> "Command":
        """Return the command with more options at its end, given as to :meth:`sweep`."""
        end = len(self.words)
        if END_OF_OPTIONS in self.words:
            end = self.words.index(END_OF_OPTIONS)
        return replace(self, words=(*self.words[:end], *_words(options), *self.words[end:]))

    def __str__(self) -> str:
        return shlex.join(self.words)


def _words(options: Mapping[str, object]) -> Iterator[str]:
    """Yield the words of options."""
    for name, given in options.items():
        option = f"--{name.replace('_', '-')}"
        if given is None or given is False:
            continue
        if given is True:
            yield option
            continue
        for value in given if isinstance(given, list | tuple) else [given]:
            word = str(value)
            if word.startswith("-"):
                yield f"{option}={word}"
            else:
                yield option
                yield word
