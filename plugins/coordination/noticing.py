"""From what trades tell to signs, and from what correlation makes of them to cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ondijon import NONE, Event, Now, Text, requests, vocabulary
from plugins.coordination import correlation
from plugins.coordination.cases import Cases
from plugins.coordination.clusters import Sign
from plugins.coordination.place import Place
from plugins.coordination.state import State

#: An alarm is a sign when it begins to hold, whether people are told of it or it hides behind a greater one.
_BEGINS = frozenset({"unacked_active", "suppressed"})

#: Where no feeder is known, what fails at the same time within such a square (m) is taken for one failure.
QUARTER_M = 2_000.0

#: Numbers of quarters and of the whole city, among those of assets.
_QUARTER, _CITY = 1 << 40, 1 << 50

#: Groups of one storm that are told one by one.
GROUPS_MAX = 500

#: The network's own alarms, whoever raises them.
NETWORK = frozenset(kind.code for kind in vocabulary.NETWORK.values())

_ROW = 1 << 20


class Noticing:
    """Signs of one turn, in the order in which they came."""

    def __init__(self, place: Place, state: State, now: Now, cases: Cases) -> None:
        self._place, self._state, self._now, self._cases = place, state, now, cases

    def noted(self, event: Event, said: requests.SignNoted) -> None:
        """A trade saw something that may be part of a case."""
        at = self._place.of(event)
        if at is not None:
            self._take(event, said.title, self._sign(event, said.topic, at, event.asset, said.category))

    def alarm(self, event: Event, said: vocabulary.AlarmChanged) -> None:
        """Alarms of one code began to hold: each is a sign, or those that hang on the same thing together are one."""
        if said.state not in _BEGINS or not said.flags:
            return
        topic = f"{'network' if said.code in NETWORK else event.trade}.{said.code}"
        if topic not in self._place.rules.heard:
            return
        assets = self._place.city.assets
        about = (
            np.frombuffer(said.assets, "<u4")
            if said.assets
            else np.array([NONE if event.asset is None else event.asset], np.uint32)
        )
        for group in self._groups(about[about != NONE]):
            first = int(group[0])
            at = float(assets.lon[first]), float(assets.lat[first])
            name = assets.names[first]
            more = f" (+{len(group) - 1})" if len(group) > 1 else ""
            title = Text(f"Alarme {said.code}, {name}{more}", f"Alarm {said.code}, {name}{more}")
            self._take(event, title, self._sign(event, topic, at, first, "", len(group)), group.tolist())

    def _groups(self, about: np.ndarray) -> Iterator[np.ndarray]:
        """Assets that hang on the same thing; those on nothing each alone."""
        if len(about) == 1:
            yield about
            return
        parent = self._place.city.assets.parent[about].astype(np.int64)
        key = np.where(parent == NONE, -1 - about.astype(np.int64), parent)
        order = np.argsort(key, kind="stable")
        cuts = np.flatnonzero(np.diff(key[order])) + 1
        groups = np.split(about[order], cuts)
        yield from groups[: GROUPS_MAX - 1]
        if len(groups) >= GROUPS_MAX:
            yield np.concatenate(groups[GROUPS_MAX - 1 :])

    def _sign(
        self,
        event: Event,
        topic: str,
        at: tuple[float, float],
        asset: int | None,
        category: str,
        count: int = 1,
    ) -> Sign:
        x, y = self._place.city.metres(*at)
        self._state.heard += 1
        return Sign(
            seq=self._state.heard,
            at=self._now.utc,
            topic=topic,
            x=x,
            y=y,
            asset=-1 if asset is None else asset,
            behind=() if asset is None else self._behind(asset, x, y),
            category=category,
            count=count,
        )

    def _behind(self, asset: int, x: float, y: float) -> tuple[int, ...]:
        """What feeds or carries an asset, nearest first; above what is known its quarter, and the city."""
        chain = self._place.chain(asset)
        # The city's middle lies in the middle of a quarter.
        column, row = round(x / QUARTER_M), round(y / QUARTER_M)
        quarter = _QUARTER + column * _ROW + row
        return (*chain, quarter, _CITY)

    def _take(self, event: Event, title: Text, sign: Sign, assets: Sequence[int] = ()) -> None:
        verdict = correlation.correlate(self._place.rules, self._state.signs, sign)
        if not verdict.rule:
            return
        about = tuple(assets) or (() if sign.asset < 0 else (sign.asset,))
        key = self._case(verdict.cluster)
        self._move(verdict.merged, verdict.cluster)
        if key is None:
            key = self._open(verdict, event, title, sign, about)
        else:
            self._cases.sign(key, event, title, about)
        self._state.case_of[verdict.cluster] = key

    def _case(self, cluster: int) -> str | None:
        """The case of a cluster, if people still look after it."""
        key = self._state.case_of.get(cluster)
        incident = self._state.incidents.get(key) if key else None
        return key if incident is not None and incident.state != "closed" else None

    def _open(
        self, verdict: correlation.Verdict, event: Event, title: Text, sign: Sign, about: tuple[int, ...]
    ) -> str:
        rule = self._place.rules.rule[verdict.rule]
        at = self._place.of(event)
        same = self._cases.near(verdict.rule, at)
        if same is not None:
            self._cases.sign(same, event, title, about)
            return same
        key = self._cases.open_(
            verdict.rule, rule.title, rule.priority, at, assets=about, by=event.trade, about=event.seq
        )
        self._cases.counted(key, len(verdict.merged))
        self._cases.sign(key, event, title, about)
        return key

    def _move(self, merged: Sequence[int], into: int) -> None:
        """Clusters that are another one from now on: so are their cases."""
        for cluster in merged:
            key = self._state.case_of.pop(cluster, None)
            target = self._case(into)
            if key is None or key == target:
                continue
            if target is None:
                self._state.case_of[into] = key
            else:
                self._cases.united(key, target)

    def expire(self) -> None:
        """What waits in vain is forgotten; clusters that are over take no more signs, their cases go on."""
        for ended in correlation.expire(self._place.rules, self._state.signs, self._now.utc):
            if ended.into >= 0:
                self._move((ended.cluster,), ended.into)
            else:
                self._state.case_of.pop(ended.cluster, None)
