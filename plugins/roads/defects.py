"""Defects: known, worked on, mended; and how fast the service is there, by street class."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import msgspec

from ondijon import STREET_CLASSES, Emit, Event, Now, Proposal, Publish, requests
from plugins.roads.network import Network
from plugins.roads.state import Defect, Delays, State
from plugins.roads.vocabulary import DefectChanged, DefectReported, DefectRow, DelayRow, JobChanged

HOUR = 3_600_000_000

#: Delays that the median is taken over.
HOURS_MAX = 500


def reported(network: Network, state: State, event: Event, said: DefectReported) -> Iterator[Proposal]:
    """Somebody saw a defect: it is known, a sign of more perhaps, and a job is wanted."""
    at = network.city.place_of(event.asset, event.lon, event.lat)
    edge = None if at is None else network.edge(*at)
    kind = network.settings.kinds.get(said.kind)
    if at is None or edge is None or kind is None:
        why = f"no kind of defect is called {said.kind!r}" if kind is None else "it is on no street"
        data = DefectChanged(
            defect="", kind=said.kind, state="refused", street_class="", due_utc=0, reason=why
        )
        yield Emit(kind="roads.defect.changed", data=data, asset=event.asset, lon=event.lon, lat=event.lat)
        return
    state.number += 1
    key = f"D{state.number}"
    priority = said.priority or kind.priority
    due = event.at_utc + int(network.settings.delay_h[network.class_of(edge)][priority - 1] * HOUR)
    defect = Defect(
        kind=said.kind,
        priority=priority,
        lon=at[0],
        lat=at[1],
        edge=edge,
        since_utc=event.at_utc,
        due_utc=due,
    )
    state.defects[key] = defect
    place = {"lon": at[0], "lat": at[1]}
    yield _changed(network, key, defect)
    yield row(network, key, defect)
    if kind.topic:
        yield Emit(
            kind="post.sign.noted", data=requests.SignNoted(topic=kind.topic, title=kind.text), **place
        )
    job = requests.JobWanted(
        job=key,
        title=kind.text,
        skills=kind.skills,
        duration_s=kind.duration_s,
        priority=priority,
        # The contract counts until somebody is there, the job until it is done.
        latest_utc=due + kind.duration_s * 1_000_000,
    )
    yield Emit(kind="post.job.wanted", data=job, **place)


def job(network: Network, state: State, now: Now, said: JobChanged) -> Iterator[Proposal]:
    """What becomes of a job of ours."""
    trade, _, key = said.job.partition("/")
    defect = state.defects.get(key)
    if trade != "roads" or defect is None or defect.state == "mended":
        return
    if said.state in ("begun", "done") and not defect.begun_utc:
        defect = msgspec.structs.replace(defect, state="begun", begun_utc=now.utc)
        _count(network, state, defect)
    if said.state == "done":
        defect = msgspec.structs.replace(defect, state="mended", ended_utc=now.utc)
    if defect is not state.defects[key]:
        state.defects[key] = defect
        yield _changed(network, key, defect)
        yield row(network, key, defect)


def _count(network: Network, state: State, defect: Defect) -> None:
    name = network.class_of(defect.edge)
    before = state.delays.get(name, Delays())
    hours = (defect.begun_utc - defect.since_utc) / HOUR
    state.delays[name] = Delays(
        before.begun + 1,
        before.in_time + (defect.begun_utc <= defect.due_utc),
        (*before.hours, hours)[-HOURS_MAX:],
    )


def forget(network: Network, state: State, now: Now) -> Iterator[Publish]:
    """Take defects that are mended out of sight after a while."""
    kept = int(network.settings.kept_s * 1e6)
    for key, defect in list(state.defects.items()):
        if defect.state == "mended" and now.utc > defect.ended_utc + kept:
            del state.defects[key]
            yield Publish(view="roads.defect", key=key, row=None)


def late(state: State, now: Now) -> list[Defect]:
    """Defects on which somebody should be at work by now, and nobody is."""
    return [each for each in state.defects.values() if each.state == "known" and now.utc > each.due_utc]


def delays(network: Network, state: State, now: Now) -> Iterator[Publish]:
    """The contract's figure, by street class."""
    open_late = [network.class_of(each.edge) for each in late(state, now)]
    for name in STREET_CLASSES:
        of = state.delays.get(name, Delays())
        yield Publish(
            view="roads.delay",
            key=name,
            row=DelayRow(
                begun=of.begun,
                in_time=of.in_time,
                share_pct=100.0 * of.in_time / of.begun if of.begun else 100.0,
                open_late=open_late.count(name),
                median_h=statistics.median(of.hours) if of.hours else 0.0,
            ),
        )


def row(network: Network, key: str, defect: Defect) -> Publish:
    """A defect at a glance."""
    return Publish(
        view="roads.defect",
        key=key,
        row=DefectRow(
            kind=defect.kind,
            title=network.settings.kinds[defect.kind].text,
            state=defect.state,
            priority=defect.priority,
            street=network.name_of(defect.edge),
            street_class=network.class_of(defect.edge),
            lon=defect.lon,
            lat=defect.lat,
            since_utc=defect.since_utc,
            due_utc=defect.due_utc,
            begun_utc=defect.begun_utc,
        ),
    )


def _changed(network: Network, key: str, defect: Defect) -> Emit:
    data = DefectChanged(
        defect=key,
        kind=defect.kind,
        state=defect.state,
        street_class=network.class_of(defect.edge),
        due_utc=defect.due_utc,
    )
    return Emit(kind="roads.defect.changed", data=data, lon=defect.lon, lat=defect.lat)
