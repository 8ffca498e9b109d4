"""Figures of a store, for papers and screens; matplotlib is loaded when the first is drawn.

>>> from sweep import plots
>>> figure = plots.draw("results/temperature_supply.zarr", "heatmap", x="mu_orbit10pct", y="T0")
>>> plots.save(figure, "loss.pdf", style="paper")
"""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marsdisk.errors import MarsDiskError
from marsdisk.outfile import PICTURES, OutFile

from ..store import reader

if TYPE_CHECKING:
    import zarr
    from matplotlib.figure import Figure

#: Kinds of figures, and the modules of this package that draw them.
KINDS = {
    "heatmap": "heatmap",
    "series": "series",
    "psd": "psd",
    "radial": "radial",
    "sensitivity": "sensitivity",
    "cache": "numerics",
    "convergence": "numerics",
}


class PlotError(MarsDiskError, ValueError):
    """A figure that cannot be drawn as asked."""


def _drawer(kind: str) -> Callable[..., "Figure"]:
    if kind not in KINDS:
        raise PlotError(f"there is no figure {kind!r}; there are {', '.join(KINDS)}")
    try:
        found: Callable[..., Figure] = getattr(
            importlib.import_module(f".{KINDS[kind]}", __name__), kind
        )
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise PlotError(
            "figures need matplotlib, which is not installed: pip install 'marsdisk[plot]'"
        ) from error
    return found


def options(kind: str) -> list[str]:
    """What a kind of figure can be asked for."""
    return [
        name
        for name, parameter in inspect.signature(_drawer(kind)).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]


def draw(
    store: "zarr.Group | str | Path",
    kind: str,
    *,
    style: str = "screen",
    notes: list[str] | None = None,
    **asked: Any,
) -> "Figure":
    """A figure of a store.

    Parameters
    ----------
    store : an open group, or where the store is
    kind : of :data:`KINDS`
    style : screen or paper
    notes : gets a line for each choice that was made for lack of another
    asked : options of the kind, see :func:`options`

    Raises
    ------
    PlotError
        matplotlib is missing, or the figure cannot be drawn as asked.
    StoreError
        The store cannot be read, or has no such array.
    """
    drawer = _drawer(kind)
    for name in asked:
        if name not in options(kind):
            raise PlotError(
                f"{name} has no use in {kind}; it takes {', '.join(options(kind)) or 'no options'}"
            )
    from .page import Page

    page = Page(style, notes if notes is not None else [])
    with page.context():
        return drawer(
            reader.open_group(store) if isinstance(store, str | Path) else store, page, **asked
        )


def save(figure: "Figure", out: str | Path | OutFile, *, style: str = "screen") -> None:
    """Write a figure into a .png, .svg or .pdf file, the same bytes every time.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        As :func:`draw` gives it.
    out : str or Path or OutFile
        Where to; a file at a path is written over.
    style : str
        That it was drawn in.

    Raises
    ------
    OutputError
        The file cannot be written, or has another ending.

    Examples
    --------
    >>> save(draw("results/temperature_supply.zarr", "psd", run="17"), "sizes.svg")
    """
    from .page import Page

    out = OutFile.from_name(out, PICTURES, force=True)
    undated: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with Page(style, []).context(), out.writing() as file:
        figure.savefig(file, format=out.format, metadata=undated.get(out.format))
