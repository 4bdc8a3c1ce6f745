"""How the post stood at a time: its cases, jobs and teams, from the snapshot before it and the journal since."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from adapters.papers import words
from adapters.papers.folder import Folder, Line
from adapters.papers.shift import Entry
from core.declaration import Text
from core.snapshot import Snapshot

#: The trade whose state is read.
TRADE = "coordination"

#: Lines of a case that are remembered.
LATEST = 12


class Case(msgspec.Struct):
    """A case. ``step``: the sentence of the step it is at, or the step's name; empty where no procedure runs."""

    key: str
    title: Text
    state: str = "new"
    priority: int = 2
    owner: str = ""
    watchers: tuple[str, ...] = ()
    parent: str = ""
    level: int = 0
    opened_utc: int = 0
    step: Text | None = None
    late: bool = False
    entries: list[Entry] = []

    @property
    def open(self) -> bool:
        """Whether it still needs somebody."""
        return self.state not in words.OVER


class Work(msgspec.Struct):
    """A job on the board."""

    key: str
    title: Text
    state: str = "waiting"
    priority: int = 3
    team: str = ""
    begin_utc: int = 0
    latest_utc: int = 0
    reason: str = ""
    incident: str = ""


class Visited(NamedTuple):
    """A stop of a mission: when, and what is done there."""

    begin_utc: int
    leave_utc: int
    titles: tuple[Text, ...]


class Standing(msgspec.Struct):
    """All of it at ``utc`` µs. ``after``: the record after which the journal was read, 0 where from its beginning.

    ``sites`` maps a site to its jobs, ``at`` a team to the site where it works, ``missions`` a team to its stops.
    """

    utc: int
    after: int = 0
    snapshot: Snapshot | None = None
    cases: dict[str, Case] = {}
    works: dict[str, Work] = {}
    sites: dict[str, tuple[str, ...]] = {}
    at: dict[str, str] = {}
    missions: dict[str, tuple[words.Stop, ...]] = {}
    off: set[str] = set()

    def open_cases(self) -> list[Case]:
        """Those that still need somebody, the most urgent and then the oldest first."""
        return sorted(
            (case for case in self.cases.values() if case.open),
            key=lambda case: (case.priority, case.opened_utc, case.key),
        )

    def stops(self, team: str) -> list[Visited]:
        """The stops of a team whose work is still to be done."""
        return [
            Visited(stop.begin_utc, stop.leave_utc, self.titles(stop.site))
            for stop in self.missions.get(team, ())
            if stop.site in self.sites and stop.site != self.at.get(team)
        ]

    def titles(self, site: str) -> tuple[Text, ...]:
        """What is done at a site."""
        keys = self.sites.get(site, ())
        return tuple(self.works[key].title if key in self.works else Text(key, key) for key in keys)


def read(folder: Folder, utc: int, ids: tuple[str, ...] = ()) -> Standing:
    """How it stood at ``utc`` µs. ``ids`` names the assets that are teams, by index."""
    standing = Standing(utc)
    standing.snapshot = snapshot = folder.snapshot(utc)
    if snapshot is not None:
        _restore(standing, snapshot)
    for line in folder.events(standing.after):
        if line.utc <= utc:
            _take(standing, folder, line, ids)
    return standing


def _restore(standing: Standing, snapshot: Snapshot) -> None:
    data = snapshot.plugins.get(TRADE)
    try:
        board = (
            msgspec.msgpack.decode(
                msgspec.msgpack.decode(data, type=words.Stored).state, type=words.StoredBoard
            )
            if data
            else words.StoredBoard()
        )
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        # Of a version with other fields: the journal from its beginning says the same, only slower.
        return
    standing.after = snapshot.after
    standing.cases = {key: _case(each) for key, each in board.incidents.items()}
    standing.works = {key: _work(each) for key, each in board.jobs.items()}
    standing.sites = {key: tuple(job.key for job in site.jobs) for key, site in board.sites.items()}
    for key, visit in board.visits.items():
        standing.sites[key] = tuple(job.key for job in visit.site.jobs)
        standing.at |= dict.fromkeys(visit.teams, key)
    standing.missions, standing.off = dict(board.missions), set(board.off)


