"""The view of the caches: hit rates, reasons for rebuilding values, and the time saved."""

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ...common.text import counted
from ...running.progress import duration
from ...store import layout
from ..parts import csv_text
from ..parts.html import escaped, rendered
from ..parts.scales import number
from ..parts.style import ACCENT, LINE, downloads, stack, text_block

if TYPE_CHECKING:
    from ..host import Host

MAX_WORKERS_LISTED = 64
COUNTS = ("hits", "misses", "rebuilds", "refused")


class CacheView:
    """Sums over the runs that pass the filter."""

    def __init__(self, page: "Host") -> None:
        self.page = page
        self.data = page.data
        self.text = text_block(name="cache")
        self.root = stack(self.text, downloads(page, [], self._csv))
        self._slots: dict[str, list[Any]] = {}

    def update(self) -> None:
        """Show sums over the committed runs."""
        runs = self.page.runs[self.data.status[self.page.runs] == layout.DONE]
        slots = self.data.labels("cache")
        reasons = self.data.labels("reason")
        workers, worker = self.data.coded("worker")
        code = worker[runs]
        counts = {}
        for name in COUNTS:
            sums = _sums(self.data.array(f"cache_{name}")[runs], code, len(workers))
            counts[name] = sums.astype(np.int64)
        build_time = np.nan_to_num(self.data.array("cache_build_time")[runs])
        seconds = _sums(build_time, code, len(workers))
        dropped = self.data.array("cache_invalidations")[runs].sum(axis=0)
        total = {name: count.sum(axis=0) for name, count in counts.items()}
        lookups = _lookups(total)
        saved = _saved(total, seconds.sum(axis=0))
        rows = []
        for i, slot in enumerate(slots):
            rows.append(
                [
                    slot,
                    _rate(total["hits"][i], lookups[i]),
                    *(str(int(total[name][i])) for name in COUNTS),
                    duration(float(saved[i])),
                ]
            )
        rows.append(
            [
                Markup("<b>all</b>"),
                _rate(total["hits"].sum(), lookups.sum()),
                *(str(int(total[name].sum())) for name in COUNTS),
                duration(float(saved.sum())),
            ]
        )
        used = [j for j in range(len(reasons)) if dropped[:, j].any()]
        by_reason = []
        for slot, by_slot in zip(slots, dropped, strict=True):
            if by_slot.any():
                by_reason.append([slot, *(str(int(by_slot[j])) for j in used)])
        worker_rows = _workers(workers, np.bincount(code, minlength=len(workers)), counts, seconds)
        self.text.text = rendered(
            "cache",
            runs=counted(int(runs.size), "finished run"),
            counts=list(COUNTS),
            slots=rows,
            reasons=[reasons[j] for j in used],
            rebuilds=by_reason,
            workers=worker_rows,
        )
        shown = {name: total[name].tolist() for name in COUNTS}
        self._slots = {
            "slot": slots,
            **shown,
            "saved [s]": saved.tolist(),
            **{f"rebuilt because of {reasons[j]}": dropped[:, j].tolist() for j in used},
        }

    def mark(self) -> None:
        """Do nothing: this view shows no single runs."""

    def _csv(self) -> tuple[str, str]:
        return csv_text.table(self._slots), f"{self.page.file_name}-cache.csv"


def _sums(values: NDArray[Any], code: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Return the sums of ``values`` (runs, slots) over the runs of each code (codes, slots)."""
    return np.stack([np.bincount(code, column, size) for column in values.T], axis=1)


def _workers(
    names: list[str],
    runs: NDArray[np.int64],
    counts: dict[str, NDArray[Any]],
    seconds: NDArray[Any],
) -> list[list[str]]:
    """Return the rows of the table of workers."""
    rows = []
    present = np.flatnonzero(runs).tolist()
    for i in present[:MAX_WORKERS_LISTED]:
        total = {name: count[i] for name, count in counts.items()}
        lookups = int(_lookups(total).sum())
        saved = float(_saved(total, seconds[i]).sum())
        rows.append(
            [
                escaped(names[i]),
                str(runs[i]),
                _rate(total["hits"].sum(), lookups),
                str(lookups),
                duration(saved),
            ]
        )
    hidden = len(present) - MAX_WORKERS_LISTED
    if hidden > 0:
        rows.append([f"and {hidden} more", "", "", "", ""])
    return rows


def _lookups(total: dict[str, NDArray[Any]]) -> NDArray[Any]:
    lookups: NDArray[np.int64] = total["hits"] + total["misses"] + total["rebuilds"]
    return lookups


def _saved(total: dict[str, NDArray[Any]], seconds: NDArray[Any]) -> NDArray[Any]:
    """Return the seconds that building each hit again would have taken."""
    built = np.maximum(total["misses"] + total["rebuilds"], 1)
    saved: NDArray[np.float64] = total["hits"] * seconds / built
    return saved


def _rate(hits: Any, lookups: Any) -> str:
    if not lookups:
        return "–"
    share = 100.0 * float(hits) / float(lookups)
    return rendered("rate", share=share, number=number(share, 3), back=LINE, front=ACCENT)
