"""What agents and screens see of requests."""

from __future__ import annotations

from plugins.allo_mairie import tally
from plugins.allo_mairie.place import Place
from plugins.allo_mairie.request import Request
from plugins.allo_mairie.state import State
from plugins.allo_mairie.tally import Tally
from plugins.allo_mairie.vocabulary import CommuneRow, RequestRow, SummaryRow


def request(place: Place, of: Request) -> RequestRow:
    """A request at a glance."""
    route = place.route(of.category)
    return RequestRow(
        category=of.category,
        title=route.title,
        trade=route.trade,
        state=of.state,
        priority=of.priority,
        channel=of.channel,
        asset=place.id(of.asset),
        lon=of.lon,
        lat=of.lat,
        commune=of.commune,
        received_utc=of.received_utc,
        changed_utc=of.changed_utc,
        due_utc=of.due_utc,
        late=of.late,
        paused=of.paused,
        reason=of.reason,
        job=of.job,
        team=of.team,
        begin_utc=of.begin_utc,
        reports=of.reports,
        records=of.records,
        suspects=of.suspects,
        reopened=of.reopened,
        notes=of.notes,
        duplicate_of=of.duplicate_of,
        parts=of.parts,
    )


def commune(of: Tally) -> CommuneRow:
    """A commune's figures."""
    return CommuneRow(
        open=of.open,
        late=of.late,
        received_today=of.received,
        resolved_today=of.resolved,
        duplicates=of.duplicates,
        reopened=of.reopened,
        median_h=tally.median_h(of),
    )


def summary(state: State) -> SummaryRow:
    """The line in figures."""
    totals = state.totals
    return SummaryRow(
        open=sum(each.open for each in state.communes.values()),
        to_check=totals.to_check,
        late_now=late(state),
        kept=state.requests.count,
        waiting=len(state.waiting.said),
        received=totals.received,
        resolved=totals.resolved,
        late=totals.late,
        reopened=totals.reopened,
        duplicates=totals.duplicates,
        emergencies=totals.emergencies,
        refused=totals.refused,
    )


def late(state: State) -> int:
    """Requests that are late now."""
    return sum(each.late for each in state.communes.values())
