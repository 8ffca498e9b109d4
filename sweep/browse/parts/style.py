"""Style sheets of the page and the elements that its views are made of."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bokeh.events import DoubleTap, Tap
from bokeh.models import (
    Button,
    ColumnDataSource,
    CustomJS,
    Div,
    FixedTicker,
    LayoutDOM,
    Pane,
    Range1d,
    Row,
    Title,
    UIElement,
)
from bokeh.plotting import figure

from ...common import palette
from .html import plain

if TYPE_CHECKING:
    from ..host import Host

#: Colours of the chosen runs.
COLOURS = palette.RUN_COLOURS
INK = "#1c2733"
FAINT = "#5a6875"
LINE = "#d5dbe1"
ACCENT = palette.BLUE
ALARM = palette.VERMILION
#: Colour of runs that have no value.
ABSENT = "#8a96a1"
SLIDER_BAR = "#9fb9cc"
FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans',"
    " sans-serif"
)

PAGE = f"""
html, body {{ margin: 0; background: #fff; color: {INK}; font: 13px/1.45 {FONT}; }}
body {{
  --bokeh-base-font: {FONT}; --bokeh-font-size: 13px;
  padding: 8px 20px 20px; box-sizing: border-box;
}}
"""
_SHARED = f"""
:host {{ font: 13px/1.45 {FONT}; color: {INK}; }}
:host(:focus-within) {{ outline: none; }}
"""
TEXT = (
    _SHARED
    + f"""
.bk-clearfix {{ display: block !important; width: 100%; }}
h1 {{ font-size: 19px; font-weight: 600; margin: 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 14px; font-weight: 600; margin: 0 0 4px; }}
p {{ margin: 0 0 6px; max-width: 46em; }}
tbody td:first-child {{ white-space: nowrap; }}
.faint {{ color: {FAINT}; }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
table {{ border-collapse: collapse; font-size: 13px; }}
th {{ text-align: left; font-weight: 600; color: {FAINT}; }}
th.number {{ text-align: right; }}
td, th {{ padding: 2px 18px 2px 0; vertical-align: top; overflow-wrap: anywhere; }}
tbody tr {{ border-top: 1px solid {LINE}; }}
code {{
  font: 12px/1.5 ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace;
  background: #f3f5f7; padding: 6px 8px; display: block;
  overflow-wrap: anywhere; white-space: pre-wrap; user-select: all;
}}
.head {{ display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 24px; }}
.state {{ display: flex; flex-wrap: wrap; align-items: center; gap: 0 10px; }}
.bar {{ display: flex; height: 8px; width: 160px; background: #e3e8ec; }}
.chip {{
  display: inline-block; width: 11px; height: 11px; margin-right: 5px; vertical-align: -1px;
}}
.wide {{ overflow-x: auto; }}
"""
)
WIDGET = (
    _SHARED
    + f"""
label, .bk-slider-title, .bk-input-group > label {{ color: {FAINT}; font-size: 12px; }}
.bk-input {{
  font: 13px {FONT}; color: {INK}; background: #fff; border: 1px solid {LINE}; border-radius: 3px;
}}
.bk-input:focus-visible, .bk-btn:focus-visible {{
  outline: 2px solid {ACCENT}; outline-offset: 1px; border-color: {ACCENT}; box-shadow: none;
}}
.bk-btn {{ font: 13px {FONT}; color: {INK}; border-radius: 3px; }}
.bk-btn:focus:not(:focus-visible) {{ outline: none; }}
"""
)
PAGES = (
    _SHARED
    + f"""
.bk-btn-group {{ gap: 20px; }}
.bk-btn-group .bk-btn.bk-btn-default {{
  border: 0; border-bottom: 2px solid transparent; border-radius: 0; background: none;
  padding: 5px 0; font: 14px {FONT}; color: {FAINT}; box-shadow: none;
}}
.bk-btn-group .bk-btn.bk-btn-default:hover {{ color: {INK}; background: none; }}
.bk-btn-group .bk-btn.bk-btn-default.bk-active {{
  color: {INK}; font-weight: 600; border-bottom-color: {ACCENT};
}}
.bk-btn:focus-visible {{ outline: 2px solid {ACCENT}; outline-offset: 2px; }}
.bk-btn:focus:not(:focus-visible) {{ outline: none; }}
"""
)
WRAP = ":host { flex-wrap: wrap; gap: 6px 12px; align-items: end; }"
BELOW = ":host { display: flex; flex-direction: column; gap: 8px; }"
BESIDE = ":host { display: flex; flex-wrap: wrap; gap: 12px 28px; align-items: start; }"

DOWNLOAD = """
const save = (blob, name) => {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10000)
}
"""
# Figures side by side are drawn onto one further Bokeh layer. Its class can only be reached through
# an existing layer (Bokeh 3.9).
_PICTURE = (
    DOWNLOAD
    + """
const views = pictures.map(picture => Bokeh.index.find_one(picture))
const layers = views.map(view => view.export(kind))
const boxes = views.map(view => view.el.getBoundingClientRect())
const left = Math.min(...boxes.map(box => box.left)), top = Math.min(...boxes.map(box => box.top))
const whole = new layers[0].constructor(layers[0].backend, true)
const width = Math.max(...boxes.map(box => box.right)) - left
const height = Math.max(...boxes.map(box => box.bottom)) - top
whole.resize(width, height)
whole.ctx.fillStyle = "#ffffff"
whole.ctx.fillRect(0, 0, width * whole.pixel_ratio, height * whole.pixel_ratio)
layers.forEach((layer, i) => {
  const x = (boxes[i].left - left) * whole.pixel_ratio
  const y = (boxes[i].top - top) * whole.pixel_ratio
  whole.ctx.drawImage(layer.canvas, x, y)
})
whole.to_blob().then(blob => save(blob, name + "." + kind))
"""
)
_TABLE = (
    DOWNLOAD
    + """
if (cb_obj.data.text.length > 0)
  save(new Blob([cb_obj.data.text[0]], {type: "text/csv;charset=utf-8"}), cb_obj.data.name[0])
"""
)


def text_block(content: str = "", **options: Any) -> Div:
    """Return an element that shows HTML."""
    return Div(text=content, stylesheets=[TEXT], sizing_mode="stretch_width", margin=0, **options)


def apart(*parts: UIElement, **options: Any) -> Pane:
    """Return a pane of elements that are laid out independently.

    In Bokeh's rows and columns, every change would have all elements measured again.
    """
    return Pane(elements=list(parts), stylesheets=[":host { width: 100%; }"], **options)


def stack(*parts: UIElement) -> Pane:
    """Return a pane with elements below each other.

    It is a pane within a pane, since one with a ``display`` of its own could not be hidden.
    """
    return apart(Pane(elements=list(parts), stylesheets=[BELOW]))


def downloads(page: "Host", pictures: Sequence[LayoutDOM], csv: Any, name: str = "") -> Row:
    """Return buttons that save a view.

    Parameters
    ----------
    page : Host
        The page; it shows errors and names the files.
    pictures : sequence of bokeh.models.LayoutDOM
        Figures that are saved side by side in one picture; none for a view without pictures.
    csv : callable
        Returns the text of the table and its file name, when the table is requested.
    name : str
        Suffix of the picture's file name.

    Returns
    -------
    bokeh.models.Row
        The buttons with their label.
    """
    content = ColumnDataSource(data={"text": [], "name": []})
    content.js_on_change("data", CustomJS(code=_TABLE))
    buttons = []
    for kind in ("png", "svg") if pictures else ():
        button = Button(label=kind.upper(), width=52, height=28, margin=0, stylesheets=[WIDGET])
        button.js_on_click(
            CustomJS(
                args={"pictures": list(pictures), "kind": kind, "name": f"{page.file_name}{name}"},
                code=_PICTURE,
            )
        )
        buttons.append(button)
    table = Button(label="CSV", width=52, height=28, margin=0, stylesheets=[WIDGET])

    def send() -> None:
        text, file_name = csv()
        content.data = {"text": [text], "name": [file_name]}
        # The browser has its copy, and this process need not keep another.
        content.data = {"text": [], "name": []}

    table.on_click(page.guarded(send))
    label = Div(text="download", stylesheets=[TEXT], margin=(4, 0, 0, 0), styles={"color": FAINT})
    # The tag makes the source part of the document.
    return Row(label, *buttons, table, spacing=6, margin=0, tags=[content])


def foot(note: Div, buttons: Row) -> Pane:
    """Return a note with the buttons that save the view beside it."""
    note.styles = {"flex": "1 1 300px", "width": "auto"}
    return Pane(elements=[note, buttons], stylesheets=[BESIDE])


def plot(height: int, **options: Any) -> Any:
    """Return a figure in the page's style, whose axes are labelled by :func:`set_axis`."""
    styled = figure(
        height=height,
        sizing_mode="stretch_width",
        toolbar_location=None,
        **{
            "x_range": Range1d(0, 1),
            "y_range": Range1d(0, 1),
            "tools": "",
            "margin": 0,
            "min_border": 4,
            "outline_line_color": None,
            **options,
        },
    )
    styled.title = Title(
        text="",
        text_font=FONT,
        text_font_size="12px",
        text_font_style="normal",
        text_color=INK,
        standoff=6,
    )
    styled.grid.grid_line_color = "#eef1f4"
    for axis in styled.axis:
        axis.update(
            axis_line_color=FAINT,
            major_tick_line_color=FAINT,
            minor_tick_line_color=None,
            major_label_text_font=FONT,
            major_label_text_font_size="12px",
            major_label_text_color=INK,
            axis_label_text_font=FONT,
            axis_label_text_font_size="12px",
            axis_label_text_font_style="normal",
            axis_label_text_color=INK,
            axis_label_standoff=4,
            major_tick_in=0,
            major_tick_out=4,
            ticker=FixedTicker(ticks=[]),
        )
    return styled


def on_click(figure: Any, call: Any) -> None:
    """Call ``call`` for every click, including the second of two quick ones.

    Bokeh takes that one for a double tap, even at another position.
    """
    for event in (Tap, DoubleTap):
        figure.on_event(event, call)


def adds_run(event: Any) -> bool:
    """Whether a click is to add a run to the chosen ones, by Shift or Ctrl."""
    modifiers = event.modifiers or {}
    return bool(modifiers.get("shift") or modifiers.get("ctrl"))


def call_on_change(model: Any, attribute: str, call: Callable[[], None]) -> None:
    """Call ``call`` without arguments whenever an attribute of a model changes."""

    # Bokeh checks the number and passes by position.
    def changed(_attribute: str, _old: Any, _new: Any) -> None:
        call()

    model.on_change(attribute, changed)


def set_axis(axis: Any, ticks: Sequence[tuple[float, str]], label: str | None = None) -> None:
    """Set the ticks (position, label) of an axis and its label."""
    axis.ticker.ticks = [position for position, _ in ticks]
    axis.major_label_overrides = {position: plain(words) for position, words in ticks}
    if label is not None:
        axis.axis_label = label


def set_range(span: Range1d, low: float, high: float) -> None:
    """Show an axis from ``low`` to ``high``."""
    span.update(start=low, end=high)
