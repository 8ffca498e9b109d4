"""Shared by the commands marsdisk and sweep: overrides, errors without traceback, exit codes."""

import functools
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from .errors import ConfigError

P = ParamSpec("P")
R = TypeVar("R")

# Exit codes.
OK = 0
SOME_FAILED = 1
BAD_INPUT = 2
CHECK_FAILED = 3
INTERRUPTED = 130

#: Control codes that a terminal obeys instead of showing, except the ends of lines and tabs.
_CONTROL_CODES = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t")}
#: Characters that end lines or change the direction of writing, and halves of surrogate pairs.
_INVISIBLE_CODES = {
    0x061C,
    0x200E,
    0x200F,
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
    *range(0xD800, 0xE000),
}
_ESCAPES = {
    **{code: f"\\x{code:02x}" for code in _CONTROL_CODES},
    **{code: f"\\u{code:04x}" for code in _INVISIBLE_CODES},
}


def printable(text: str) -> str:
    """Return ``text`` with characters escaped that a terminal would obey.

    Names and messages in a file may come from anybody.
    """
    return text.translate(_ESCAPES)


def parse_override(text: str) -> tuple[str, Any]:
    """Return the key and the value of ``key=value``, the value read as YAML.

    Raises
    ------
    click.BadParameter
        There is no key, or no ``=``.
    ConfigError
        The value is not YAML 1.2.
    """
    from .physics.textfile import shown, shown_text
    from .yamlfile import parse_yaml

    key, separator, value = text.partition("=")
    key = key.strip()
    if not separator or not key:
        example = "for example temperature.T0=3000"
        raise click.BadParameter(f"{shown(text)} is not key=value, {example}")
    return key, parse_yaml(value, f"--set {shown_text(text)}")


def override_text(key: str, value: Any) -> str:
    """Return ``key=value`` as :func:`parse_override` reads it."""
    from .yamlfile import yaml_text

    document = yaml_text(value, default_flow_style=True, width=float("inf"))
    text = document.rstrip().removesuffix("\n...")
    return f"{key}={text}"


def _overrides(
    context: click.Context,
    parameter: click.Parameter,  # noqa: ARG001 (click passes it by position)
    values: tuple[str, ...],
) -> dict[str, Any]:
    from .physics.textfile import shown_text

    overrides: dict[str, Any] = {}
    for key, value in reporting(context, lambda: list(map(parse_override, values))):
        if key in overrides:
            raise click.BadParameter(f"{shown_text(key)} is given twice; drop one")
        overrides[key] = value
    return overrides


set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_overrides,
    help="Override a key of the configuration; may be repeated.",
)
force_option = click.option("--force", is_flag=True, help="Overwrite an existing file.")


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
    from .outfile import STANDARD_OUTPUT, OutFile

    with OutFile(STANDARD_OUTPUT, "csv").writing() as out:
        out.write(f"{text}\n".encode())


class Program(click.Group):
    """A command group whose commands run to their end even when nobody reads their output.

    They end with their own exit codes.
    """

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line."""
        from .streams import outlive_readers

        outlive_readers()
        return super().main(*args, **options)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Parse the command line; messages about it hide secrets."""
        with hiding_secrets():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; messages about its options hide secrets."""
        with hiding_secrets():
            return super().invoke(ctx)


@contextmanager
def hiding_secrets() -> Iterator[None]:
    """Hide secrets in messages about mistakes on the command line."""
    from .url_secrets import without_passwords

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
    from .errors import ConfigError, MarsDiskError

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
            " again with --debug after its name and report what it prints."
        )
        trace = traceback.format_exc()
    if context.find_root().params.get("debug"):
        click.echo(trace, err=True)
    click.echo(f"error: {printable(message)}", err=True)
    sys.exit(BAD_INPUT)


def _with_file(error: "ConfigError", parameters: Mapping[str, Any]) -> "ConfigError":
    """Return an error with the configuration file of a command and the lines that it is about."""
    from .errors import ConfigError
    from .yamlfile import with_lines

    file = str(parameters.get("config", ""))
    error = ConfigError(error.problems, file)
    if not file:
        return error
    return with_lines(error, file, parameters.get("overrides") or ())


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate the function of a click command, so that it reports errors as :func:`reporting`."""

    @functools.wraps(function)
    def run_and_report(*args: P.args, **kwargs: P.kwargs) -> R:
        return reporting(click.get_current_context(), lambda: function(*args, **kwargs))

    return run_and_report


def debug_group(description: str) -> Callable[[Callable[..., None]], click.Group]:
    """Return a decorator that makes a command group with --debug and --version."""

    def decorate(function: Callable[..., None]) -> click.Group:
        group = click.group(
            cls=Program,
            help=description,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        )(function)
        group = click.version_option(package_name="marsdisk", message="%(prog)s %(version)s")(group)
        return click.option(
            "--debug", is_flag=True, help="Show tracebacks and one log line per run."
        )(group)

    return decorate


def terminal() -> "Console":
    """Return a console as wide as the terminal, or 200 columns wide in a file or a pipe."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Terminal(Console):
        def render(
            self, renderable: "RenderableType", options: "ConsoleOptions | None" = None
        ) -> "Iterable[Segment]":
            for segment in super().render(renderable, options):
                if segment.control:
                    yield segment
                else:
                    yield Segment(printable(segment.text), segment.style)

    # Units stand in brackets, which markup would take for styles.
    return Terminal(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def compile_kernels(say: Callable[[str], None]) -> None:
    """Load the kernels, or announce that they are compiled and compile them."""
    from ._jit import compiled_folder
    from .zero_d import ensure_compiled

    if not any(compiled_folder().rglob("*.nbc")):
        say("compiling the kernels, once for each version of the model; about half a minute")
    ensure_compiled()


# sweep.cli.commands passes it by position
def set_up_logging(debug: bool) -> None:  # noqa: FBT001
    """Write log records of this project to standard error: all with --debug, else warnings."""
    import logging

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    for name in ("marsdisk", "sweep"):
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.WARNING)