def _case(of: words.StoredIncident) -> Case:
    entries = [
        Entry(0, each.at_utc, of.key, each.n, each.code, each.text, each.by, each.words is not None)
        for each in of.latest
    ]
    step = None if of.run is None else Text(of.run.step, of.run.step)
    for entry in entries:
        step = _step(entry, step)
    return Case(
        key=of.key,
        title=of.title,
        state=of.state,
        priority=of.priority,
        owner=of.owner,
        watchers=of.watchers,
        parent=of.parent,
        level=of.level,
        opened_utc=of.opened_utc,
        step=step if of.run is not None else None,
        late=of.run is not None and of.run.late,
        entries=entries,
    )


def _step(entry: Entry, before: Text | None) -> Text | None:
    """The step that a case is at after an entry."""
    if entry.code == "step":
        return Text(entry.text.fr.removeprefix("Étape : "), entry.text.en.removeprefix("Step: "))
    return None if entry.code == "ended" else before


def _work(of: words.StoredJob) -> Work:
    return Work(
        key=of.key,
        title=of.title,
        state=of.state,
        priority=of.job.priority,
        team=of.team,
        begin_utc=of.begin_utc,
        latest_utc=of.job.latest,
        reason=of.reason,
        incident=of.incident,
    )


def _take(standing: Standing, folder: Folder, line: Line, ids: tuple[str, ...]) -> None:
    match line.head.kind:
        case words.CHANGED:
            _changed(standing, folder.read(line, words.Changed), line.head.at_utc)
        case words.NOTED:
            _noted(standing, folder.read(line, words.Noted), line)
        case words.WANTED:
            _wanted(standing, folder.read(line, words.JobWanted), line.head.trade)
        case words.JOB:
            _job(standing, folder.read(line, words.JobChanged))
        case words.SITE:
            _site(standing, folder.read(line, words.SiteChanged))
        case words.MISSION | words.TEAM if line.head.asset is not None and line.head.asset < len(ids):
            _team(standing, folder, line, ids[line.head.asset])


def _changed(standing: Standing, said: words.Changed | None, at_utc: int) -> None:
    if said is None:
        return
    case = standing.cases.setdefault(said.incident, Case(said.incident, said.title, opened_utc=at_utc))
    case.title, case.state, case.priority = said.title, said.state, said.priority
    case.owner, case.watchers, case.parent, case.level = said.owner, said.watchers, said.parent, said.level
    if not case.open:
        case.step = None


def _noted(standing: Standing, said: words.Noted | None, line: Line) -> None:
    if said is None:
        return
    # The first entries of a case come before its first state.
    case = standing.cases.setdefault(
        said.incident, Case(said.incident, Text(said.incident, said.incident), opened_utc=line.head.at_utc)
    )
    if case.entries and said.n <= case.entries[-1].n:
        return
    sealed = said.words is not None
    entry = Entry(line.seq, line.head.at_utc, said.incident, said.n, said.code, said.text, said.by, sealed)
    case.entries = [*case.entries, entry][-LATEST:]
    case.step = _step(entry, case.step)
    case.late = entry.code == "late" or (case.late and entry.code not in ("step", "ended"))


def _wanted(standing: Standing, said: words.JobWanted | None, trade: str) -> None:
    if said is None:
        return
    key = f"{trade}/{said.job}"
    known = standing.works.get(key)
    standing.works[key] = Work(
        key=key,
        title=said.title,
        state=known.state if known else "waiting",
        priority=said.priority,
        latest_utc=said.latest_utc,
        incident=said.incident,
    )


def _job(standing: Standing, said: words.JobChanged | None) -> None:
    if said is None:
        return
    if said.state in ("done", "withdrawn"):
        standing.works.pop(said.job, None)
        return
    work = standing.works.setdefault(said.job, Work(said.job, Text(said.job, said.job)))
    work.state, work.team, work.reason = said.state, said.team, said.reason
    work.begin_utc = said.begin_utc


def _site(standing: Standing, said: words.SiteChanged | None) -> None:
    if said is None:
        return
    standing.at = {team: site for team, site in standing.at.items() if site != said.site}
    if said.state == "ended":
        standing.sites.pop(said.site, None)
        return
    standing.sites[said.site] = said.jobs
    if said.state == "begun":
        standing.at |= dict.fromkeys(said.teams, said.site)


def _team(standing: Standing, folder: Folder, line: Line, team: str) -> None:
    if line.head.kind == words.MISSION:
        mission = folder.read(line, words.Mission)
        if mission is not None:
            standing.missions[team] = mission.stops
        return
    changed = folder.read(line, words.TeamChanged)
    if changed is not None:
        (standing.off.discard if changed.duty else standing.off.add)(team)
