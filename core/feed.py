"""What partners may hear of the kernel's steps. The kernel tells the partners' edge once, however many follow.

The reactor makes it from a step's outputs; it leaves when they are durable, while the edge takes it in time. What finds
no room is left out: the edge sees the gap, and is told anew how all stands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec
import numpy as np

from core import link
from core.alarms import POST_ASSET
from core.clock import Now
from core.commands import COMMAND
from core.desk import APPROVAL, Approved
from core.event import Event
from core.journal import Record
from core.kernel import Kernel
from core.link import GONE, CommandRow, Present, Stepped, ViewRow
from core.minute_rows import MinuteRows
from core.proposals import Publish
from core.status import ROWS_MAX
from core.step import Outputs
from core.vocabulary import POST, AlarmChanged, CommandEnded

#: Bytes on their way to the edge at most: beyond it the edge is told anew when it has taken them.
WINDOW = 16 << 20

#: Kinds that are told as rows of their own: their data may name a person.
_AS_ROWS = frozenset(
    {"post.alarm.changed", "post.command.ended", "post.command.reverted", "post.asset.changed"}
)

#: Open commands that are known here at most.
COMMANDS_MAX = 10_000


class _Command(msgspec.Struct):
    """Of a command's record, what is told."""

    id: str
    verb: str
    trade: str
    communes: tuple[int, ...]
    targets: bytes
    created_utc: int
    deadline: int
    lease_s: float
    state: str
    refusal: dict[str, object] | None = None


_command = msgspec.msgpack.Decoder(_Command)
_approved = msgspec.msgpack.Decoder(Approved)


