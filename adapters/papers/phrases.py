"""What people call the states and reasons of cases and jobs."""

from __future__ import annotations

from core.declaration import Text

CASE = {
    "new": Text("NOUVEAU", "NEW"),
    "in_progress": Text("en cours", "in progress"),
    "on_hold": Text("en attente", "on hold"),
    "resolved": Text("résolu", "resolved"),
    "closed": Text("clos", "closed"),
}

JOB = {
    "waiting": Text("attend un plan", "waits for a plan"),
    "planned": Text("planifié", "planned"),
    "left_out": Text("sans équipe", "without a team"),
    "begun": Text("commencé", "begun"),
    "held": Text("à débloquer", "held"),
}

REASONS = {
    "no_place": Text("lieu inconnu", "no place is known"),
    "no_skills": Text("aucune équipe n'a les compétences", "no team has the skills"),
    "tried_too_often": Text("essayé trop de fois", "tried too often"),
    "no_way": Text("aucun chemin", "no way there"),
    "no_time": Text("personne n'a le temps", "nobody has the time"),
    "not_together": Text("les équipes ne peuvent y être ensemble", "teams cannot be there together"),
}

ACTS = {
    "open": Text("ouvrir", "open"),
    "answer": Text("répondre", "answer"),
    "take": Text("prendre", "take"),
    "hand_over": Text("transmettre", "hand over"),
    "hold": Text("mettre en attente", "put on hold"),
    "resume": Text("reprendre", "resume"),
    "resolve": Text("résoudre", "resolve"),
    "close": Text("clore", "close"),
    "reopen": Text("rouvrir", "reopen"),
    "watch": Text("suivre", "watch"),
    "unwatch": Text("ne plus suivre", "no longer watch"),
    "prioritise": Text("changer la priorité", "change the priority"),
    "note": Text("noter", "note"),
    "merge": Text("réunir", "merge"),
    "procedure": Text("commencer une fiche", "begin a procedure"),
}

REQUESTS = {
    "post.job.wanted": Text("un travail", "work"),
    "post.incident.suggested": Text("un cas proposé", "a case that was suggested"),
    "post.unit.wanted": Text("une unité", "a unit"),
    "post.corridor.wanted": Text("un couloir de priorité", "a corridor"),
    "post.light.wanted": Text("de l'éclairage", "light"),
    "post.look.wanted": Text("des images", "images"),
}

ACTIONS = {
    "light": Text("Demander de l'éclairage autour du lieu", "Ask for light around the place"),
    "look": Text("Demander des images du lieu", "Ask for images of the place"),
    "unit": Text("Appeler une unité", "Call a unit"),
    "job": Text("Appeler une équipe", "Call a team"),
}


def phrase(of: dict[str, Text], word: str) -> Text:
    """What people call it; the word itself where it is free text, or of a newer version."""
    return of.get(word, Text(word, word))
