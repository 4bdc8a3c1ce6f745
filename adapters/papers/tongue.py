"""What a sheet says, in one of two languages."""

from __future__ import annotations

import datetime
from typing import Literal

import msgspec

from core.clock import SECOND
from core.declaration import Text

Language = Literal["fr", "en"]


class Tongue(msgspec.Struct, frozen=True):
    """A language, and the ``zone`` of the clock on the wall (None: this machine's)."""

    language: Language = "fr"
    zone: datetime.tzinfo | None = None

    def __call__(self, fr: str, en: str) -> str:
        """The one of two sentences."""
        return fr if self.language == "fr" else en

    def of(self, text: Text) -> str:
        """What a trade wrote in both."""
        return self(text.fr, text.en) or text.fr or text.en

    def number(self, n: int) -> str:
        """With its thousands apart."""
        return f"{n:,}".replace(",", self("\N{NARROW NO-BREAK SPACE}", ","))

    def moment(self, utc: int) -> datetime.datetime:
        """µs since 1970 by the clock on the wall."""
        return datetime.datetime.fromtimestamp(utc / SECOND, datetime.UTC).astimezone(self.zone)

    def at(self, utc: int) -> str:
        """Day, hour and minute; never without the day where the sheet may be read on another."""
        moment = self.moment(utc)
        return moment.strftime(self("%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M"))

    def clock(self, utc: int) -> str:
        """Which clock is on the wall then."""
        return self.moment(utc).strftime("%Z")

    def short(self, utc: int, beside: int) -> str:
        """Hour and minute, with the day where it is not that of ``beside``."""
        moment = self.moment(utc)
        if moment.date() == self.moment(beside).date():
            return moment.strftime("%H:%M")
        return moment.strftime(self("%d/%m %H:%M", "%m-%d %H:%M"))

    def lasted(self, us: int) -> str:
        """How long, as people say it."""
        minutes = max(us, 0) // (60 * SECOND)
        days, hours = minutes // 1440, minutes // 60 % 24
        if days:
            return f"{days} {self('j', 'd')} {hours} h"
        return f"{hours} h {minutes % 60:02}" if hours else f"{minutes} min"


def clean(value: object) -> str:
    """A text of others without what a terminal or a printer obeys; its lines become one."""
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in str(value)
    )
