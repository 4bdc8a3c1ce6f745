"""The kernel's own event kinds: what any trade may read without knowing another trade."""

from __future__ import annotations

import msgspec

from core.declaration import AlarmKind, EventKind, Text

#: Name under which the kernel emits, and under which its own alarms stand.
POST = "post"


class CommandEnded(msgspec.Struct, frozen=True):
    """The outcome of a command is known: verified, executed, refused, expired, failed, unknown or superseded.

    ``failed`` counts the targets that did not do it, or of which nobody knows.
    """

    command: str
    verb: str
    by: str
    state: str
    reason: str = ""
    failed: int = 0


class CommandReverted(msgspec.Struct, frozen=True):
    """The last lease of a person's command has ended: its targets are at their own programmes again."""

    command: str
    verb: str
    by: str


class AlarmChanged(msgspec.Struct, frozen=True):
    """An alarm took another state; ``asset`` is the asset's id, or empty for the post itself."""

    code: str
    asset: str
    state: str
    priority: int


class PluginFailed(msgspec.Struct, frozen=True):
    """A plugin's hook raised; its state was put back and its proposals were dropped."""

    plugin: str
    hook: str
    error: str


class AssetChanged(msgspec.Struct, frozen=True):
    """The inventory changed: ``change`` is added, changed or retired, ``at_utc`` µs when it was done."""

    asset: str
    change: str
    at_utc: int
    revision: int


EVENTS = (
    EventKind(
        name="post.asset.changed",
        data=AssetChanged,
        text=Text(fr="Inventaire modifié", en="Inventory changed"),
    ),
    EventKind(
        name="post.command.ended", data=CommandEnded, text=Text(fr="Commande terminée", en="Command ended")
    ),
    EventKind(
        name="post.command.reverted",
        data=CommandReverted,
        text=Text(fr="Commande arrivée à son terme", en="Command has run out"),
    ),
    EventKind(
        name="post.alarm.changed", data=AlarmChanged, text=Text(fr="Alarme modifiée", en="Alarm changed")
    ),
    EventKind(
        name="post.plugin.failed", data=PluginFailed, text=Text(fr="Métier en défaut", en="Trade failed")
    ),
)

#: An alarm of the post is over when its cause has not been seen for so long (s).
_QUIET_S = 60.0


def _alarm(code: str, priority: int, fr: str, en: str) -> AlarmKind:
    return AlarmKind(code=code, priority=priority, text=Text(fr, en), delay_off_s=_QUIET_S)


ALARMS = (
    _alarm("plugin_failed", 1, "Métier en défaut", "Trade failed"),
    _alarm("edge_refused", 1, "Frontal non fiable", "Edge refused"),
    _alarm("limit_reached", 2, "Limite atteinte dans le poste", "A limit of the post is reached"),
)
