"""What the kernel told of a step, as changes on the partners' wire. The edge makes them, once for all partners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from core.alarm_state import NO_PARENT, STATES, AlarmRows
from core.assets import NONE, Assets
from core.egress import Told
from core.link import GONE, CommandRow, Present, Stepped, ViewRow
from core.minute_rows import MinuteRows
from core.partner_wire import Topic, encode
from core.vocabulary import POST

#: Assets in one row of a layer, and indexes in one of a minute.
BLOCK, MINUTE_BLOCK = 16_384, 2048

#: A command ends in one of these: it is told once more, and is gone.
ENDED = frozenset(
    {"refused", "expired", "failed", "unknown", "superseded", "reverted", "verified", "executed"}
)


class _Source(msgspec.Struct):
    """Who said it; of a person only that it was one is told."""

    plugin: str = ""
    person: str = ""
    gateway: str = ""


class _Event(msgspec.Struct):
    """Of a journaled event, what is told; ``data`` unread."""

    seq: int
    kind: str
    at_utc: int
    received_utc: int
    source: _Source
    trade: str
    communes: tuple[int, ...] = ()
    asset: int | None = None
    lon: float | None = None
    lat: float | None = None
    cause: int = 0
    data: msgspec.Raw = msgspec.Raw(b"\xc0")


_event = msgspec.msgpack.Decoder(_Event)


class _Change(msgspec.Struct):
    """core.partner_wire.Change with its row as it is written."""

    topic: Topic
    name: str
    key: str
    trade: str
    communes: tuple[str, ...]
    row: Any


class Publication:
    """Turns what the kernel tells into changes. It knows the city's communes, its assets, and who owns what."""

    def __init__(self, present: Present, assets: Assets) -> None:
        self._communes = present.communes
        self._owners = present.owners
        self._alarms = present.alarms
        self._metrics = present.metrics
        self._assets = assets
        self._layers: dict[str, bytes] = {}
        self._minutes: dict[tuple[str, str], int] = {}
        #: Whose things are told of.
        self.trades = frozenset({POST, *present.owners.values(), *present.trades})

    # -- all that stands

    def present(self, present: Present) -> Iterator[Told]:
        """Everything anew."""
        yield from self._all_assets()
        yield from self.stepped(present.now)

    def renumber(self, assets: Assets) -> list[Told]:
        """The assets that are other than before."""
        before = {told.data for told in self._all_assets()}
        self._assets = assets
        # The blocks may lie otherwise: all of them are told again.
        self._layers.clear()
        return [told for told in self._all_assets() if told.data not in before]

    def stepped(self, stepped: Stepped) -> list[Told]:
        """What a step told."""
        changes = [self._view(row) for row in stepped.views]
        if stepped.alarms is not None:
            changes += self._alarm_rows(stepped.alarms)
        for command in stepped.commands:
            changes += self._command(command)
        changes += [self._event(data) for data in stepped.events]
        for metric, levels in stepped.layers:
            changes += self._layer(metric, levels)
        for rows in stepped.minutes:
            changes += self._minute(rows)
        if stepped.status:
            changes.append(self._told("status", "post.status", "all", POST, (), msgspec.Raw(stepped.status)))
        return changes

    # -- one by one

    def _told(self, topic: Topic, name: str, key: str, trade: str, communes: Sequence[int], row: Any) -> Told:
        names = tuple(self._communes[commune] for commune in communes)
        data = encode(_Change(topic, name, key, trade, names, row))
        return Told(f"{topic}\0{name}\0{key}", topic, trade, names, data, gone=row is None)

    def _view(self, row: ViewRow) -> Told:
        there = None if row.row == GONE else row.row
        return self._told("view", row.view, row.key, row.trade, row.communes, there)

    def _command(self, command: CommandRow) -> Iterator[Told]:
        row = {
            "state": command.state,
            "targets": command.targets,
            "failed": command.failed,
            "refusal": command.refusal,
            "created": command.created_utc,
            "deadline": command.deadline,
            "lease_s": command.lease_s,
        }
        yield self._told("command", command.verb, command.id, command.trade, command.communes, row)
        if command.state in ENDED:
            yield self._told("command", command.verb, command.id, command.trade, command.communes, None)

    def _event(self, data: bytes | msgspec.Raw) -> Told:
        event = _event.decode(data)
        source = event.source
        row = {
            "at": event.at_utc,
            "received": event.received_utc,
            "by": source.plugin or source.gateway or ("person" if source.person else ""),
            "asset": None if event.asset is None else self._assets.ids[event.asset],
            "lon": event.lon,
            "lat": event.lat,
            "cause": event.cause,
            "data": event.data,
        }
        return self._told("event", event.kind, str(event.seq), event.trade, event.communes, row)

    def _alarm_rows(self, rows: AlarmRows) -> Iterator[Told]:
        columns = (
            np.frombuffer(rows.code, np.uint16),
            np.frombuffer(rows.asset, np.uint32),
            np.frombuffer(rows.state, np.uint8),
            np.frombuffer(rows.parent, np.uint16),
            np.frombuffer(rows.count, np.uint32),
            np.frombuffer(rows.raised_at, np.int64),
            np.frombuffer(rows.returned_at, np.int64),
            np.frombuffer(rows.acked_at, np.int64),
        )
        for code, asset, state, parent, *row in zip(*(column.tolist() for column in columns), strict=True):
            yield self._alarm(rows.codes, code, asset, STATES[state], parent, row)

    def _alarm(
        self, codes: Sequence[str], number: int, asset: int, state: str, parent: int, row: Sequence[int]
    ) -> Told:
        code = codes[number]
        priority, trade = self._alarms[code]
        key = "" if asset == NONE else self._assets.ids[asset]
        communes = () if asset == NONE else (int(self._assets.commune[asset]),)
        if state == "normal":
            return self._told("alarm", code, key, trade, communes, None)
        count, raised_at, returned_at, acked_at = row
        told = {
            "state": state,
            "priority": priority,
            "parent": "" if parent == NO_PARENT else codes[parent],
            "count": count,
            "raised": raised_at,
            "returned": returned_at,
            "acked": acked_at,
        }
        return self._told("alarm", code, key, trade, communes, told)

    def _all_assets(self) -> Iterator[Told]:
        return map(self._asset, range(len(self._assets)))

    def _asset(self, index: int) -> Told:
        assets = self._assets
        kind = assets.kinds[assets.kind[index]]
        parent, gateway = int(assets.parent[index]), int(assets.gateway[index])
        row = {
            "index": index,
            "name": assets.names[index],
            "lon": float(assets.lon[index]),
            "lat": float(assets.lat[index]),
            "parent": "" if parent == NONE else assets.ids[parent],
            "gateway": "" if gateway == NONE else assets.gateways[gateway],
            "until": int(assets.until[index]),
        }
        owner = self._owners.get(kind, POST)
        return self._told("asset", kind, assets.ids[index], owner, (int(assets.commune[index]),), row)

    def _layer(self, metric: str, levels: bytes) -> Iterator[Told]:
        """The blocks that differ from the last time, a commune at a time: who sees one reads no other's."""
        before = np.frombuffer(self._layers.get(metric, b""), np.uint8)
        now = np.frombuffer(levels, np.uint8)
        self._layers[metric] = levels
        kind, trade = self._metrics[metric]
        communes = self._assets.commune[self._assets.of_kind(kind)][: len(now)]
        for commune in np.unique(communes).tolist():
            mine = np.flatnonzero(communes == commune)
            for first in range(0, len(mine), BLOCK):
                block = mine[first : first + BLOCK]
                if block[-1] < len(before) and np.array_equal(before[block], now[block]):
                    continue
                row = {"kind": kind, "first": first, "levels": now[block].tobytes()}
                key = f"{self._communes[commune]} {first}"
                yield self._told("layer", metric, key, trade, (commune,), row)

    def _minute(self, rows: MinuteRows) -> Iterator[Told]:
        """A row a commune and block of indexes: the newest stands, so that who was away for a moment misses nothing."""
        _, trade = self._metrics[rows.metric]
        columns = rows.columns()
        communes, blocks = self._assets.commune[columns["asset"]], columns["asset"] // MINUTE_BLOCK
        order = np.lexsort((columns["asset"], blocks, communes))
        starts = np.flatnonzero(np.diff(communes[order], prepend=-1) | np.diff(blocks[order], prepend=-1))
        for mine in np.split(order, starts[1:]):
            commune, block = int(communes[mine[0]]), int(blocks[mine[0]])
            key = f"{self._communes[commune]} {block}"
            row: dict[str, Any] = {"minute": rows.minute, "after": self._minutes.get((rows.metric, key), 0)}
            row |= {name: column[mine].tobytes() for name, column in columns.items()}
            self._minutes[rows.metric, key] = rows.minute
            yield self._told("minute", rows.metric, key, trade, (commune,), row)
