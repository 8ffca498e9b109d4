"""What the command lines of marsdisk and sweep share: overrides, errors without traceback, exit codes."""

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

OK = 0
SOME_FAILED = 1
BAD_INPUT = 2
CHECK_FAILED = 3
INTERRUPTED = 130


#: Characters that a terminal obeys instead of showing: control codes, and those that turn the
#: direction of writing.
_OBEYED = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
} | {
    code: f"\\u{code:04x}"
    for code in (
        0x061C,
        0x200E,
        0x200F,
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
        *range(0xD800, 0xE000),
    )
}


def printable(text: str) -> str:
    """``text`` with what a terminal would obey written out: names and messages in a file may come from anybody."""
    return text.translate(_OBEYED)


def parse_override(text: str) -> tuple[str, Any]:
    """``key=value`` with the value read as YAML."""
    from .physics.textfile import shown, shown_text
    from .yamlfile import parse_yaml

    key, separator, value = text.partition("=")
    key = key.strip()
    if not separator or not key:
        example = "for example temperature.T0=3000"
        raise click.BadParameter(f"{shown(text)} is not key=value, {example}")
    return key, parse_yaml(value, f"--set {shown_text(text)}")


def override_text(key: str, value: Any) -> str:
    """``key=value`` that :func:`parse_override` reads as the same value."""
    from .yamlfile import yaml_text

    document = yaml_text(value, default_flow_style=True, width=float("inf"))
    text = document.rstrip().removesuffix("\n...")
    return f"{key}={text}"


def _overrides(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    from .physics.textfile import shown_text

    pairs = reporting(context, lambda: [parse_override(value) for value in values])
    keys = [key for key, _ in pairs]
    twice = next((key for i, key in enumerate(keys) if key in keys[:i]), None)
    if twice is not None:
        raise click.BadParameter(f"{shown_text(twice)} is given twice; drop one")
    return dict(pairs)


set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_overrides,
    help="Override a key of the configuration; may be given again.",
)
force_option = click.option(
    "--force", is_flag=True, help="Write over a file that is there already."
)


def print_whole(text: str) -> None:
    """Print a line for programs, which may not miss its end without a word.

    Parameters
    ----------
    text : str
        Without its newline.

    Raises
    ------
    OutputError
        Standard output did not take all of it.
    """
    from .outfile import STANDARD_OUTPUT, OutFile

    with OutFile(STANDARD_OUTPUT, "csv").writing() as out:
        out.write(f"{text}\n".encode())


class Program(click.Group):
    """A command group whose commands go on, and end with their own exit code, when nobody reads what they print."""

    def main(self, *args: Any, **options: Any) -> Any:
        from .streams import outlive_readers

        outlive_readers()
        return super().main(*args, **options)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with hiding_secrets():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with hiding_secrets():
            return super().invoke(ctx)


@contextmanager
def hiding_secrets() -> Iterator[None]:
    """Leave out of a mistake on the command line what is secret in it."""
    from .url_secrets import without_passwords

    try:
        yield
    except click.ClickException as error:
        error.message = without_passwords(error.message)  # type: ignore[misc] # its own is read when it is shown
        raise


def reporting(context: click.Context, call: Callable[[], R]) -> R:
    """``call()``, its errors as a message and exit code 2; with --debug the traceback too."""
    from .errors import ConfigError, MarsDiskError

    try:
        return call()
    except MarsDiskError as error:
        # found in the physics, which knows no file
        if isinstance(error, ConfigError) and not error.where:
            error = _in_its_file(error, context.params)
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


def _in_its_file(error: "ConfigError", parameters: Mapping[str, Any]) -> "ConfigError":
    """The same error with the file that a command was given, and the lines that it is about."""
    from .errors import ConfigError
    from .yamlfile import with_lines

    file = str(parameters.get("config", ""))
    named = ConfigError(error.problems, file)
    return with_lines(named, file, parameters.get("overrides") or ()) if file else named


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator of a click command: see :func:`reporting`."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        return reporting(click.get_current_context(), lambda: function(*args, **kwargs))

    return wrapped


def debug_group(help: str) -> Callable[[Callable[..., None]], click.Group]:
    """A command group with --debug and --version."""

    def decorate(function: Callable[..., None]) -> click.Group:
        group = click.group(
            cls=Program,
            help=help,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        )(function)
        group = click.version_option(package_name="marsdisk", message="%(prog)s %(version)s")(group)
        return click.option(
            "--debug", is_flag=True, help="Show tracebacks and one log line per run."
        )(group)

    return decorate


def terminal() -> "Console":
    """Where tables go: as wide as the terminal, or wide enough for any line in a file or pipe."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Terminal(Console):
        def render(
            self, renderable: "RenderableType", options: "ConsoleOptions | None" = None
        ) -> "Iterable[Segment]":
            for segment in super().render(renderable, options):
                yield (
                    segment if segment.control else Segment(printable(segment.text), segment.style)
                )

    # a unit in brackets is no style
    return Terminal(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def compile_kernels(say: Callable[[str], None]) -> None:
    """Load the kernels, or compile them after saying that it takes a while."""
    from ._jit import compiled_folder
    from .zero_d import ensure_compiled

    if not any(compiled_folder().rglob("*.nbc")):
        say("compiling the kernels, once for each version of the model; about half a minute")
    ensure_compiled()


def set_up_logging(debug: bool) -> None:
    """Log records of this project to standard error, all of them with --debug."""
    import logging

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    for name in ("marsdisk", "sweep"):
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.WARNING)
