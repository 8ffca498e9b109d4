"""Shared by the commands marsdisk and sweep: groups of commands, errors without traceback, logs."""

import functools
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from ..common.exit_codes import BAD_INPUT, INTERRUPTED
from ..common.logs import MESSAGES
from ..common.text import printable
from .logs import Output, output_options, start_logging

if TYPE_CHECKING:
    from ..common.errors import ConfigError

P = ParamSpec("P")
R = TypeVar("R")


def print_whole(text: str) -> None:
    """Print a line that programs read, and fail unless all of it could be written.

    Parameters
    ----------
    text : str
        The line without its newline.

    Raises
    ------
    OutputError
        Standard output did not take all of it.
    """
    from ..io.out_file import STANDARD_OUTPUT, OutFile

    with OutFile(STANDARD_OUTPUT, "csv").writing() as out:
        out.write(f"{text}\n".encode())


MAX_SUMMARY = 200  # characters of a command's summary


class Program(click.Group):
    """A command group whose commands run to their end even when nobody reads their output.

    They end with their own exit codes. Its help lists them in the order in which they were added,
    each with a whole sentence.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes it
        """Return the names of the commands in the order in which they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each command that is not hidden."""
        rows = [
            (name, self.commands[name].get_short_help_str(limit=MAX_SUMMARY))
            for name in self.list_commands(ctx)
            if not self.commands[name].hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line."""
        from ..io.streams import outlive_readers

        outlive_readers()
        return super().main(*args, **options)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Parse the command line; messages about it hide secrets."""
        with hiding_secrets():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; messages about its options hide secrets, and Ctrl-C ends it quietly."""
        try:
            with hiding_secrets():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.exit(INTERRUPTED)


@contextmanager
def hiding_secrets() -> Iterator[None]:
    """Hide secrets in messages about mistakes on the command line."""
    from ..common.url_secrets import without_passwords

    try:
        yield
    except click.ClickException as error:
        # click reads the attribute when it shows the error, although it declares it as final
        error.message = without_passwords(error.message)  # type: ignore[misc]
        raise


def reporting(context: click.Context, call: Callable[[], R]) -> R:
    """Return ``call()``, or end the program with a message and exit code 2.

    With --debug the traceback is shown, too.
    """
    from ..common.errors import ConfigError, MarsDiskError

    try:
        return call()
    except MarsDiskError as error:
        # The physics, which knows no files, raises errors that name none.
        if isinstance(error, ConfigError) and not error.where:
            error = _with_file(error, context.params)
        message = str(error)
        trace = traceback.format_exc()
    except (click.exceptions.ClickException, click.exceptions.Exit, click.exceptions.Abort):
        raise
    except Exception as error:
        message = (
            f"{type(error).__name__}: {error}\nThis is a defect of the program; run the command"
            " again with --debug and report what it prints."
        )
        trace = traceback.format_exc()
    if Output.of(context).debug:
        click.echo(trace, err=True)
    if MESSAGES.hasHandlers():  # or else logging prints it, too
        MESSAGES.error(f"{trace}{message}" if Output.of(context).debug else message)
    click.echo(f"error: {printable(message)}", err=True)
    sys.exit(BAD_INPUT)


def _with_file(error: "ConfigError", parameters: Mapping[str, Any]) -> "ConfigError":
    """Return an error with the configuration file of a command and the lines that it is about."""
    from ..common.errors import ConfigError
    from ..config.builtin import located
    from ..config.yaml_file import with_lines

    file = str(parameters.get("config", ""))
    error = ConfigError(error.problems, file)
    if not file:
        return error
    return with_lines(error, located(file), parameters.get("overrides") or ())


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate the function of a click command, so that it reports errors as :func:`reporting`.

    It also takes the options of :class:`Output` behind its name.
    """

    @functools.wraps(function)
    def run_and_report(*args: P.args, **kwargs: P.kwargs) -> R:
        context = click.get_current_context()
        reporting(context, lambda: start_logging(context))
        return reporting(context, lambda: function(*args, **kwargs))

    decorated: Callable[P, R] = output_options(run_and_report)
    return decorated


def program(description: str) -> Callable[[Callable[..., None]], click.Group]:
    """Return a decorator that makes a program: a group of commands with a version.

    It also takes the options of :class:`Output`, before the name of a command.
    """

    def decorate(function: Callable[..., None]) -> click.Group:
        group = click.group(
            cls=Program,
            help=description,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        )(function)
        group = click.version_option(package_name="marsdisk", message="%(prog)s %(version)s")(group)
        return output_options(group)  # type: ignore[return-value] # click returns what it was given

    return decorate


def compile_kernels(say: Callable[[str], None]) -> None:
    """Load the kernels, or announce that they are compiled and compile them."""
    from .._jit import compiled_folder
    from ..zero_d import ensure_compiled

    if not any(compiled_folder().rglob("*.nbc")):
        say("compiling the kernels, once for each version of the model; a minute or two")
    ensure_compiled()
