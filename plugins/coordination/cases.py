"""The cases of the post: opened, led through their procedures, closed. Each change is an entry of the shift log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from ondijon import Emit, Event, Now, Proposal, Sealed, Text, requests
from plugins.coordination import steps, texts
from plugins.coordination.incident import ACTS, LATEST, OVER, Entry, Incident, Run
from plugins.coordination.place import Place
from plugins.coordination.procedure import Procedure
from plugins.coordination.state import Asked, Issued, State
from plugins.coordination.vocabulary import (
    ActRefused,
    EntryNoted,
    IncidentActed,
    IncidentChanged,
    IncidentReported,
    StepAnswered,
)

#: What is suggested this near to an open case of the same kind is the same case (m).
SAME_M = 80.0

#: Signs of a case that its timeline tells one by one.
SIGNS_TOLD = 20

#: Assets that a case names; further ones are in its signs' events.
ASSETS_MAX = 50


class Cases:
    """One turn of looking after the cases. What it has to say is in ``said``."""

    def __init__(self, place: Place, state: State, now: Now) -> None:
        self._place, self._state, self._now = place, state, now
        self.said: list[Proposal] = []

    # -- opening, and what belongs to it

    def open_(
        self,
        category: str,
        title: Text,
        priority: int,
        at: tuple[float, float] | None,
        *,
        assets: Sequence[int] = (),
        by: str = "",
        about: int = 0,
        parent: str = "",
        words: Sealed[str] | None = None,
    ) -> str:
        """Open a case, name the nearest cameras, begin its procedure; its key."""
        self._state.number += 1
        key = f"C{self._state.number}"
        lon, lat = at if at else (None, None)
        incident = Incident(
            key=key,
            category=category,
            title=title,
            priority=priority,
            parent=parent,
            lon=lon,
            lat=lat,
            communes=self._place.city.communes_of(assets[0] if assets and not at else None, lon, lat),
            assets=tuple(assets)[:ASSETS_MAX],
            cameras=self._place.cameras_near(at),
            opened_utc=self._now.utc,
            since_mono=self._now.mono,
        )
        self._keep(incident)
        self._note(key, "opened", by=by, about=about, words=words, title=title)
        if incident.cameras:
            names = ", ".join(self._place.name(id) for id in incident.cameras)
            self._note(key, "cameras", names=names)
        if parent:
            self._note(parent, "sub", to=key)
        procedure = self._place.procedures.get(category)
        if procedure is not None:
            self.begin(key, procedure)
        self._told(key)
        return key

    def sign(self, key: str, event: Event, title: Text, assets: Sequence[int] = ()) -> None:
        """Something more belongs to a case; it may lie in another commune."""
        incident = self._state.incidents[key]
        more = tuple(asset for asset in assets if asset not in incident.assets)
        communes = tuple(sorted({*incident.communes, *event.communes}))
        spread = communes != incident.communes
        self._keep(
            msgspec.structs.replace(
                incident,
                signs=incident.signs + 1,
                assets=(*incident.assets, *more)[:ASSETS_MAX],
                communes=communes,
            )
        )
        signs = incident.signs + 1
        # All of a storm's signs are in the journal; the timeline tells the first ones, then fewer and fewer.
        if signs <= SIGNS_TOLD or signs & (signs - 1) == 0:
            self._note(key, "sign", by=event.trade, about=event.seq, title=title)
        if spread:
            self._told(key)

    def counted(self, key: str, signs: int) -> None:
        """So many signs waited for this case to open."""
        self._set(key, signs=self._state.incidents[key].signs + signs)

    def united(self, key: str, into: str) -> None:
        """It shows that two cases are one: the second goes on."""
        incident, other = self._state.incidents.get(key), self._state.incidents.get(into)
        if incident is None or other is None or incident.state in OVER or other.state in OVER:
            return
        self._merge(incident, other)
        self._become(key, "closed")
        self._note(key, "united", to=into)

    def suggested(self, event: Event, said: requests.IncidentSuggested) -> None:
        """A trade is sure: it is a case, or belongs to one of the same kind that is open right there."""
        at = self._place.of(event)
        key = self.near(said.category, at)
        assets = () if event.asset is None else (event.asset,)
        if key is None:
            key = self.open_(
                said.category, said.title, said.priority, at, assets=assets, by=event.trade, about=event.seq
            )
        else:
            self.sign(key, event, said.title, assets)
        self.said.append(requests.answered(event.seq, "taken", by=(key,)))

    def near(self, category: str, at: tuple[float, float] | None) -> str | None:
        """The nearest open case of a category, if it is the same place."""
        if at is None:
            return None
        here, found = self._place.city.metres(*at), []
        for key, each in self._state.incidents.items():
            if (
                each.category == category
                and each.state not in OVER
                and each.lon is not None
                and each.lat is not None
            ):
                distance = math.dist(here, self._place.city.metres(each.lon, each.lat))
                if distance <= SAME_M:
                    found.append((distance, key))
        return min(found)[1] if found else None

    # -- procedures

    def begin(self, key: str, procedure: Procedure, by: str = "") -> None:
        """Begin a procedure at its first step."""
        self._note(key, "procedure", by=by, title=procedure.title, version=procedure.version)
        run = Run(
            procedure=procedure.name,
            version=procedure.version,
            step=procedure.steps[0].id,
            since_mono=self._now.mono,
        )
        self._set(key, run=run)
        self._enter(key, procedure.steps[0].id)

    def _enter(self, key: str, step_id: str) -> None:
        """Go to a step and do what it says; go on while nothing there takes time."""
        procedure = self._procedure(key)
        # A checked procedure has no ring of steps that take no time.
        while procedure is not None:
            step = procedure.step(step_id)
            run = self._state.incidents[key].run
            if step is None or run is None:
                return
            self._set(
                key,
                run=msgspec.structs.replace(run, step=step_id, since_mono=self._now.mono, late=False, done=0),
            )
            self._note(key, "step", text=step.text)
            for action in step.do:
                self._ask(key, action)
            if step.end:
                self._note(key, "ended", text=step.text)
                self._become(key, step.end)
                return
            if step.stays or step.next is None:
                return
            step_id = step.next

    def _procedure(self, key: str) -> Procedure | None:
        run = self._state.incidents[key].run
        return None if run is None else self._place.procedure(run.procedure)

    def _ask(self, key: str, action: Any) -> None:
        incident = self._state.incidents[key]
        run = incident.run
        number = run.jobs + 1 if run is not None else 1
        asked = steps.asked(action, incident, number)
        if run is not None:
            self._set(key, run=msgspec.structs.replace(run, jobs=number))
        # It comes back as an event in the next step, and only then has a number that answers name.
        self._state.issued.append(Issued(key, asked.kind, "" if run is None else run.step))
        self.said.append(
            Emit(
                kind=asked.kind,
                data=asked.data,
                asset=None if incident.lon is not None else next(iter(incident.assets), None),
                lon=incident.lon,
                lat=incident.lat,
            )
        )

    def answered(self, event: Event, said: StepAnswered) -> None:
        """A person answers a step."""
        incident, person = self._state.incidents.get(said.incident), event.source.person
        procedure = None if incident is None else self._procedure(said.incident)
        if incident is None or incident.run is None or procedure is None:
            return self._refuse(event, said.incident, "answer", "no procedure runs there")
        if not self._may(event, incident):
            return self._refuse(event, said.incident, "answer", "the case is not where you may act")
        step = procedure.step(incident.run.step)
        chosen = next((each for each in step.answers if each.id == said.answer), None) if step else None
        if step is None or said.step != step.id or chosen is None:
            return self._refuse(
                event,
                said.incident,
                "answer",
                f"the case is at step {incident.run.step!r}, or has no such answer",
            )
        if step.evidence and said.words is None and not said.evidence:
            return self._refuse(
                event, said.incident, "answer", "this step wants words or a picture with the answer"
            )
        self._note(said.incident, "answered", by=person, about=event.seq, words=said.words, text=chosen.text)
        if incident.state == "new":
            self._take(said.incident, person)
        self._enter(said.incident, chosen.next)
        return None

    def look_after(self) -> None:
        """What time brings: steps that waited long enough, and those that nobody moved on; cases that nobody took."""
        for key, incident in list(self._state.incidents.items()):
            run = incident.run
            if incident.state in OVER:
                continue
            if run is not None and incident.state != "on_hold":
                self._time(key, run)
            if incident.state == "new":
                self._escalate(key)

    def _time(self, key: str, run: Run) -> None:
        procedure = self._procedure(key)
        step = procedure.step(run.step) if procedure else None
        if step is None:
            return
        waited_s = (self._now.mono - run.since_mono) / 1e6
        if step.wait_s is not None and step.next and waited_s >= step.wait_s:
            self._enter(key, step.next)
        elif step.within_s is not None and waited_s >= step.within_s and not run.late:
            self._note(key, "late", text=step.text)
            if step.late:
                self._enter(key, step.late)
            else:
                self._set(key, run=msgspec.structs.replace(run, late=True))

    def _escalate(self, key: str) -> None:
        incident = self._state.incidents[key]
        waited_s = (self._now.mono - incident.since_mono) / 1e6
        for level, each in enumerate(self._place.settings.escalation[incident.level :], incident.level + 1):
            if waited_s < each.after_s[incident.priority - 1]:
                return
            watchers = tuple(dict.fromkeys((*self._state.incidents[key].watchers, each.to)))
            self._set(key, level=level, watchers=watchers)
            self._note(key, "escalated", to=each.to)
            self._told(key)

    # -- what was asked for

    def asks(self, event: Event) -> None:
        """A request belongs to a case, whichever trade asks: its answer will be told there."""
        key = event.data.incident
        if key not in self._state.incidents:
            return
        title = getattr(event.data, "title", None)
        self._state.asked[str(event.seq)] = Asked(key, event.kind, title, self._step_of(event, key))
        self._note(key, "asked", by=event.trade, about=event.seq, what=texts.request(event.kind, title))

    def _step_of(self, event: Event, key: str) -> str:
        """The step that asked; none where another trade did."""
        if event.source.plugin == "coordination":
            for issued in self._state.issued:
                if (issued.incident, issued.kind) == (key, event.kind):
                    self._state.issued.remove(issued)
                    return issued.step
        return ""

    def replied(self, event: Event, request: int, answer: str, reason: str, by: Sequence[str]) -> None:
        """A request of a case was answered, or nobody did."""
        asked = self._state.asked.get(str(request))
        if asked is None:
            return
        if answer != "taken":
            del self._state.asked[str(request)]
        incident = self._state.incidents.get(asked.incident)
        if incident is None:
            return
        what = texts.request(asked.kind, asked.title)
        names = ", ".join(self._place.name(each) for each in by[:5])
        self._note(
            asked.incident,
            answer,
            by=event.source.plugin or event.source.person or event.source.gateway,
            about=event.seq,
            what=what,
            reason=reason,
            who=names,
        )
        run = incident.run
        if run is not None and answer == "done" and asked.step == run.step:
            self._progress(asked.incident, run)

    def _progress(self, key: str, run: Run) -> None:
        procedure = self._procedure(key)
        step = procedure.step(run.step) if procedure else None
        if step is None or not step.awaits or step.next is None:
            return
        done = run.done + 1
        self._set(key, run=msgspec.structs.replace(run, done=done))
        if done >= len(step.do):
            self._enter(key, step.next)

    # -- what persons do

    def reported(self, event: Event, said: IncidentReported) -> None:
        """A person opens a case."""
        if said.parent and said.parent not in self._state.incidents:
            return self._refuse(event, said.parent, "open", "there is no such case to be a part of")
        title, priority = self._place.case(said.category)
        self.open_(
            said.category,
            title,
            said.priority or priority,
            self._place.of(event),
            assets=() if event.asset is None else (event.asset,),
            by=event.source.person,
            about=event.seq,
            parent=said.parent,
            words=said.words,
        )
        return None

    def acted(self, event: Event, said: IncidentActed) -> None:
        """A person does something of a case, where its state and their place allow it."""
        incident, person = self._state.incidents.get(said.incident), event.source.person
        if incident is None:
            return self._refuse(
                event, said.incident, said.act, "there is no such case, or it is over for long"
            )
        allowed, becomes = ACTS[said.act]
        if not self._may(event, incident):
            return self._refuse(event, said.incident, said.act, "the case is not where you may act")
        if incident.state not in allowed:
            return self._refuse(event, said.incident, said.act, f"the case is {incident.state}")
        why = self._do(incident, event, said)
        if why:
            return self._refuse(event, said.incident, said.act, why)
        if becomes is not None and said.act not in ("take", "hand_over"):
            self._become(said.incident, becomes)
        if said.act not in ("procedure",):
            self._note(
                said.incident,
                said.act,
                by=person,
                about=event.seq,
                words=said.words,
                person=person,
                to=said.to,
            )
        self._told(said.incident)
        return None

    def _do(self, incident: Incident, event: Event, said: IncidentActed) -> str:
        """What an act does besides the state it leads to; or why it cannot be."""
        key, person = incident.key, event.source.person
        open_subs = [
            each.key
            for each in self._state.incidents.values()
            if each.parent == key and each.state not in OVER
        ]
        match said.act:
            case "take":
                self._take(key, person, note=False)
            case "hand_over":
                if not said.to:
                    return "it names nobody to hand over to"
                self._take(key, said.to, note=False)
            case "watch":
                self._set(key, watchers=tuple(dict.fromkeys((*incident.watchers, person))))
            case "unwatch":
                self._set(key, watchers=tuple(each for each in incident.watchers if each != person))
            case "prioritise":
                if said.to not in ("1", "2", "3"):
                    return "a priority is 1, 2 or 3"
                self._set(key, priority=int(said.to))
            case "resolve" | "close" if open_subs:
                return f"{', '.join(open_subs)} are parts of it and not over"
            case "merge":
                other = self._state.incidents.get(said.to)
                if other is None or other.state in OVER or said.to == key:
                    return "there is no other open case of that name"
                self._merge(incident, other)
            case "procedure":
                procedure = self._place.procedure(said.to)
                if procedure is None:
                    return "there is no such procedure"
                self.begin(key, procedure, person)
        return ""

    def _merge(self, incident: Incident, other: Incident) -> None:
        self._set(
            other.key,
            signs=other.signs + incident.signs,
            assets=tuple(dict.fromkeys((*other.assets, *incident.assets)))[:ASSETS_MAX],
            watchers=tuple(dict.fromkeys((*other.watchers, *incident.watchers))),
            communes=tuple(sorted({*other.communes, *incident.communes})),
        )
        self._note(other.key, "merged", to=incident.key)
        self._told(other.key)

    def _take(self, key: str, person: str, note: bool = True) -> None:
        self._set(key, owner=person)
        self._become(key, "in_progress")
        if note:
            self._note(key, "take", by=person, person=person)
            self._told(key)

    def _may(self, event: Event, incident: Incident) -> bool:
        """Who acts from a place acts where the case is; without one, the desk has asked for the right to all places."""
        return (
            not event.communes or not incident.communes or bool(set(event.communes) & set(incident.communes))
        )

    def _refuse(self, event: Event, incident: str, act: str, reason: str) -> None:
        data = ActRefused(incident=incident, act=act, by=event.source.person, reason=reason)
        self.said.append(
            Emit(kind="coordination.act.refused", data=data, asset=event.asset, lon=event.lon, lat=event.lat)
        )

    # -- keeping and telling

    def _keep(self, incident: Incident) -> None:
        self._state.incidents[incident.key] = msgspec.structs.replace(incident, changed_utc=self._now.utc)

    def _set(self, key: str, **changes: object) -> None:
        self._keep(msgspec.structs.replace(self._state.incidents[key], **changes))

    def _become(self, key: str, state: str) -> None:
        incident = self._state.incidents[key]
        if incident.state != state:
            run = None if state in OVER else incident.run
            self._set(key, state=state, since_mono=self._now.mono, level=0, run=run)
            self._told(key)

    def _note(
        self,
        key: str,
        code: str,
        by: str = "",
        about: int = 0,
        words: Sealed[str] | None = None,
        **given: object,
    ) -> None:
        incident = self._state.incidents[key]
        text = texts.text(code, **given)
        entry = Entry(incident.entries + 1, self._now.utc, code, text, by, about, words)
        self._keep(
            msgspec.structs.replace(incident, entries=entry.n, latest=(*incident.latest, entry)[-LATEST:])
        )
        self.said.append(
            self._emit(
                incident,
                "coordination.entry.noted",
                EntryNoted(incident=key, n=entry.n, code=code, text=text, by=by, about=about, words=words),
            )
        )

    def _told(self, key: str) -> None:
        it = self._state.incidents[key]
        data = IncidentChanged(
            incident=key,
            category=it.category,
            title=it.title,
            state=it.state,
            priority=it.priority,
            owner=it.owner,
            watchers=it.watchers,
            parent=it.parent,
            level=it.level,
            communes=it.communes,
        )
        self.said.append(self._emit(it, "coordination.incident.changed", data))

    def _emit(self, incident: Incident, kind: str, data: msgspec.Struct) -> Emit:
        asset = None if incident.lon is not None else next(iter(incident.assets), None)
        return Emit(kind=kind, data=data, asset=asset, lon=incident.lon, lat=incident.lat)


def forget(state: State, now: Now, kept_s: float) -> list[str]:
    """Take cases that are over off the list after a while; their keys. The journal and the history know them."""
    old = [
        key
        for key, each in state.incidents.items()
        if each.state in OVER and now.mono - each.since_mono > kept_s * 1e6
    ]
    for key in old:
        del state.incidents[key]
    gone = [seq for seq, asked in state.asked.items() if asked.incident not in state.incidents]
    for seq in gone:
        del state.asked[seq]
    return old
