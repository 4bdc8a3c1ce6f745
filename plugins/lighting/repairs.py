"""Faults that somebody must mend become jobs of the post, where the city wants that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ondijon import Clear, Emit, Raise, Text, requests
from plugins.lighting.park import Park
from plugins.lighting.vocabulary import FaultCleared, FaultFound

#: What a repair is called, and how urgent it is.
REPAIRS = {
    "cabinet_fault": (Text("Armoire d'éclairage à dépanner", "Lighting cabinet to be repaired"), 1),
    "lamp_fault": (Text("Point lumineux à dépanner", "Light point to be repaired"), 3),
    "day_burner": (Text("Point lumineux allumé en plein jour", "Light point that burns by day"), 3),
}


def jobs(park: Park, said: Iterable[Raise | Clear | Emit]) -> Iterator[Emit]:
    """The jobs that come with the faults that are ``said`` to be found, and those no longer needed."""
    settings = park.settings.repairs
    if not settings.wanted:
        return
    for each in said:
        if not isinstance(each, Emit) or each.asset is None:
            continue
        match each.data:
            case FaultFound(code) if code in REPAIRS:
                title, priority = REPAIRS[code]
                job = requests.JobWanted(
                    job=_name(park, code, each.asset),
                    title=title,
                    skills=settings.skills,
                    duration_s=settings.cabinet_s if code == "cabinet_fault" else settings.lamp_s,
                    priority=priority,
                )
                yield Emit(kind="post.job.wanted", data=job, asset=each.asset)
            case FaultCleared(code) if code in REPAIRS:
                gone = requests.JobWithdrawn(job=_name(park, code, each.asset), reason="the fault is gone")
                yield Emit(kind="post.job.withdrawn", data=gone, asset=each.asset)


def _name(park: Park, code: str, asset: int) -> str:
    return f"{code}-{park.city.assets.ids[asset]}"
