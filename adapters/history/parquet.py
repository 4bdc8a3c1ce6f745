"""Writing Parquet with DuckDB: minutes as they come, and whole hours when they are over."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from adapters.history import duck, rows
from adapters.history.rows import Block
from adapters.history.store import HOUR, OPEN, UNFINISHED, Store, Table, folder_of
from core import whole
from core.assets import NONE, Assets
from core.city import Streets
from core.partner_wire import Change

#: An hour is sorted so: what one asset showed lies together.
_ORDER = {"minutes": "metric, asset, minute", "events": "received, happened"}

#: A value that came alone is its own least, greatest and sum: it is written once.
_MINUTES = """
    SELECT b.minute, b.metric, a.id AS asset, a.kind, a.street, r.last,
           CASE WHEN r."values" > 1 THEN r.low END AS low, CASE WHEN r."values" > 1 THEN r.high END AS high,
           CASE WHEN r."values" > 1 THEN r.total END AS total, r."values", r."count", b.trade, b.commune,
           strftime(b.minute, '%Y-%m-%d') AS day
    FROM rows_ r JOIN blocks_ b USING (block) JOIN assets a ON a.index = r.asset
"""

_EVENTS = "SELECT *, strftime(received, '%Y-%m-%d') AS day FROM events_"

#: How Parquet is written. V2 packs what grows evenly, such as time.
_FORMAT = "FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2"


class Writer:
    """Writes the files of a store. Not thread-safe."""

    def __init__(self, store: Store, memory_mib: int) -> None:
        self._store = store
        self._db = duck.connect(memory_mib)
        self._db.execute("SET preserve_insertion_order = false")
        self._number = 0
        self.assets = 0

    def name(self, assets: Assets, streets: Streets) -> None:
        """Take the register: what an index stands for, and on which street."""
        on = assets.edge != NONE
        names = np.full(len(assets), "", dtype=object)
        edges = streets.edge_name[assets.edge[on]]
        names[on] = np.array(streets.names, dtype=object)[edges] if len(edges) else []
        columns = {
            "index": np.arange(len(assets), dtype=np.uint32),
            "id": np.array(assets.ids, dtype=object),
            "kind": np.array(assets.kinds, dtype=object)[assets.kind] if len(assets) else np.empty(0, object),
            "street": names,
        }
        with duck.registered(self._db, named_=columns):
            self._db.execute("CREATE OR REPLACE TABLE assets AS SELECT * FROM named_")
        self.assets = len(assets)

    def minutes(self, blocks: Sequence[Block]) -> None:
        """Write blocks of one hour, for readers; nothing of it needs to outlive a crash. Raises duck.Error."""
        given = {"rows_": rows.minute_columns(blocks), "blocks_": rows.block_columns(blocks)}
        self._divide("minutes", _MINUTES, blocks[0].minute // HOUR, given)

    def events(self, events: Sequence[tuple[int, Change]]) -> None:
        """Write what happened within one hour. Raises duck.Error."""
        self._divide("events", _EVENTS, events[0][0] // HOUR, {"events_": rows.event_columns(events)})

    def _divide(self, table: Table, select: str, hour: int, given: dict[str, dict[str, np.ndarray]]) -> None:
        self._number += 1
        folder = self._store.root / OPEN / UNFINISHED / table
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with duck.registered(self._db, **given):
            self._db.execute(
                f"COPY ({select}) TO {duck.quoted(str(folder))} ({_FORMAT}, "
                "PARTITION_BY (trade, commune, day), OVERWRITE_OR_IGNORE, "
                f"FILENAME_PATTERN '{hour % 24:02}_{self._number}_')"
            )
        # A reader sees no file that is half written.
        for file in folder.rglob("*.parquet"):
            there = self._store.root / OPEN / table / file.relative_to(folder)
            there.parent.mkdir(parents=True, exist_ok=True)
            file.replace(there)
        shutil.rmtree(folder.parent)

    def seal(self, table: Table, trade: str, commune: str, hour: int, files: Iterable[str]) -> None:
        """One hour of one folder as one file: whole and on disk, or not at all. Raises duck.Error and OSError."""
        folder = self._store.root / table / folder_of(trade, commune, hour)
        fresh = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f"{hour % 24:02}{UNFINISHED}"
        source = duck.files(files)
        self._db.execute(
            f"COPY (SELECT * EXCLUDE (trade, commune, day) FROM {source} ORDER BY {_ORDER[table]}) "
            f"TO {duck.quoted(str(new))} ({_FORMAT})"
        )
        whole.sync(new)
        os.replace(new, folder / f"{hour % 24:02}.parquet")
        for each in (folder, *(folder.parents[:3] if fresh else ())):
            whole.sync(each)

    def close(self) -> None:
        """Write no more."""
        self._db.close()


def unfinished(root: Path) -> Iterable[Path]:
    """What a crash left half written."""
    return root.rglob(f"*{UNFINISHED}")
