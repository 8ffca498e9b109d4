"""Figures of a store, for papers and screens; matplotlib is imported with the first figure.

>>> from sweep import plots
>>> figure = plots.draw("results/temperature_supply.zarr", "heatmap", x="mu_orbit10pct", y="T0")
>>> plots.save(figure, "loss.pdf", style="paper")
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marsdisk.common.errors import MarsDiskError
from marsdisk.io.out_file import PICTURES, OutFile

from ..store.store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Kinds of figures and the modules of this package that draw them.
KINDS = {
    "heatmap": "heatmap",
    "series": "series",
    "psd": "psd",
    "radial": "radial",
    "sensitivity": "tornado",
    "cache": "numerics",
    "convergence": "numerics",
}


SCALES = ("linear", "log")
#: Axes of each kind whose scale may be chosen; those of others are cells, rings, or names.
AXES_WITH_SCALES = {"series": "xy", "psd": "xy", "sensitivity": "x", "convergence": "y"}
#: Kinds whose colours are those of a colour map.
WITH_COLOUR_MAP = ("heatmap", "series", "psd", "radial")
#: Kinds that draw a result, in a unit that may be chosen.
WITH_UNIT = ("heatmap", "series", "radial", "sensitivity")
#: Options of :func:`draw` itself.
OPTIONS_OF_EVERY_KIND = ("title", "width", "xscale", "yscale")
#: Options that name a parameter: by its name in the store, or by its configuration key.
PARAMETERS = ("x", "y", "over")


class PlotError(MarsDiskError, ValueError):
    """A figure cannot be drawn as requested."""


def _draw_function(kind: str) -> Callable[..., "Figure"]:
    if kind not in KINDS:
        raise PlotError(f"there is no figure {kind!r}; there are {', '.join(KINDS)}")
    try:
        module = importlib.import_module(f".{KINDS[kind]}", __name__)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise PlotError(
            "figures need matplotlib, which is not installed: pip install 'marsdisk[plot]'"
        ) from error
    function: Callable[..., Figure] = getattr(module, kind)
    return function


def options(kind: str) -> list[str]:
    """Return the names of the options of a kind of figure."""
    parameters = inspect.signature(_draw_function(kind)).parameters
    return [
        name for name, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY
    ]


def refuse_options(kind: str, requested: Mapping[str, Any]) -> None:
    """Raise a PlotError if a kind of figure has no use for one of its options.

    Parameters
    ----------
    kind : str
        Key of :data:`KINDS`.
    requested : mapping of str
        Options of :func:`draw`; None for one that was not given.
    """
    known_options = options(kind)
    for name, value in requested.items():
        if value is None or name in OPTIONS_OF_EVERY_KIND:
            continue
        if name == "cmap" and kind not in WITH_COLOUR_MAP:
            raise PlotError(f"{kind} has no colour map to choose")
        if name == "unit" and kind not in WITH_UNIT:
            raise PlotError(f"{kind} has no unit to choose")
        if name not in {"cmap", "unit", *known_options}:
            raise PlotError(
                f"{name} has no use in {kind}; it takes {', '.join(known_options) or 'no options'}"
            )


def draw(  # noqa: PLR0913 - options, by name
    store: "Store | str | Path",
    kind: str,
    *,
    style: str = "screen",
    notes: list[str] | None = None,
    title: str | None = None,
    width: float | None = None,
    xscale: str | None = None,
    yscale: str | None = None,
    cmap: str | None = None,
    unit: str | None = None,
    **requested: Any,
) -> "Figure":
    """Draw a figure of a store.

    Parameters
    ----------
    store : Store or str or Path
        The store, or its location.
    kind : str
        Key of :data:`KINDS`.
    style : {"screen", "paper"}
        Size and fonts.
    notes : list of str or None
        Receives a line for each choice that was made automatically.
    title : str or None
        Title in place of its own; empty for none. A figure for a paper has none by default.
    width : float or None
        mm, width of the figure; by default that of the style.
    xscale, yscale : {"linear", "log"} or None
        Scales in place of those that suit the values, where the figure has such axes.
    cmap : str or None
        Matplotlib's name of the colour map, in place of viridis, where the figure has one.
    unit : str or None
        Unit of the result, such as ``kg`` or ``M_Mars yr-1``, in place of one that suits its
        values, where the figure draws a result.
    **requested : Any
        Options of the kind, see :func:`options`.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    PlotError
        matplotlib is missing, or there is no such kind or option.
    StoreError
        The store cannot be read, has no data for such a figure, or there is no such colour map or
        unit.

    Examples
    --------
    >>> figure = draw("results/temperature_supply.zarr", "series", run=["17"])
    """
    draw_kind = _draw_function(kind)
    refuse_options(kind, {"cmap": cmap, "unit": unit, **requested})
    from .page import Page
    from .settle import settle

    page = Page(style, notes if notes is not None else [], title, width, cmap, unit)
    store = Store.open(store) if isinstance(store, str | Path) else store
    for option in PARAMETERS:
        if isinstance(requested.get(option), str):
            requested[option] = store.name_of(requested[option])
    with page.context():
        figure = draw_kind(store, page, **requested)
        for axis, scale in (("x", xscale), ("y", yscale)):
            if scale is not None:
                _set_scale(figure, kind, axis, scale)
        settle(figure)
    return figure


def _set_scale(figure: "Figure", kind: str, axis: str, scale: str) -> None:
    """Set the scale of an axis of all panels of a figure."""
    if scale not in SCALES:
        raise PlotError(f"{axis}scale = {scale!r}: must be one of {', '.join(SCALES)}")
    if axis not in AXES_WITH_SCALES.get(kind, ""):
        raise PlotError(f"the {axis} axis of {kind} has no scale to choose")
    for panel in figure.axes:
        panel.set(**{f"{axis}scale": scale})


def save(figure: "Figure", out: str | Path | OutFile, *, style: str = "screen") -> None:
    """Write a figure to a .png, .svg or .pdf file, with the same bytes every time.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        From :func:`draw`.
    out : str or Path or OutFile
        The file; an existing file at a path is overwritten.
    style : str
        The style of the figure.

    Raises
    ------
    OutputError
        The file cannot be written, or has another extension.

    Examples
    --------
    >>> save(draw("results/temperature_supply.zarr", "psd", run="17"), "sizes.svg")
    """
    from .page import Page

    out = OutFile.from_name(out, PICTURES, force=True)
    # A date in the file would make its bytes differ.
    metadata: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with Page(style, []).context(), out.writing() as file:
        figure.savefig(file, format=out.format, metadata=metadata.get(out.format))
