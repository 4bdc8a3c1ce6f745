"""The kernel's own words: kinds, events and alarms that any trade may use without knowing another trade."""

from __future__ import annotations

from typing import Any

import msgspec

from core import requests
from core.declaration import AlarmKind, AssetKind, EventKind, Text

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


# A restart reads hundreds of thousands of them, and none can be part of a cycle: the collector need not look.
class AlarmChanged(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Alarms of one code took another state, or a person was told of them; all that did so alike in one step.

    ``asset`` is the id of the asset, empty for the post itself and where there are several: then ``assets`` holds
    the indexes of all ``count``, u32 (bytes, little endian), ascending. ``announced``: how often a person was told
    by this change (a ``group`` counts once). ``cause`` is the id of the asset whose alarm ``parent`` suppresses
    them; where it differs, ``causes`` holds the index for each. ``by`` whom, why, and until when (µs), where a
    person did it. ``data`` is what the trade said with it, where it is one. ``flags`` is the state in bits, as
    core/alarms.py keeps it.
    """

    code: str
    asset: str
    state: str
    priority: int
    flags: int = 0
    count: int = 1
    assets: bytes = b""
    announced: int = 0
    group: int = 0
    parent: str = ""
    cause: str = ""
    causes: bytes = b""
    by: str = ""
    reason: str = ""
    until_utc: int = 0
    data: dict[str, float | int | str] = {}


class PluginFailed(msgspec.Struct, frozen=True):
    """A plugin's hook raised; its state was put back and its proposals were dropped."""

    plugin: str
    hook: str
    error: str


class WorkerEnded(msgspec.Struct, frozen=True):
    """The process that runs a plugin ended, or was ended, and ``why``. ``held``: a person must release it now."""

    plugin: str
    why: str
    held: bool = False


class WorkerReleased(msgspec.Struct, frozen=True):
    """A person lets a plugin's worker begin again."""

    plugin: str
    by: str
    reason: str


class WorkPutAside(msgspec.Struct, frozen=True):
    """What a plugin in a worker was to do, and never will: its ``events`` by seq, and the ``slots`` that had changed.

    ``slots`` u32 (bytes, little endian); ``at_utc`` µs is the step of it.
    """

    plugin: str
    why: str
    events: tuple[int, ...]
    slots: bytes
    at_utc: int


class HandshakeRefused(msgspec.Struct, frozen=True):
    """Somebody was turned away at a door of the post, ``count`` times since it was last told.

    ``why``: unknown_key, revoked, expired, other_role; no_curve, wrong_server_key and broken_off, where no key was
    shown. ``key`` is its fingerprint, ``name`` whose it is or was.
    """

    edge: str
    why: str
    key: str
    name: str
    count: int


class AssetChanged(msgspec.Struct, frozen=True):
    """The inventory changed: ``change`` is added, changed or retired, ``at_utc`` µs when it was done."""

    asset: str
    change: str
    at_utc: int
    revision: int


class ProgrammeChanged(msgspec.Struct, frozen=True):
    """Devices of a commune (``zone`` empty: of all that have none of their own) have another programme from now on.

    ``content`` is the kind's map, as plain data.
    """

    kind: str
    zone: str
    version: int
    content: dict[str, Any]


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
        name="post.handshake.refused",
        data=HandshakeRefused,
        text=Text(fr="Connexion refusée", en="Connection refused"),
    ),
    EventKind(
        name="post.programme.changed",
        data=ProgrammeChanged,
        text=Text(fr="Programme en vigueur modifié", en="Programme in force changed"),
    ),
    EventKind(
        name="post.plugin.failed", data=PluginFailed, text=Text(fr="Métier en défaut", en="Trade failed")
    ),
    EventKind(
        name="post.worker.ended",
        data=WorkerEnded,
        text=Text(fr="Processus d'un métier terminé", en="A trade's process ended"),
    ),
    EventKind(
        name="post.worker.released",
        data=WorkerReleased,
        text=Text(fr="Métier remis en service", en="Trade released"),
    ),
    EventKind(
        name="post.worker.put_aside",
        data=WorkPutAside,
        text=Text(fr="Travail d'un métier mis de côté", en="A trade's work put aside"),
    ),
    *requests.EVENTS,
)

#: An alarm of the post is over when its cause has not been seen for so long (s).
_QUIET_S = 60.0

#: Gateways have so long (s) to take a programme before a person is told.
TAKEN_S = 300.0


def _alarm(code: str, priority: int, fr: str, en: str, delay_on_s: float = 0.0) -> AlarmKind:
    return AlarmKind(
        code=code, priority=priority, text=Text(fr, en), delay_on_s=delay_on_s, delay_off_s=_QUIET_S
    )


ALARMS = (
    _alarm("plugin_failed", 1, "Métier en défaut", "Trade failed"),
    _alarm("worker_held", 1, "Métier arrêté, à remettre en service", "Trade stopped, to be released"),
    _alarm("work_put_aside", 2, "Travail d'un métier mis de côté", "A trade's work put aside"),
    _alarm("request_unanswered", 2, "Demande sans réponse", "Request unanswered"),
    _alarm("edge_refused", 1, "Frontal non fiable", "Edge refused"),
    _alarm("keys_unreadable", 1, "Liste des clés illisible", "The allow-list of keys cannot be read"),
    _alarm("witness_away", 2, "Témoin de l'audit injoignable", "The audit's witness is away"),
    _alarm("clock_differs", 2, "L'horloge du système a été changée", "The system's clock was set"),
    _alarm("record_stopped", 3, "Le poste n'enregistre plus", "The post records nothing"),
    _alarm("vault_locked", 2, "Données personnelles verrouillées", "Personal data are locked"),
    _alarm("limit_reached", 2, "Limite atteinte dans le poste", "A limit of the post is reached"),
    _alarm("key_expires", 3, "Une clé expire bientôt", "A key expires soon"),
    _alarm("programme_not_taken", 3, "Programme non pris par l'appareil", "Programme not taken", TAKEN_S),
)


class NoAttributes(msgspec.Struct, frozen=True):
    """Nothing beside what every asset has."""


GATEWAY, LINK, SWITCH = "gateway", "link", "switch"

#: The network between the post and the devices. An asset is behind the gateway whose id is its ``gateway``; that
#: is behind its parent, and so on up to the post.
ASSETS = (
    AssetKind(name=GATEWAY, attributes=NoAttributes, text=Text("Passerelle", "Gateway")),
    AssetKind(name=LINK, attributes=NoAttributes, text=Text("Liaison", "Link")),
    AssetKind(name=SWITCH, attributes=NoAttributes, text=Text("Commutateur", "Switch")),
)

_CUT = ("link_cut", "switch_down")

#: Alarms of the network by the kind of asset they stand on. Whichever trade watches it may raise them.
NETWORK = {
    GATEWAY: AlarmKind(
        code="gateway_silent",
        priority=2,
        text=Text("Passerelle muette", "Gateway silent"),
        suppressed_by=_CUT,
    ),
    LINK: AlarmKind(code="link_cut", priority=1, text=Text("Liaison coupée", "Link cut"), suppressed_by=_CUT),
    SWITCH: AlarmKind(
        code="switch_down", priority=1, text=Text("Commutateur en panne", "Switch down"), suppressed_by=_CUT
    ),
}
