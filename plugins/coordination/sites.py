"""Sites: jobs of several trades at one place, done in one visit by one team that can do them all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

#: Jobs at most so far from one another are one place: what a team works on without moving its vehicle (m).
NEAR_M = 60.0

#: A visit takes at most so long: beyond it, a site would block a team and its later jobs (s).
VISIT_MAX_S = 4 * 3600

#: A job may be put off at most so long for one beside it that begins later (s); an urgent one not at all.
PUT_OFF_S = 3600

NO_END = 1 << 62


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Work at one place, metres ``x`` and ``y`` of the city's plane; ``duration_s`` without setting up the site.

    It may begin at ``earliest`` and shall be done by ``latest`` (µs of city time). ``crews`` teams are needed at once.
    """

    key: str
    x: float
    y: float
    skills: tuple[str, ...]
    duration_s: int
    priority: int = 3
    crews: int = 1
    earliest: int = 0
    latest: int = NO_END


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What one visit does: its ``jobs`` in the order in which they are done, and what that asks of who comes.

    The work is set up once (``setup_s``), begins from ``earliest`` on, and in time by ``latest`` (µs).
    """

    key: str
    jobs: tuple[Job, ...]
    setup_s: int

    @property
    def skills(self) -> frozenset[str]:
        """All that who comes must be able to do."""
        return frozenset(skill for job in self.jobs for skill in job.skills)

    @property
    def service_s(self) -> int:
        """How long the visit takes, set-up included."""
        return self.setup_s + sum(job.duration_s for job in self.jobs)

    @property
    def crews(self) -> int:
        """Teams needed at once."""
        return max(job.crews for job in self.jobs)

    @property
    def priority(self) -> int:
        """That of its most urgent job."""
        return min(job.priority for job in self.jobs)

    @property
    def earliest(self) -> int:
        """When the visit may begin (µs): nobody waits at the site for a later job."""
        return max(job.earliest for job in self.jobs)

    @property
    def latest(self) -> int:
        """By when it must begin so that each job is done in time (µs)."""
        latest, after_s = NO_END, self.setup_s
        for job in self.jobs:
            after_s += job.duration_s
            latest = min(latest, job.latest - after_s * 1_000_000)
        return latest

    @property
    def place(self) -> tuple[float, float]:
        """Where the vehicle stands: at its first job."""
        return self.jobs[0].x, self.jobs[0].y

    def with_job(self, job: Job) -> Site:
        """The same site with one job more. The soonest due come first."""
        jobs = sorted((*self.jobs, job), key=lambda each: (each.latest, each.priority, each.key))
        return msgspec.structs.replace(self, jobs=tuple(jobs))

    def without(self, key: str) -> Site | None:
        """The same site without a job; None where none is left."""
        jobs = tuple(job for job in self.jobs if job.key != key)
        return msgspec.structs.replace(self, jobs=jobs) if jobs else None


def fits(site: Site, job: Job, teams: Iterable[frozenset[str]]) -> bool:
    """Whether ``site`` could take ``job`` too: one of ``teams`` (their skills) can do it all, and no job suffers."""
    if any(math.hypot(job.x - other.x, job.y - other.y) > NEAR_M for other in site.jobs):
        return False
    both = site.with_job(job)
    if job.crews != site.crews or both.service_s > VISIT_MAX_S:
        return False
    if any(both.earliest > each.earliest + _put_off(each) for each in both.jobs):
        return False
    if both.latest < both.earliest and min(site.latest - site.earliest, _alone(site, job)) >= 0:
        return False
    return any(both.skills <= skills for skills in teams)


def _put_off(job: Job) -> int:
    return 0 if job.priority == 1 else PUT_OFF_S * 1_000_000


def _alone(site: Site, job: Job) -> int:
    """The room that the job has when it is a site of its own (µs): one that is late already is not kept apart."""
    return job.latest - (site.setup_s + job.duration_s) * 1_000_000 - job.earliest


class Sites:
    """Sites by key, and where they are. A job joins the nearest site that it fits, or is one of its own."""

    def __init__(
        self, setup_s: int, teams: Iterable[frozenset[str]], sites: Mapping[str, Site] | None = None
    ) -> None:
        self.setup_s = setup_s
        # One that can do less than another adds nothing.
        skills = sorted(set(teams), key=lambda each: (-len(each), sorted(each)))
        self._teams = [
            each for i, each in enumerate(skills) if not any(each <= other for other in skills[:i])
        ]
        self.sites: dict[str, Site] = {}
        self._cells: dict[tuple[int, int], list[str]] = {}
        for site in (sites or {}).values():
            self.put(site)

    def take(self, key: str) -> Site | None:
        """Take a site out; None where there is none of that name."""
        site = self.sites.pop(key, None)
        if site is not None:
            self._cells[_cell(*site.place)].remove(key)
        return site

    def put(self, site: Site) -> None:
        """Put a site in as it is."""
        self.sites[site.key] = site
        self._cells.setdefault(_cell(*site.place), []).append(site.key)

    def add(self, job: Job) -> Site:
        """Put a job where it belongs; the site that has it now."""
        near = [site for site in self._near(job) if fits(site, job, self._teams)]
        if near:
            nearest = min(near, key=lambda site: (math.dist(site.place, (job.x, job.y)), site.key))
            self.take(nearest.key)
            site = nearest.with_job(job)
        else:
            site = Site(key=job.key, jobs=(job,), setup_s=self.setup_s)
        self.put(site)
        return site

    def _near(self, job: Job) -> list[Site]:
        column, row = _cell(job.x, job.y)
        keys = [
            key
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            for key in self._cells.get((column + dx, row + dy), ())
        ]
        return [self.sites[key] for key in sorted(keys)]


def _cell(x: float, y: float) -> tuple[int, int]:
    return math.floor(x / NEAR_M), math.floor(y / NEAR_M)


def merged(jobs: Sequence[Job], setup_s: int, teams: Iterable[frozenset[str]]) -> list[Site]:
    """The sites of a whole day's jobs, the urgent first."""
    sites = Sites(setup_s, teams)
    for job in sorted(jobs, key=lambda each: (each.priority, each.latest, each.key)):
        sites.add(job)
    return list(sites.sites.values())
