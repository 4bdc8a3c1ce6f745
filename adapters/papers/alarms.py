"""Which alarms stood at a time: the register of the snapshot before it, and what the journal told of alarms since.

Both are worked in by the kernel's own code (core/alarm_rows.py, core/alarm_tail.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import numpy as np

from adapters.papers import words
from adapters.papers.folder import Folder
from core import alarm_tail, plugins, vocabulary
from core.alarm_kinds import Kinds
from core.alarm_rows import Rows
from core.alarm_state import ACKED, ACTIVE, HIDDEN, OUT, SHELVED, SUPPRESSED, TOLD
from core.assets import NONE, Assets
from core.declaration import AlarmKind, Text
from core.errors import OndijonError
from core.snapshot import Snapshot
from core.vocabulary import AlarmChanged

#: Of a code that nobody here declares the priority is only in what was told of it.
UNKNOWN = 3


class Aside(msgspec.Struct, frozen=True):
    """An alarm on the shelf, or out of service (``until_utc`` 0): by whom and why."""

    code: str
    asset: str
    until_utc: int
    by: str
    why: str


class Kind(msgspec.Struct, frozen=True):
    """All standing alarms of one code: since when the oldest, on which assets, and how many nobody has seen."""

    code: str
    priority: int
    text: Text
    since_utc: int
    assets: tuple[str, ...]
    count: int
    unseen: int


class Alarms(msgspec.Struct, frozen=True):
    """What stands, by priority; what was put aside; how many another alarm explains."""

    standing: tuple[Kind, ...] = ()
    aside: tuple[Aside, ...] = ()
    suppressed: int = 0
    texts: dict[str, Text] = {}

    def text(self, code: str) -> Text:
        """What people call a code; the code itself where nobody here knows."""
        return self.texts.get(code, Text(code, code))


def read(folder: Folder, utc: int, snapshot: Snapshot | None, assets: Assets | None) -> Alarms:
    """The alarms at ``utc`` µs, after ``snapshot`` (None: from the journal's beginning)."""
    told = _told(folder, utc, snapshot)
    declared = _declared(folder)
    kinds = Kinds(_kinds(told, snapshot, declared))
    rows = Rows(len(kinds))
    if snapshot is not None:
        rows.restore(snapshot.alarms.rows, [kinds.number[code] for code in snapshot.alarms.codes], 0)
    ids = _work_in(rows, kinds, told, assets)
    return _shown(rows, kinds, ids, {code: kind.text for code, (kind, _) in declared.items()})


def _told(folder: Folder, utc: int, snapshot: Snapshot | None) -> list[tuple[int, AlarmChanged]]:
    after, step = (snapshot.after, snapshot.step) if snapshot else (0, -1)
    told = []
    for line in folder.events(after):
        if line.head.kind == words.ALARM and line.step > step and line.utc <= utc:
            changed = folder.read(line, AlarmChanged)
            if changed is not None:
                told.append((line.utc, changed))
    return told


def _declared(folder: Folder) -> dict[str, tuple[AlarmKind, str]]:
    """The kinds of alarm of the post and of ondijon's own trades; others' code is not run here to ask for its texts."""
    kinds = {
        kind.code: (kind, vocabulary.POST) for kind in (*vocabulary.ALARMS, *vocabulary.NETWORK.values())
    }
    run = folder.run()
    where: Path | None = run.plugin_folder if run else None
    names = sorted(entry.name for entry in entry_points(group=plugins.GROUP))
    others = set(plugins.in_workers(names, where, (), ()))
    for name in names:
        if name in others:
            continue
        try:
            declaration = plugins.hooked(name, plugins.find(name)).declaration
        except OndijonError:
            # One that lacks what it needs, such as an extra of pip: its codes stand for themselves.
            continue
        kinds |= {kind.code: (kind, name) for kind in declaration.alarms}
    return kinds


def _kinds(
    told: Sequence[tuple[int, AlarmChanged]],
    snapshot: Snapshot | None,
    declared: dict[str, tuple[AlarmKind, str]],
) -> dict[str, tuple[AlarmKind, str]]:
    """Those that are declared, and whatever else was ever told."""
    codes = dict.fromkeys(snapshot.alarms.codes if snapshot else (), UNKNOWN)
    codes |= {changed.code: changed.priority for _, changed in told}
    made = {
        code: (AlarmKind(code=code, priority=priority, text=Text(code, code)), "")
        for code, priority in codes.items()
    }
    return made | declared


def _work_in(
    rows: Rows, kinds: Kinds, told: Sequence[tuple[int, AlarmChanged]], assets: Assets | None
) -> list[str]:
    """Work in what was told; return what each asset's index is called."""
    names = list(assets.names) if assets is not None else []
    index = dict(assets.index) if assets is not None else {}
    for _, changed in told:
        # One that came since the register was saved, or without any register: it keeps its own id.
        if changed.asset and changed.asset not in index:
            index[changed.asset] = len(names)
            names.append(changed.asset)
    for each in alarm_tail.rounds(alarm_tail.words(told, kinds.number, index)):
        for code in np.unique(each.code).tolist():
            mine = each.where(each.code == code)
            rows.take(code, mine.asset[rows.find(code, mine.asset) < 0])
            alarm_tail.work_in(mine, rows.find(code, mine.asset), told, rows, kinds, 0)
    return names


def _shown(rows: Rows, kinds: Kinds, names: Sequence[str], texts: dict[str, Text]) -> Alarms:
    taken = rows.taken()
    flags = rows.flags[taken]
    standing = taken[((flags & ACTIVE) != 0) & ((flags & HIDDEN) == 0)]
    aside = taken[(flags & (SHELVED | OUT)) != 0]
    suppressed = int(np.sum(((flags & ACTIVE) != 0) & ((flags & HIDDEN) == SUPPRESSED)))
    found = [
        _kind(rows, standing[rows.code[standing] == code], kinds, code, names)
        for code in np.unique(rows.code[standing]).tolist()
    ]
    return Alarms(
        tuple(sorted(found, key=lambda kind: (kind.priority, kind.since_utc))),
        tuple(_aside(rows, row, kinds, names) for row in aside.tolist()),
        suppressed,
        texts,
    )


def _kind(rows: Rows, mine: np.ndarray, kinds: Kinds, code: int, names: Sequence[str]) -> Kind:
    oldest = mine[np.argsort(rows.raised_at[mine], kind="stable")]
    # The third kind of state: it stands, a person was told, and nobody said that they have seen it.
    unseen = (rows.flags[mine] & (TOLD | ACKED)) == TOLD
    return Kind(
        code=kinds.codes[code],
        priority=kinds.kinds[code].priority,
        text=kinds.kinds[code].text,
        since_utc=int(rows.raised_at[oldest[0]]),
        assets=tuple(_name(int(rows.asset[row]), names) for row in oldest[:3].tolist()),
        count=len(mine),
        unseen=int(np.sum(unseen)),
    )


def _aside(rows: Rows, row: int, kinds: Kinds, names: Sequence[str]) -> Aside:
    note = rows.note(row)
    return Aside(
        kinds.codes[int(rows.code[row])],
        _name(int(rows.asset[row]), names),
        int(rows.until[row]),
        note.aside_by,
        note.aside_why,
    )


def _name(asset: int, names: Sequence[str]) -> str:
    """Empty for the post itself."""
    if asset == NONE:
        return ""
    return names[asset] if asset < len(names) else f"n° {asset}"
