"""The stores in a folder: how far each has come, what it is to answer, and its age."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from ..common.errors import StoreError
from ..common.text import text
from ..running.driver_notes import RUNNING
from ..running.heartbeat import heartbeat
from ..running.progress import duration
from ..store.layout import STATUS_VARIABLE
from ..store.mistaken import stores_in
from ..store.store import Counts, Store

DAY = 86400.0  # s


@dataclass(frozen=True)
class ListedStore:
    """A store of a folder."""

    store: str  #: its path
    state: str
    runs: int  #: without those of rounds to come
    done: int
    failed: int
    question: str  #: what it is to answer; empty where its sweep file does not say
    changed: str  #: when it was written last, in UTC

    @property
    def age(self) -> str:
        """Time since it was written, by this machine's clock."""
        since = datetime.now(UTC) - datetime.fromisoformat(self.changed)
        seconds = max(0.0, since.total_seconds())
        days = int(seconds // DAY)
        if days:
            return f"{days} days ago" if days > 1 else "1 day ago"
        return f"{duration(seconds)} ago"

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


def listed_stores(folder: Path) -> Iterator[ListedStore]:
    """Yield the stores in a folder, the one written last first.

    Parameters
    ----------
    folder : Path
        A folder of this machine.
    """
    times = {path: _time_of_writing(path) for path in stores_in(folder)}
    for path in sorted(times, key=lambda path: times[path], reverse=True):
        changed = datetime.fromtimestamp(times[path], UTC).isoformat(timespec="seconds")
        try:
            store = Store.open(path, same_length=False)
            counts = store.counts()
        except StoreError as error:
            reason = str(error).removeprefix(f"{path}: ").partition(";")[0]
            yield ListedStore(str(path), reason, 0, 0, 0, "", changed)
            continue
        yield ListedStore(
            str(path),
            _state(store, counts),
            runs=counts.runs,
            done=counts.done,
            failed=counts.failed,
            question=store.description.question,
            changed=changed,
        )


def _time_of_writing(path: Path) -> float:
    """Return when a block was committed last, or when the store was made, in s."""
    records = path / STATUS_VARIABLE.name / "c"
    try:
        return (records if records.is_dir() else path).stat().st_mtime
    except OSError:  # it was removed meanwhile
        return 0.0


def _state(store: Store, counts: Counts) -> str:
    """Return how far a sweep has come, and what became of its driver."""
    if not counts.is_open:
        return "complete"
    beat = heartbeat(store.location)
    if beat.state == RUNNING:
        return "running"
    return f"incomplete, {beat.state}" if beat else "incomplete"


def stores_table(stores: list[ListedStore]) -> Table:
    """Return a table of stores."""
    table = Table()
    for head in ("store", "state"):
        table.add_column(head, overflow="fold")
    table.add_column("done", justify="right")
    table.add_column("failed", justify="right")
    table.add_column("written")
    table.add_column("question", overflow="fold", ratio=1)
    for store in stores:
        table.add_row(
            text(store.store),
            store.state,
            f"{store.done} of {store.runs}",
            str(store.failed),
            store.age,
            text(store.question) or "-",
        )
    return table
