"""What citizens are told, by the state of the news. French first; ``{title}`` is the kind of request."""

from __future__ import annotations

from ondijon import Text

NEWS = {
    "to_check": (
        "Signalement reçu, un agent le lit : {title}",
        "Report received, an agent reads it: {title}",
    ),
    "open": (
        "Demande prise en compte, une équipe sera envoyée : {title}",
        "Request taken on, a team will be sent: {title}",
    ),
    "joined": (
        "Déjà signalé, suivi sous {other} : {title}",
        "Reported already, followed as {other}: {title}",
    ),
    "planned": ("Intervention planifiée : {title}", "A team is planned: {title}"),
    "in_progress": ("Une équipe est sur place : {title}", "A team is at work: {title}"),
    "held": ("Intervention en attente d'une décision : {title}", "The work waits for a decision: {title}"),
    "paused_citizen": (
        "En attente d'une précision de qui l'a signalé : {title}",
        "Waiting for more from who reported it: {title}",
    ),
    "paused_third_party": (
        "En attente d'un autre intervenant : {title}",
        "Waiting for somebody else: {title}",
    ),
    "resolved": ("C'est fait : {title}", "Done: {title}"),
    "reopened": ("Demande rouverte : {title}", "Request reopened: {title}"),
    "closed": ("Demande close : {title}", "Request closed: {title}"),
    "closed_not_ours": (
        "Close, ce n'est pas du ressort de la métropole : {title}",
        "Closed, the city is not in charge of it: {title}",
    ),
    "closed_done_otherwise": ("Close, déjà réglé : {title}", "Closed, settled already: {title}"),
    "closed_cannot_be_done": ("Close, ne peut être réalisé : {title}", "Closed, it cannot be done: {title}"),
    "call_112": (
        "Danger immédiat : appelez le 112, ou le 114 par SMS. Ce signalement n'est pas une demande.",
        "Immediate danger: call 112, or 114 by text message. This report is not a request.",
    ),
    "refused": (
        "La ligne est saturée : veuillez rappeler. Le signalement n'est pas enregistré.",
        "The line is full: please call again. The report is not registered.",
    ),
}


def news(state: str, title: Text, other: str = "") -> Text:
    """One piece of news, in two languages."""
    fr, en = NEWS[state]
    return Text(fr.format(title=title.fr, other=other), en.format(title=title.en, other=other))
