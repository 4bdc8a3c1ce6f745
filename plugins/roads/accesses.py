"""Accesses that must stay free: one that is blocked for a while is an alarm, and a case."""

from __future__ import annotations

from collections.abc import Iterator

from ondijon import Clear, Emit, Now, Proposal, Raise, TableView, Text, requests
from plugins.roads.network import Network
from plugins.roads.state import State

BLOCKED = Text("Accès réservé bloqué", "Reserved access blocked")


def look(network: Network, state: State, now: Now, table: TableView) -> Iterator[Proposal]:
    """Which accesses are blocked now, and for how long."""
    column = table.column("access.blocked")
    ids = network.city.assets.ids
    blocked = {
        ids[asset] for asset in column.asset[column.valid & ~column.stale & (column.value > 0)].tolist()
    }
    for id in [each for each in state.blocked if each not in blocked]:
        del state.blocked[id]
        state.told.discard(id)
        yield Clear(asset=network.access[id], code="access_blocked")
    for id in sorted(blocked):
        since = state.blocked.setdefault(id, now.mono)
        if now.mono - since < network.settings.blocked_s * 1e6 or id in state.told:
            continue
        state.told.add(id)
        yield Raise(asset=network.access[id], code="access_blocked")
        name = network.city.assets.names[network.access[id]]
        title = Text(f"{BLOCKED.fr} : {name}", f"{BLOCKED.en}: {name}")
        data = requests.IncidentSuggested(category="blocked_exit", title=title, priority=1)
        yield Emit(kind="post.incident.suggested", data=data, asset=network.access[id])
