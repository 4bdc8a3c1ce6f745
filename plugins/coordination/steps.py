"""What a step of a procedure asks of other trades, as their requests."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ondijon import requests
from plugins.coordination.incident import Incident
from plugins.coordination.procedure import Action, Light, Look, Unit, Work


class Asked(NamedTuple):
    """A request: its kind and data. Its place is the case's."""

    kind: str
    data: msgspec.Struct


def asked(action: Action, incident: Incident, number: int) -> Asked:
    """The request of an action; ``number`` counts those of the case, so that each job has a name of its own."""
    match action:
        case Light():
            return Asked(
                "post.light.wanted",
                requests.LightWanted(
                    level_pct=action.level_pct,
                    radius_m=action.radius_m,
                    seconds=action.seconds,
                    incident=incident.key,
                ),
            )
        case Look():
            return Asked(
                "post.look.wanted", requests.LookWanted(radius_m=action.radius_m, incident=incident.key)
            )
        case Unit():
            return Asked(
                "post.unit.wanted",
                requests.UnitWanted(
                    skills=action.skills,
                    title=action.title,
                    priority=incident.priority,
                    incident=incident.key,
                ),
            )
        case Work():
            return Asked(
                "post.job.wanted",
                requests.JobWanted(
                    job=f"{incident.key}-{action.name}-{number}",
                    title=action.title,
                    skills=action.skills,
                    duration_s=action.duration_s,
                    priority=action.priority or incident.priority,
                    crews=action.crews,
                    incident=incident.key,
                ),
            )
