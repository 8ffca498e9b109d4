"""Arguments and options that several commands of ``sweep`` take."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from marsdisk.cli.program import reporting

from . import completion

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..store.location import Location

FILE = click.argument("file", type=click.Path(path_type=Path))


class LocationParameter(click.ParamType):  # type: ignore[type-arg] # click 8.1 knows no ParamType[...]
    """The location of a store: a path, or a URL, which a ``Path`` would change."""

    name = "store"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002 - click gives it by name
        ctx: click.Context | None,
    ) -> "Location":
        """Return the location, and report one that cannot be a store's as bad input."""
        from ..store.locate import locate

        if ctx is not None and ctx.resilient_parsing:  # a shell asks what comes next
            return locate(value)
        return reporting(ctx or click.get_current_context(), lambda: locate(value))

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click gives it by name
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> "list[CompletionItem]":
        """Return the stores whose paths begin so."""
        return completion.stores(incomplete)


LOCATION = LocationParameter()
STORE = click.argument("store", type=LOCATION)
WHERE = click.option(
    "--where",
    metavar="CONDITION",
    shell_complete=completion.column,
    help="Only runs that meet this condition; see sweep show --help. Sums over rings take whole"
    " disks unless it names rings.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
