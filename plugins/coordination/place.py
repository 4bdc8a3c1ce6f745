"""What follows from city and settings: built once, handed to the hooks as ``fixed``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ondijon import NONE, City, Event, Text
from plugins.coordination import procedure, rules
from plugins.coordination.procedure import Procedure
from plugins.coordination.rules import Rules
from plugins.coordination.settings import Settings

#: What hangs on what is followed so far.
CHAIN_MAX = 8

#: Cameras that a case names, and how far they may be (m).
CAMERAS, CAMERA_M = 3, 300.0


@dataclass(frozen=True)
class Place:
    """The city, and its teams: ``team`` maps a team's id to its asset, ``skills`` to what it can do.

    ``procedures`` by category of case, ``named`` by their own name.
    """

    city: City
    settings: Settings
    team: dict[str, int]
    skills: dict[str, frozenset[str]]
    rules: Rules
    procedures: dict[str, Procedure]
    named: dict[str, Procedure]

    def procedure(self, name: str) -> Procedure | None:
        """A procedure by its name."""
        return self.named.get(name)

    def case(self, category: str) -> tuple[Text, int]:
        """What cases of a category are called, and how urgent they are."""
        rule = self.rules.rule.get(category)
        if rule is not None:
            return rule.title, rule.priority
        known = self.procedures.get(category)
        return (known.title if known else Text(category, category)), 2

    def chain(self, asset: int) -> tuple[int, ...]:
        """What an asset hangs on, nearest first: what feeds it, then the gateway that speaks for it, and its links."""
        assets, found = self.city.assets, []
        for start in (asset, self._gateway_asset(asset)):
            at = start
            while at is not None and at != NONE and len(found) < CHAIN_MAX:
                if at != asset and at not in found:
                    found.append(at)
                at = int(assets.parent[at])
        return tuple(found)

    def _gateway_asset(self, asset: int) -> int | None:
        gateway = int(self.city.assets.gateway[asset])
        return None if gateway == NONE else self.city.assets.index.get(self.city.assets.gateways[gateway])

    def name(self, id: str) -> str:
        """What people call an asset; the id itself where it is none."""
        index = self.city.assets.index.get(id)
        return id if index is None else self.city.assets.names[index]

    def cameras_near(self, at: tuple[float, float] | None) -> tuple[str, ...]:
        """The ids of the nearest cameras in service."""
        assets = self.city.assets
        camera = assets.of_kind("camera")
        camera = camera[assets.in_service()[camera]]
        if at is None or not len(camera):
            return ()
        x, y = self.city.project(assets.lon[camera], assets.lat[camera])
        here = self.city.metres(*at)
        distance = np.hypot(x - here[0], y - here[1])
        order = np.argsort(distance, kind="stable")[:CAMERAS]
        return tuple(assets.ids[camera[i]] for i in order.tolist() if distance[i] <= CAMERA_M)

    def of(self, event: Event) -> tuple[float, float] | None:
        """Where an event is, in degrees."""
        return self.city.place_of(event.asset, event.lon, event.lat)


def build(city: City, settings: Settings) -> Place:
    """What follows from the register."""
    asset = city.assets.of_kind("team").tolist()
    kept = city.assets.attributes.get("team", {})
    ids = [city.assets.ids[i] for i in asset]
    skills = dict(zip(ids, map(frozenset, kept.get("skills", ())), strict=True))
    delivered = procedure.delivered()
    return Place(
        city=city,
        settings=settings,
        team=dict(zip(ids, asset, strict=True)),
        skills=skills,
        rules=rules.with_own(settings.rules),
        procedures=procedure.by_category(settings.procedures, delivered),
        named={each.name: each for each in reversed((*settings.procedures, *delivered))},
    )
