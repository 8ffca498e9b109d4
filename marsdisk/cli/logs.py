"""How much a command says, and the file that its log goes to: -q, -v, --debug, and --log."""

import logging
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import click

from ..common.logs import MESSAGES
from ..common.text import printable
from ..common.url_secrets import without_passwords

LOGGERS = ("marsdisk", "sweep")
LINE_OF_TERMINAL = "%(levelname)s %(name)s: %(message)s"
LINE_OF_FILE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: ISO 8601 with the distance from UTC, for logs of several machines are read side by side.
TIME_OF_FILE = "%Y-%m-%dT%H:%M:%S%z"


@dataclass
class Output:
    """What the options of a command line ask for.

    Parameters
    ----------
    quiet : bool
        Whether only results and errors are printed.
    verbose : bool
        Whether the log is printed, too.
    debug : bool
        Whether tracebacks are printed, and a line of the log for each run of this process.
    log_file : str
        The file that the log goes to, if any.
    """

    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    log_file: str | None = None

    @classmethod
    def of(cls, context: click.Context) -> "Output":
        """Return that of a command line, which all of its contexts share."""
        output: Output = context.meta.setdefault(__name__, cls())
        return output

    @property
    def level_of_terminal(self) -> int:
        """The level from which records of the log are printed."""
        if self.debug:
            return logging.DEBUG
        if self.verbose:
            return logging.INFO
        return logging.ERROR if self.quiet else logging.WARNING

    @property
    def level_of_file(self) -> int:
        """The level from which records of the log go to the file."""
        return logging.DEBUG if self.debug else logging.INFO


def output_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of :class:`Output` to a command or a group, which is not called with them."""

    def note(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None and value is not False:
            output = Output.of(context)
            setattr(output, str(parameter.name), value)
            if output.quiet and (output.verbose or output.debug):
                raise click.UsageError("--quiet does not go with --verbose or --debug")

    settings: dict[str, Any] = {"expose_value": False, "callback": note}
    options = (
        click.option(
            "-q",
            "--quiet",
            is_flag=True,
            help="Print only results and errors: no progress, no next steps.",
            **settings,
        ),
        click.option(
            "-v",
            "--verbose",
            is_flag=True,
            help="Also print the log: blocks, workers, and what was waited for.",
            **settings,
        ),
        click.option(
            "--log",
            "log_file",
            metavar="FILE",
            help="Append the log to this file, with times.",
            **settings,
        ),
        click.option(
            "--debug",
            is_flag=True,
            help="Print tracebacks, and a line of the log for each run of this process.",
            **settings,
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def message(text: str, *, err: bool = False) -> None:
    """Print a line that goes with a result, such as where it was written; not with --quiet.

    Parameters
    ----------
    text : str
        The line.
    err : bool
        Whether it goes to standard error, because standard output is for a program.
    """
    MESSAGES.info(text)
    if not is_quiet():
        click.echo(text, err=err)


def is_quiet() -> bool:
    """Whether the command that runs was asked to print only results and errors."""
    context = click.get_current_context(silent=True)
    return context is not None and Output.of(context).quiet


class _Terminal(logging.Handler):
    """Prints records to standard error, but for what was printed for a person already."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be printed."""
        return record.name != MESSAGES.name

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        click.echo(printable(self.format(record)), err=True)


class _LogFile(logging.FileHandler):
    """Appends records to a file; if that fails, a command goes on without it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 - logging's name
        """Say that the log ends here, and write no more of it."""
        problem = sys.exc_info()[1]
        self.setLevel(logging.CRITICAL + 1)
        click.echo(printable(f"note: the log ends here: {self.baseFilename}: {problem}"), err=True)


def start_logging(context: click.Context) -> None:
    """Print the log, and write it to a file, as was asked for, until the program ends.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    output = Output.of(context)
    terminal = _Terminal(output.level_of_terminal)
    terminal.setFormatter(logging.Formatter(LINE_OF_TERMINAL))
    handlers: list[logging.Handler] = [terminal]
    if output.log_file is not None:
        handlers.append(_file_handler(output.log_file, output.level_of_file))
    for handler in handlers:
        _add_until_the_end(context.find_root(), handler)
    for name in LOGGERS:
        logging.getLogger(name).setLevel(min(handler.level for handler in handlers))
    command_line = f"{context.find_root().info_name} {shlex.join(sys.argv[1:])}"
    logging.getLogger(__name__).info(without_passwords(command_line))


def _file_handler(name: str, level: int) -> logging.Handler:
    """Return what appends the log to its file, which is opened, so that errors come at once."""
    from ..io.out_file import STANDARD_OUTPUT, OutFile, OutputError

    if name == STANDARD_OUTPUT:
        raise OutputError("--log -: is no file; --verbose prints the log to standard error")
    if name.startswith("-"):
        cure = f"name the file first, or ./{name} if that is its name"
        raise OutputError(f"--log {name}: is an option, not a file; {cure}")
    file = OutFile.from_name(name, ["log"], force=True, option="--log")
    try:
        handler = _LogFile(file.name, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError(f"{file} cannot be written: {error.strerror or error}") from error
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter(LINE_OF_FILE, TIME_OF_FILE))
    return handler


def _add_until_the_end(root: click.Context, handler: logging.Handler) -> None:
    logger = logging.getLogger()

    def remove() -> None:
        logger.removeHandler(handler)
        # a full disk was told of when it was met
        with suppress(OSError):
            handler.close()

    logger.addHandler(handler)
    root.call_on_close(remove)
