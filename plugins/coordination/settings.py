"""``[plugins.coordination]``: what a city decides. Every field has a default; README.md tells what each means."""

from __future__ import annotations

from typing import Annotated

import msgspec

from plugins.coordination.examples import Example
from plugins.coordination.procedure import Procedure
from plugins.coordination.rules import File

Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Escalation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nobody took a case of priority 1, 2, 3 for ``after_s``: ``to`` watches it from then on."""

    after_s: tuple[Seconds, Seconds, Seconds]
    to: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``setup_s``: what a site takes before work begins. ``due_s``: by when a job of priority 1, 2, 3 is to be done,
    if the asking trade does not say. ``tries``: visits after which a job that is not done is held. ``again_s``: not
    before then is it tried again. ``plan_s``: without a plan for so long, an alarm. ``overdue_s``: a visit that lasts
    so much longer than planned is one too. ``kept_s``: what is over stays in sight for so long. ``escalation`` in the
    order of its levels; ``procedures`` of the city's own, before those that were delivered; so
    with ``rules``, by which signs become cases, and the ``examples`` that they must get right.
    """

    setup_s: Annotated[int, msgspec.Meta(ge=0, le=7200)] = 600
    due_s: tuple[Seconds, Seconds, Seconds] = (2 * 3600.0, 24 * 3600.0, 5 * 86_400.0)
    tries: Annotated[int, msgspec.Meta(ge=1, le=20)] = 3
    again_s: Seconds = 3600.0
    plan_s: Annotated[float, msgspec.Meta(ge=5)] = 60.0
    overdue_s: Seconds = 1800.0
    kept_s: Seconds = 8 * 3600.0
    escalation: tuple[Escalation, ...] = (
        Escalation(after_s=(60.0, 300.0, 1800.0), to="chef de salle"),
        Escalation(after_s=(180.0, 900.0, 7200.0), to="cadre d'astreinte"),
    )
    procedures: tuple[Procedure, ...] = ()
    rules: File = File()
    examples: tuple[Example, ...] = ()
