"""Works, closures and permits: declared with dates, obeyed by all who drive, until they are over."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ondijon import Emit, Event, Now, Proposal, Publish, Text, requests
from plugins.roads.network import Network
from plugins.roads.state import State, Works
from plugins.roads.vocabulary import WorksChanged, WorksDeclared, WorksEnded, WorksRow


def declared(
    network: Network, state: State, now: Now, event: Event, said: WorksDeclared
) -> Iterator[Proposal]:
    """Somebody declares works, or changes those of that name."""
    edges = said.edges
    at = network.city.place_of(event.asset, event.lon, event.lat)
    if not edges and at is not None:
        edge = network.edge(*at)
        edges = () if edge is None else (edge,)
    why = _wrong(network, said, edges, now)
    if why:
        yield _changed(said.works, "refused", said.title, edges, reason=why, network=network)
        return
    beside = tuple(
        key for key, each in state.works.items() if key != said.works and set(each.edges) & set(edges)
    )
    works = Works(
        title=said.title,
        edges=tuple(dict.fromkeys(edges)),
        closed=said.closed,
        permit=said.permit,
        from_utc=said.from_utc,
        until_utc=said.until_utc,
        beside=beside,
    )
    known = state.works.get(said.works)
    state.works[said.works] = works
    if known is not None and known.closed and not said.closed:
        yield _closure(network, said.works, known, "lifted")
    if said.closed:
        yield _closure(network, said.works, works, "closed")
    yield _changed(said.works, "planned", works.title, works.edges, beside, network=network)
    yield from begin(network, state, now)
    yield row(said.works, state.works[said.works])


def _wrong(network: Network, said: WorksDeclared, edges: tuple[int, ...], now: Now) -> str:
    if not edges:
        return "no street section: name `edges`, or a place on a street"
    unknown = [edge for edge in edges if edge >= network.city.streets.edges]
    if unknown:
        return f"the city has no street section {unknown[0]}"
    if said.until_utc and said.until_utc <= max(said.from_utc, now.utc):
        return "they end before they begin, or have ended already"
    return ""


def ended(network: Network, state: State, said: WorksEnded) -> Iterator[Proposal]:
    """Somebody says that works are over."""
    works = state.works.pop(said.works, None)
    if works is not None:
        yield from _over(network, said.works, works)


def begin(network: Network, state: State, now: Now) -> Iterator[Proposal]:
    """What begins and what is over by its dates."""
    for key, works in list(state.works.items()):
        if works.until_utc and now.utc >= works.until_utc:
            del state.works[key]
            yield from _over(network, key, works)
        elif works.state == "planned" and now.utc >= works.from_utc:
            state.works[key] = works = msgspec.structs.replace(works, state="running")
            yield _changed(key, "running", works.title, works.edges, works.beside, network=network)
            yield row(key, works)


def _over(network: Network, key: str, works: Works) -> Iterator[Proposal]:
    if works.closed:
        yield _closure(network, key, works, "lifted")
    yield _changed(key, "over", works.title, works.edges, network=network)
    yield Publish(view="roads.works", key=key, row=None)


def row(key: str, works: Works) -> Publish:
    """Works at a glance."""
    return Publish(
        view="roads.works",
        key=key,
        row=WorksRow(
            title=works.title,
            state=works.state,
            closed=works.closed,
            permit=works.permit,
            edges=works.edges,
            from_utc=works.from_utc,
            until_utc=works.until_utc,
            beside=works.beside,
        ),
    )


def _closure(network: Network, key: str, works: Works, state: str) -> Emit:
    data = requests.ClosureDeclared(
        closure=key,
        state=state,  # type: ignore[arg-type]
        title=Text(works.title, works.title),
        edges=works.edges,
        from_utc=works.from_utc,
        until_utc=works.until_utc,
    )
    lon, lat = network.middle(works.edges[0])
    return Emit(kind="post.closure.declared", data=data, lon=lon, lat=lat)


def _changed(
    key: str,
    state: str,
    title: str,
    edges: tuple[int, ...],
    beside: tuple[str, ...] = (),
    *,
    reason: str = "",
    network: Network,
) -> Emit:
    known = edges and edges[0] < network.city.streets.edges
    lon, lat = network.middle(edges[0]) if known else (None, None)
    data = WorksChanged(works=key, state=state, title=title, edges=edges, beside=beside, reason=reason)  # type: ignore[arg-type]
    return Emit(kind="roads.works.changed", data=data, lon=lon, lat=lat)
