"""Why something was not let through."""

from __future__ import annotations

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """A code for programs, a sentence, and what to do next for people. docs/commands.md tells every code."""

    code: str
    what: str
    next: str = ""
