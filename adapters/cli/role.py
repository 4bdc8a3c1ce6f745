"""Roles on the command line: what a person may, and what a partner's key may."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
import msgspec

from core.person import Role


class RoleType(click.ParamType):
    """``TRADE:COMMUNE:VERB,...``; any of them may be ``*``."""

    name = "TRADE:COMMUNE:VERB,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Role:
        """A role from its text."""
        try:
            trade, commune, verbs = str(value).split(":")
            return msgspec.convert({"trade": trade, "commune": commune, "verbs": verbs.split(",")}, Role)
        except ValueError:
            self.fail(f"{value!r} is no role: write {self.name}, such as lighting:Dijon:*.", param, ctx)


def written(roles: Iterable[Role]) -> str:
    """Roles as a person writes them; nothing where there are none."""
    return "  ".join(f"{role.trade}:{role.commune}:{','.join(role.verbs)}" for role in roles)
