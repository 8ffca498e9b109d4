"""Put the tables that follow from the configuration's schema into docs/model.md.

``python docs/make_tables.py``

A table stands between ``<!-- NAME: COMMAND -->`` and ``<!-- end -->``.
"""

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from marsdisk.config import RunConfig, read_config
from marsdisk.config.keys import allowed, config_keys, metadata
from marsdisk.config.processes import (
    LAW,
    ConstantTemperature,
    LinearTemperature,
    SlabTemperature,
    TableTemperature,
)
from marsdisk.config.sections import Section
from marsdisk.notes import SENTENCES, Note

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "docs" / "model.md"
COMMAND = "python docs/make_tables.py"

#: Contested closures: key, what it decides, and why the default is what it is.
DECISIONS = (
    (
        "collisions.fragment_law",
        "the fragments' size law",
        (
            "the written method of earlier work; `number` with 3.5 is what feeds a cascade through"
            " all sizes, see [Known limits](#known-limits)"
        ),
    ),
    (
        "collisions.alpha_frag",
        "its exponent",
        "the value of earlier work; what it means follows from the law above",
    ),
    (
        "dynamics.v_rel",
        "relative speed of grains",
        (
            "grains meet at the dispersion of their orbits; the pericentre law is an orbital speed"
            " and does not vanish for $e = i = 0$"
        ),
    ),
    (
        "dynamics.e_profile",
        "eccentricity",
        (
            "a number that one gives is used; the profile has every grain come from the surface of"
            " Mars"
        ),
    ),
    (
        "temperature.law",
        "cooling of Mars",
        "decides how long grains are unbound and therefore has no default",
    ),
    (
        "blowout.edge",
        "the bin that $s_{\\rm blow}$ stands in",
        (
            "the outflow must be continuous in $s_{\\rm blow}$; the sharp rule makes it jump"
            " whenever an edge is passed"
        ),
    ),
    (
        "blowout.light",
        "whether dust dims the light that blows it out",
        (
            "as in earlier work; the set-up shown first has `attenuated`, and every result says"
            " what was blown out while thick"
        ),
    ),
    (
        "blowout.below_window",
        "grains so small that light no longer unbinds them",
        (
            "as in earlier work, which had no lower end; `bound` follows the table of <Q_pr> to"
            " its own"
        ),
    ),
    (
        "blowout.chi",
        "blow-out time in $1/\\Omega$",
        "one dynamical time, nothing fitted; `auto` is an empirical closure without a source",
    ),
    (
        "psd.floor",
        "smallest size of the grid",
        "with a grid that begins at $s_{\\rm blow}(0)$ no bin is ever unbound while Mars cools",
    ),
    (
        "radiation.Q_pr",
        "radiation pressure efficiency",
        (
            "from Mie theory for the grains' mineral; with one number, grains however small are"
            " unbound"
        ),
    ),
    (
        "qstar.table",
        "strength of grains",
        "the mineral the grains are taken to be made of; scaled to one measurement",
    ),
    (
        "psd.alpha",
        "slope of the three-slope start",
        (
            "the value of earlier work; it is an exponent of size here, though 11/6 is known as"
            " that of mass"
        ),
    ),
    (
        "supply.injection",
        "where fresh dust goes",
        "as in earlier work; the supply acts on opacity and outflow most directly there",
    ),
    (
        "optical_depth.opacity",
        "cross-section of a grain",
        "as in earlier work; grains far smaller than the wavelength cover much less than this",
    ),
    (
        "optical_depth.tau_stop",
        "end at an optical depth",
        (
            "nothing in the equations fails there; a stop is for those who trust the closures only"
            " below it"
        ),
    ),
    (
        "sublimation.method",
        "sublimation",
        (
            "none means none; `sink` is earlier work's, `advection` has grains shrink and is to be"
            " preferred"
        ),
    ),
    (
        "numerics.scheme",
        "integrator",
        "error control and conservation; the classic scheme is kept to compare with",
    ),
)

LAWS = (ConstantTemperature, SlabTemperature, LinearTemperature, TableTemperature)


def put_between_markers(name: str, command: str, lines: list[str], path: Path = MODEL) -> None:
    """Replace the lines between the markers of ``name`` in ``path``.

    Parameters
    ----------
    name : str
        Name of the table.
    command : str
        Command that makes the table, which the first marker holds, too.
    lines : list of str
        Lines of the table.
    path : Path
        Markdown file.

    Raises
    ------
    ValueError
        If ``path`` has no such markers.
    """
    text = path.read_text(encoding="utf-8")
    path.write_text(between_markers(text, name, command, lines), encoding="utf-8")


