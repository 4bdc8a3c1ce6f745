"""Why two reports are taken for one, in words that an agent reads."""

from __future__ import annotations

from typing import Literal

from plugins.allo_mairie.categories import CATEGORIES
from plugins.allo_mairie.duplicates import Candidate, Reason

Language = Literal["fr", "en"]

_TEXT: dict[str, tuple[str, str]] = {
    "same_asset": ("même {thing} ({})", "same {thing} ({})"),
    "other_asset": ("autre {thing} ({})", "another {thing} ({})"),
    "same_house": ("même numéro ({:.0f})", "same house number ({:.0f})"),
    "facing_house": ("numéro voisin ({:.0f})", "number next to it ({:.0f})"),
    "beside_house": ("à côté du numéro {:.0f}", "beside number {:.0f}"),
    "other_house": ("autre numéro ({:.0f})", "another number ({:.0f})"),
    "other_street": ("autre rue ({})", "another street ({})"),
    "same_subject": ("même sujet", "same subject"),
    "mixed_subject": ("sujet voisin", "subject alike"),
    "related_subject": ("sujet souvent confondu ({title})", "subject often mistaken ({title})"),
    "away": ("à {:.0f} m", "{:.0f} m away"),
    "reports": ("déjà signalé {:.0f} fois", "reported {:.0f} times"),
    "like_words": ("mots semblables ({:.0%})", "similar words ({:.0%})"),
}
_EARLIER = (("{:.0f} min plus tôt", "{:.0f} h plus tôt", "{:.0f} j plus tôt"),
            ("{:.0f} min earlier", "{:.0f} h earlier", "{:.0f} d earlier"))  # fmt: skip

#: What an agent is told first, and what is worth telling at all.
_ORDER = ("same_asset", "other_asset", "same_house", "facing_house", "beside_house", "other_house", "other_street",
          "away", "earlier", "mixed_subject", "related_subject", "same_subject", "like_words", "reports")  # fmt: skip
_ALIKE_FROM = 0.6


def text(reason: Reason, language: Language = "fr") -> str:
    """One reason in words: ``à 12 m``, ``3 h plus tôt``, ``même lampadaire (L0013)``."""
    english = language == "en"
    if reason.code == "earlier":
        return _earlier(float(reason.args[0]), english)
    category = CATEGORIES.get(str(reason.args[0])) if reason.args else None
    if category:
        thing, title = (category.thing_en, category.en) if english else (category.thing_fr, category.fr)
    else:
        thing, title = ("thing" if english else "équipement"), ""
    return _TEXT[reason.code][english].format(*reason.args[-1:], thing=thing, title=title)


def sentence(candidate: Candidate, language: Language = "fr") -> str:
    """All that is worth telling about a candidate: ``à 12 m, 3 h plus tôt, même sujet``."""
    told = sorted((reason for reason in candidate.why if _worth(reason)), key=lambda r: _ORDER.index(r.code))
    return ", ".join(text(reason, language) for reason in told)


def _worth(reason: Reason) -> bool:
    if reason.code == "reports":
        return float(reason.args[0]) > 1
    return reason.code != "like_words" or float(reason.args[0]) >= _ALIKE_FROM


def _earlier(hours: float, english: bool) -> str:
    minutes, by_hour, by_day = _EARLIER[english]
    if hours < 1:
        return minutes.format(hours * 60)
    return by_hour.format(hours) if hours < 48 else by_day.format(hours / 24)
