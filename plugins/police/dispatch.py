"""Who goes: the unit that can do it and is there first by road, and the junctions on its way."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import msgspec
import numpy as np

from ondijon import Emit, Event, Now, Proposal, Publish, requests
from ondijon.closures import priced
from plugins.police.fleet import Fleet
from plugins.police.state import State, Task, Wanted
from plugins.police.vocabulary import SummaryRow, UnitRow, UnitSent

SECOND = 1_000_000

#: Responses that the median of the summary is taken over.
RESPONSES_MAX = 200


class Dispatch:
    """One turn at the radio. What it has to say is in ``said``."""

    def __init__(self, fleet: Fleet, state: State, now: Now) -> None:
        self._fleet, self._state, self._now = fleet, state, now
        self.said: list[Proposal] = []

    # -- what is wanted

    def wanted(self, event: Event, asked: requests.UnitWanted) -> None:
        """A trade wants a unit somewhere at once."""
        skills = frozenset(asked.skills)
        at = self._fleet.city.place_of(event.asset, event.lon, event.lat)
        if at is None:
            return self._answer(event.seq, "refused", "the request names no place")
        if not any(skills <= each for each in self._fleet.skills):
            # Not ours, as far as anybody knows: another trade may have such units.
            return None
        wanted = Wanted(
            seq=event.seq,
            skills=skills,
            title=asked.title,
            priority=asked.priority,
            incident=asked.incident,
            lon=at[0],
            lat=at[1],
            since=event.at_utc,
        )
        self._state.waiting[str(event.seq)] = wanted
        self.send()
        return None

    def send(self) -> None:
        """Send units to what waits, the most urgent and oldest first."""
        cost: np.ndarray | None = None
        waiting = sorted(self._state.waiting.values(), key=lambda each: (each.priority, each.seq))
        for wanted in waiting:
            able = self._able(wanted)
            if not able:
                continue
            if cost is None:
                cost = priced(self._fleet.seconds, self._state.closures.values(), self._now.utc)
            first = self._fleet.first(self._state.where.places(), able, wanted.lon, wanted.lat, cost)
            if first:
                self._go(wanted, first, cost)

    def _able(self, wanted: Wanted) -> list[int]:
        """Units on duty and free that can do it."""
        return [
            i
            for i, unit in enumerate(self._fleet.ids)
            if wanted.skills <= self._fleet.skills[i]
            and unit not in self._state.tasks
            and unit not in self._state.alarmed
            and self._fleet.shifts.on_duty(i, self._now.utc)
        ]

    def _go(self, wanted: Wanted, first: list[tuple[float, int]], cost: np.ndarray) -> None:
        settings = self._fleet.settings
        share = settings.urgent_share if wanted.priority == 1 else 1.0
        seconds, i = first[0]
        unit = self._fleet.ids[i]
        arrive = self._now.utc + int(seconds * share * SECOND)
        edges = self._fleet.way(self._state.where.places(), i, wanted.lon, wanted.lat, cost)
        del self._state.waiting[str(wanted.seq)]
        self._state.tasks[unit] = Task(wanted=wanted, arrive_utc=arrive)
        self._answer(wanted.seq, "taken", by=(unit,))
        other, more = (
            ("", 0) if len(first) < 2 else (self._fleet.ids[first[1][1]], round(first[1][0] - seconds))
        )
        self.said.append(
            Emit(
                kind="police.unit.sent",
                data=UnitSent(
                    unit=unit,
                    request=wanted.seq,
                    incident=wanted.incident,
                    title=wanted.title,
                    arrive_utc=arrive,
                    edges=edges,
                    other=other,
                    more_s=more,
                ),
                lon=wanted.lon,
                lat=wanted.lat,
            )
        )
        if edges and wanted.priority <= settings.corridor_priority:
            corridor = requests.CorridorWanted(
                vehicle=unit,
                edges=edges,
                until_utc=arrive + int(settings.corridor_s * SECOND),
                incident=wanted.incident,
            )
            self.said.append(Emit(kind="post.corridor.wanted", data=corridor, lon=wanted.lon, lat=wanted.lat))

    # -- what units say

    def arrived(self, unit: str) -> None:
        """A unit is there."""
        task = self._state.tasks.get(unit)
        if task is None or task.state == "there":
            return
        self._state.tasks[unit] = msgspec.structs.replace(task, state="there")
        response = max(self._now.utc - task.wanted.since, 0) / SECOND
        self._state.responses = [*self._state.responses, response][-RESPONSES_MAX:]

    def freed(self, unit: str) -> None:
        """A unit is done, and may go to what waits."""
        task = self._state.tasks.pop(unit, None)
        self._state.alarmed.discard(unit)
        if task is not None:
            self._answer(task.wanted.seq, "done", by=(unit,))
        self.send()

    def alarmed(self, unit: str) -> None:
        """An officer calls for help: it is a case, and what the unit was called to waits for another."""
        if unit in self._state.alarmed:
            return
        self._state.alarmed.add(unit)
        task = self._state.tasks.pop(unit, None)
        if task is not None:
            self._state.waiting[str(task.wanted.seq)] = task.wanted

    def _answer(
        self, request: int, answer: requests.Answer, reason: str = "", by: tuple[str, ...] = ()
    ) -> None:
        self.said.append(requests.answered(request, answer, reason, by))


def rows(fleet: Fleet, state: State, now: Now) -> Iterator[Publish]:
    """Every unit, and the trade at a glance."""
    lon, lat = fleet.streets.point_at(
        np.where(state.where.edge < len(fleet.seconds), state.where.edge, 0), state.where.offset_m
    )
    on_duty = [fleet.shifts.on_duty(i, now.utc) for i in range(len(fleet.ids))]
    for i, unit in enumerate(fleet.ids):
        yield Publish(
            view="police.unit",
            key=unit,
            row=_row(fleet, state, i, (float(lon[i]), float(lat[i])), on_duty[i]),
            asset=int(fleet.asset[i]),
        )
    yield Publish(
        view="police.summary",
        key="city",
        row=SummaryRow(
            on_duty=sum(on_duty),
            free=sum(
                duty and unit not in state.tasks and unit not in state.alarmed
                for duty, unit in zip(on_duty, fleet.ids, strict=True)
            ),
            called=len(state.tasks),
            waiting=len(state.waiting),
            calls=state.calls,
            response_s=statistics.median(state.responses) if state.responses else 0.0,
        ),
    )


def _row(fleet: Fleet, state: State, i: int, at: tuple[float, float], on_duty: bool) -> UnitRow:
    unit = fleet.ids[i]
    task = state.tasks.get(unit)
    exact = task is not None or unit in state.alarmed
    lon, lat = at if exact else _blurred(fleet, *at)
    state_ = "alarm" if unit in state.alarmed else task.state if task else "free" if on_duty else "off"
    return UnitRow(
        name=fleet.city.assets.names[int(fleet.asset[i])],
        skills=tuple(sorted(fleet.skills[i])),
        state=state_,  # type: ignore[arg-type]
        lon=lon,
        lat=lat,
        exact=exact,
        incident=task.wanted.incident if task else "",
        arrive_utc=task.arrive_utc if task else 0,
    )


def _blurred(fleet: Fleet, lon: float, lat: float) -> tuple[float, float]:
    """The middle of the square that a place lies in: who walks where is nobody's business while nothing happens."""
    size = fleet.settings.blur_m
    lon0, lat0 = fleet.city.centre
    east, north = fleet.city.project(np.array(lon0 + 1.0), np.array(lat0 + 1.0))
    x, y = fleet.city.project(np.array(lon), np.array(lat))
    middle = (np.floor(x / size) + 0.5) * size, (np.floor(y / size) + 0.5) * size
    return lon0 + float(middle[0] / east), lat0 + float(middle[1] / north)