def between_markers(text: str, name: str, command: str, lines: list[str]) -> str:
    """Return ``text`` with ``lines`` between the markers of ``name``."""
    begin = f"<!-- {name}: {command} -->\n"
    end = "<!-- end -->"
    before, opening, rest = text.partition(begin)
    _, closing, after = rest.partition(end)
    if not (opening and closing):
        raise ValueError(
            f"no markers for the table {name}: a line {begin.strip()!r} and, after it,"
            f" {end!r} are needed"
        )
    return f"{before}{begin}" + "\n".join(lines) + f"\n{end}{after}"


def written(value: Any) -> str:
    """Format a value as in a configuration file."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def default(field: FieldInfo) -> str:
    """Format a field's default, or say that there is none."""
    return "*must be given*" if field.is_required() else written(field.default)


def keys() -> Iterator[tuple[str, FieldInfo, str]]:
    """Yield every key with its field, and the temperature laws to which alone it belongs."""
    for key, field in config_keys(RunConfig).items():
        if key == "temperature.law":
            yield from law_keys()
        elif not key.startswith("temperature."):
            yield key, field, ""


def law_keys() -> Iterator[tuple[str, FieldInfo, str]]:
    """Yield the keys of temperature laws, each meaning of a key with the laws that share it."""
    fields: dict[tuple[str, str | None], FieldInfo] = {}
    laws: dict[tuple[str, str | None], list[str]] = {}
    for law in LAWS:
        for name, field in law.model_fields.items():
            if name != "law":
                meaning = (name, field.description)
                fields.setdefault(meaning, field)
                laws.setdefault(meaning, []).append(law_name(law))
    for meaning, field in fields.items():
        yield f"temperature.{meaning[0]}", field, ", ".join(laws[meaning])


def law_name(law: type[Section]) -> str:
    """Return the name of a law in configuration files."""
    return str(typing.get_args(law.model_fields["law"].annotation)[0])


def escaped(text: str) -> str:
    """Escape the characters that Markdown would interpret in a cell."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("~", "\\~").replace("<", "&lt;")


def defaults() -> list[str]:
    """List every key with its default, unit, accepted values and meaning."""
    lines = ["| key | default | unit | takes | meaning |", "|---|---|---|---|---|"]
    law = f"{LAW['allowed']} | {LAW['meaning']}"
    lines.append(f"| `temperature.law` | *must be given* |  | {law} |")
    for key, field, laws in keys():
        takes = re.sub(rf" {re.escape(metadata(field, 'unit'))}( or null)?$", r"\1", allowed(field))
        of_law = f" (law {laws})" if laws else ""
        lines.append(
            f"| `{key}` | {default(field)} | {metadata(field, 'unit')} | {escaped(takes)} |"
            f" {escaped(field.description or '')}{of_law} |"
        )
    return lines


def used(config: str, key: str) -> str:
    """Show what a shipped configuration sets ``key`` to, or that it leaves the default."""
    value: Any = read_config(ROOT / "configs" / f"mars_0d_{config}.yaml")
    for word in key.split("."):
        value = value.get(word) if isinstance(value, dict) else None
    return "(default)" if value is None else written(value)


def decisions() -> list[str]:
    """List contested closures with their choices and which configuration uses which."""
    fields = config_keys(RunConfig)
    lines = [
        "| key | decides | takes | default | baseline | melt | why this default |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, decides, why in DECISIONS:
        takes = allowed(fields[key])
        in_files = " | ".join(used(name, key) for name in ("baseline", "melt"))
        lines.append(
            f"| `{key}` | {decides} | {escaped(takes)} | {default(fields[key])} | {in_files} |"
            f" {why} |"
        )
    return lines


def notes() -> list[str]:
    """List every note with its bit and its sentence."""
    lines = ["| note | bit | what is said |", "|---|---|---|"]
    return lines + [
        f"| `{note.name}` | {note.value} | {escaped(SENTENCES[note])} |" for note in Note
    ]


TABLES = {"decisions": decisions, "defaults": defaults, "notes": notes}

if __name__ == "__main__":
    for name, make in TABLES.items():
        put_between_markers(name, COMMAND, make())