class Feed:
    """The reactor's side. It keeps the rows of views and the open commands, to tell how all stands."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._owners = {
            view.name: d.name for d in (p.declaration for p in kernel.plugins) for view in d.views
        }
        self._views: dict[tuple[str, str], ViewRow] = {}
        self._commands: dict[str, CommandRow] = {}
        #: What was told of the newest minute: an edge that starts has not heard it.
        self._minute: list[MinuteRows] = []
        self._sequence = 0

    def step(
        self,
        now: Now,
        heard: Sequence[Event],
        emitted: Sequence[Event],
        outputs: Outputs,
        journal: int,
    ) -> Stepped | None:
        """What a step changed; None: nothing. ``heard`` came from the field, ``emitted`` from the step itself."""
        views = self._published(outputs.views)
        commands = self._taken(outputs.records)
        changed = []
        for event in emitted:
            if isinstance(event.data, AlarmChanged):
                changed.append((event.data.code, self._assets_of(event.data)))
            elif isinstance(event.data, CommandEnded) and event.data.command in self._commands:
                commands.append(self._ended(event.data))
        events = [event for event in (*heard, *emitted) if event.kind not in _AS_ROWS]
        minutes = self._passed(outputs.minutes)
        if not (views or commands or changed or events or minutes):
            return None
        return self._stepped(
            now,
            journal,
            views=tuple(views),
            commands=tuple(commands),
            events=tuple(msgspec.Raw(link.encode(event)) for event in events),
            alarms=self._kernel.alarms.rows(changed) if changed else None,
            minutes=minutes,
        )

    def present(self, now: Now, journal: int) -> Present:
        """How all stands after the step of ``now``."""
        kernel = self._kernel
        declarations = [plugin.declaration for plugin in kernel.plugins]
        stepped = self._stepped(
            now,
            journal,
            views=tuple(self._views.values()),
            commands=tuple(self._commands.values()),
            alarms=kernel.alarms.rows(),
            minutes=tuple(self._minute),
        )
        kinds = {metric.name: (metric.kind, d.name) for d in declarations for metric in d.metrics}
        return Present(
            now=stepped,
            trades=tuple(d.name for d in declarations),
            communes=tuple(kernel.city.communes.names),
            owners={kind.name: d.name for d in declarations for kind in d.assets},
            alarms={code: (kind.priority, trade) for code, kind, trade in kernel.alarms.kinds()},
            metrics=kinds,
        )

    def figures(self, now: Now, journal: int, layers: Sequence[tuple[str, bytes]], status: bytes) -> Stepped:
        """The map's layers and the post's own figures, once a second."""
        return self._stepped(now, journal, layers=tuple(layers), status=status)

    def _stepped(self, now: Now, journal: int, **told: object) -> Stepped:
        self._sequence += 1
        return Stepped(sequence=self._sequence, journal=journal, utc=now.utc, **told)  # type: ignore[arg-type]

    def _passed(self, minutes: Sequence[MinuteRows]) -> tuple[MinuteRows, ...]:
        if minutes and (not self._minute or self._minute[0].minute != minutes[0].minute):
            self._minute.clear()
        self._minute += minutes
        return tuple(minutes)

    def _published(self, views: Sequence[Publish]) -> list[ViewRow]:
        told = []
        for row in map(self._view, views):
            key = (row.view, row.key)
            if row.row == GONE:
                self._views.pop(key, None)
            elif key in self._views or len(self._views) < ROWS_MAX:
                self._views[key] = row
            else:
                continue
            told.append(row)
        return told

    def _view(self, published: Publish) -> ViewRow:
        asset, row = published.asset, published.row
        communes = () if asset is None else (int(self._kernel.city.assets.commune[asset]),)
        raw = GONE if row is None else msgspec.Raw(link.encode(row))
        return ViewRow(published.view, published.key, self._owners.get(published.view, POST), communes, raw)

    def _assets_of(self, changed: AlarmChanged) -> np.ndarray:
        if changed.assets:
            return np.frombuffer(changed.assets, np.uint32)
        index = self._kernel.city.assets.index[changed.asset] if changed.asset else POST_ASSET
        return np.array([index], np.uint32)

    def _taken(self, records: Sequence[Record]) -> list[CommandRow]:
        rows = []
        for record in records:
            if record.kind == COMMAND:
                rows.append(self._asked(_command.decode(record.data)))
            elif record.kind == APPROVAL:
                said = _approved.decode(record.data)
                waiting = self._commands.get(said.command)
                if said.refusal is None and waiting is not None:
                    self._commands[said.command] = committed = msgspec.structs.replace(
                        waiting, state="committed"
                    )
                    rows.append(committed)
        return rows

    def _asked(self, command: _Command) -> CommandRow:
        refusal = str(command.refusal.get("code", "")) if command.refusal else ""
        row = CommandRow(
            id=command.id,
            verb=command.verb,
            trade=command.trade,
            communes=command.communes,
            state="committed" if command.state == "checked" else command.state,
            targets=len(command.targets) // 4,
            created_utc=command.created_utc,
            deadline=command.deadline,
            lease_s=command.lease_s,
            refusal=refusal,
        )
        if len(self._commands) >= COMMANDS_MAX:
            self._commands.pop(next(iter(self._commands)))
        self._commands[command.id] = row
        return row

    def _ended(self, ended: CommandEnded) -> CommandRow:
        row = self._commands.pop(ended.command)
        return msgspec.structs.replace(
            row, state=ended.state, failed=ended.failed, refusal=row.refusal or ended.reason
        )


class Outlet:
    """Intake's side: what is on its way to the edge, and whether that must be told how all stands.

    ``wanted`` is read by the reactor, the rest belongs to intake's thread.
    """

    def __init__(self, counts: dict[str, int]) -> None:
        self.wanted = False
        #: An edge is there, and knows how all stood once.
        self.follows = False
        self._counts = counts
        self._on_way: deque[tuple[int, int]] = deque()
        self._bytes = 0
        counts |= {"egress_told": 0, "egress_left_out": 0}

    def ready(self) -> None:
        """The edge knows nothing: it started, or missed something."""
        self._on_way.clear()
        self._bytes = 0
        self.wanted = True

    def admit(self, sequence: int, size: int) -> bool:
        """Whether a message may leave now; if so it counts as on its way."""
        if self._bytes and self._bytes + size > WINDOW:
            self._counts["egress_left_out"] += 1
            return False
        self._on_way.append((sequence, size))
        self._bytes += size
        self._counts["egress_told"] += 1
        return True

    def took(self, sequence: int) -> None:
        """The edge has all up to ``sequence``."""
        while self._on_way and self._on_way[0][0] <= sequence:
            self._bytes -= self._on_way.popleft()[1]
