"""What persons do of alarms: they acknowledge, shelve, take out of service and put back. Who may is asked first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.alarms import POST_ASSET, Alarms
from core.assets import Assets
from core.clock import Now
from core.errors import AlarmError
from core.operators import ActOnAlarms, AlarmsActedOn
from core.person import ANY, Person
from core.refusal import Refusal

#: The right that each act needs: the verb of a role, of the alarm's trade.
RIGHTS = {
    "acknowledge": "alarm.acknowledge",
    "shelve": "alarm.shelve",
    "unshelve": "alarm.shelve",
    "take_out_of_service": "alarm.out_of_service",
    "put_into_service": "alarm.out_of_service",
}


class AlarmDesk:
    """Takes one request at a time. ``communes`` are the city's names of them."""

    def __init__(self, alarms: Alarms, communes: Sequence[str]) -> None:
        self._alarms = alarms
        self._communes = communes

    def take(self, asked: ActOnAlarms, person: Person, register: Assets, now: Now) -> AlarmsActedOn | Refusal:
        """Do it, and return on how many it had an effect; or why nothing was done."""
        named: list[tuple[int, str]] = []
        for id, code in asked.alarms:
            if id and id not in register.index:
                return Refusal("unknown_asset", f"no asset {id!r}.", "Look it up in the inventory.")
            if not self._alarms.declared(code):
                return Refusal("unknown_alarm", f"nobody declares {code!r}.", "Look at the alarm again.")
            named.append((register.index[id] if id else POST_ASSET, code))
        refusal = self._refuse(asked, person, named, register)
        if refusal is not None:
            return refusal
        return self._act(asked, person.id, named, now)

    def _refuse(
        self, asked: ActOnAlarms, person: Person, named: Sequence[tuple[int, str]], register: Assets
    ) -> Refusal | None:
        if bool(named) == bool(asked.group):
            return Refusal("alarm", "it names neither alarms nor a group, or both.", "Name one of them.")
        if asked.group and asked.act != "acknowledge":
            return Refusal("alarm", "a group can only be acknowledged.", "Name its alarms.")
        about = {code: np.array([a for a, other in named if other == code]) for _, code in named}
        if asked.group:
            about = self._alarms.members(asked.group)
        for code, assets in about.items():
            trade = self._alarms.kind(code)[1]
            may = person.communes(trade, RIGHTS[asked.act])
            if ANY not in may and not self._communes_of(assets, register) <= may:
                return Refusal(
                    "right",
                    f"{person.id} may {RIGHTS[asked.act]} of {trade} in {', '.join(sorted(may)) or 'no commune'}.",
                    "Ask somebody who may; of the post's own alarms that is who may everywhere.",
                )
        return None

    def _communes_of(self, assets: np.ndarray, register: Assets) -> set[str]:
        """The communes the alarms stand in; ANY for those about the post itself."""
        known = assets[assets != POST_ASSET]
        names = {self._communes[i] for i in np.unique(register.commune[known]).tolist()}
        return names if len(known) == len(assets) else names | {ANY}

    def _act(
        self, asked: ActOnAlarms, by: str, named: Sequence[tuple[int, str]], now: Now
    ) -> AlarmsActedOn | Refusal:
        alarms, mono, utc = self._alarms, now.mono, now.utc
        if asked.group:
            return AlarmsActedOn(alarms.acknowledge_group(asked.group, by, mono, utc))
        done = 0
        try:
            for asset, code in named:
                match asked.act:
                    case "acknowledge":
                        done += alarms.acknowledge(asset, code, by, mono, utc) is not None
                    case "shelve":
                        alarms.shelve(asset, code, asked.seconds, asked.reason, by, mono, utc)
                        done += 1
                    case "unshelve":
                        done += alarms.unshelve(asset, code, by, mono, utc) is not None
                    case "take_out_of_service":
                        alarms.take_out_of_service(asset, code, asked.reason, by, mono, utc)
                        done += 1
                    case "put_into_service":
                        done += alarms.put_into_service(asset, code, by, mono, utc) is not None
        except AlarmError as error:
            before = f" {done} before it are done." if done else ""
            return Refusal("alarm", f"{error.where}: {error.what}{before}", error.next)
        return AlarmsActedOn(done)
