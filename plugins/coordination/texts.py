"""The sentences of timelines, by code. French first; ``{}`` are what the entry is about."""

from __future__ import annotations

from ondijon import Text

TEXTS = {
    "opened": ("Cas ouvert : {title}", "Case opened: {title}"),
    "sign": ("Signe : {title}", "Sign: {title}"),
    "cameras": ("Caméras proches : {names}", "Nearby cameras: {names}"),
    "procedure": ("Fiche réflexe : {title}, version {version}", "Procedure: {title}, version {version}"),
    "step": ("Étape : {text}", "Step: {text}"),
    "answered": ("Réponse : {text}", "Answer: {text}"),
    "late": ("Sans réponse dans le délai : {text}", "No answer in time: {text}"),
    "asked": ("Demandé : {what}", "Asked for: {what}"),
    "taken": ("Pris en charge : {what} {who}", "Taken on: {what} {who}"),
    "done": ("Fait : {what} {who}", "Done: {what} {who}"),
    "refused": ("Refusé : {what}. {reason}", "Refused: {what}. {reason}"),
    "expired": ("Personne ne répond : {what}", "Nobody answers: {what}"),
    "take": ("Pris par {person}", "Taken by {person}"),
    "hand_over": ("Transmis de {person} à {to}", "Handed over from {person} to {to}"),
    "hold": ("Mis en attente par {person}", "Put on hold by {person}"),
    "resume": ("Repris par {person}", "Resumed by {person}"),
    "resolve": ("Résolu par {person}", "Resolved by {person}"),
    "close": ("Clos par {person}", "Closed by {person}"),
    "reopen": ("Rouvert par {person}", "Reopened by {person}"),
    "watch": ("Suivi par {person}", "Watched by {person}"),
    "unwatch": ("N'est plus suivi par {person}", "No longer watched by {person}"),
    "prioritise": ("Priorité {to}, par {person}", "Priority {to}, by {person}"),
    "note": ("Note de {person}", "Note by {person}"),
    "merge": ("Réuni au cas {to} par {person}", "Merged into case {to} by {person}"),
    "merged": ("Le cas {to} est réuni à celui-ci", "Case {to} is merged into this one"),
    "united": ("C'est le même cas que {to}", "It is the same case as {to}"),
    "sub": ("Sous-cas {to} ouvert", "Sub-case {to} opened"),
    "escalated": ("Personne n'a pris le cas : {to} prévenu", "Nobody took the case: {to} told"),
    "ended": ("Fin de la fiche : {text}", "End of the procedure: {text}"),
}

REQUESTS = {
    "post.job.wanted": ("un travail", "work"),
    "post.unit.wanted": ("une unité", "a unit"),
    "post.corridor.wanted": ("un couloir de priorité", "a corridor"),
    "post.light.wanted": ("de l'éclairage", "light"),
    "post.look.wanted": ("des images", "images"),
}


def text(code: str, **given: object) -> Text:
    """A sentence; what is a Text itself is told in each language."""
    return Text(*(sentence.format(**_in(language, given)) for language, sentence in enumerate(TEXTS[code])))


def _in(language: int, given: dict[str, object]) -> dict[str, object]:
    return {
        name: (value.fr, value.en)[language] if isinstance(value, Text) else value
        for name, value in given.items()
    }


def request(kind: str, title: Text | None = None) -> Text:
    """What a request is for, in words."""
    fr, en = REQUESTS[kind]
    return Text(fr, en) if title is None else Text(f"{fr} ({title.fr})", f"{en} ({title.en})")
