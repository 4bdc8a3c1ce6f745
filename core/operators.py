"""What an operator's tool may ask of the kernel, over a local socket of its own, and the answers.

Edges face the network and are not trusted: they cannot ask this. Who may open the socket is who may write
in the run's folder; who may command says the person's token in each request.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from core import wire
from core.inventory import AssetChange, Microseconds
from core.person import TOKEN_MAX
from core.wire import TEXT_MAX, U63, Name, Refused, Zone

#: Changes of the inventory in one list, and what a message may measure (bytes).
CHANGES_MAX = 5_000
MESSAGE_MAX = 8 << 20

#: Who a person is, as gateways name them, or their pseudonym.
Subject = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]

#: Targets of one command.
TARGETS_MAX = 100_000

#: Alarms of one request: a person who acts on more acts on a group.
ALARMS_MAX = 100

#: An asset, or nothing for the post itself.
AssetId = Annotated[str, msgspec.Meta(max_length=120)]


class ChangeAssets(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="change_assets", tag_field="type"
):
    """Change the inventory: the whole list, or nothing of it."""

    changes: Annotated[tuple[AssetChange, ...], msgspec.Meta(min_length=1, max_length=CHANGES_MAX)]


class ChangesTaken(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="changes_taken", tag_field="type"
):
    """The list is in the journal, and the register is at ``revision``."""

    revision: int


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """A person's wish. ``token`` says whose; ``request`` is another text each time, ``asked_utc`` µs when.

    ``epoch`` is the post's, as its status tells (``generation``): what was meant for an earlier life of the post,
    is repeated or was kept back, is known and refused.
    """

    token: Annotated[bytes, msgspec.Meta(max_length=TOKEN_MAX)]
    request: Name
    epoch: U63
    asked_utc: Microseconds


class Propose(Request, frozen=True, kw_only=True, tag="propose"):
    """Ask that ``targets`` (ids) take ``values`` for ``lease_s``.

    Not executed ``deadline_s`` after it was asked, never executed. A lease of 0 releases the targets, and
    needs no values. ``override``: interlocks shall not hold it.
    """

    verb: Name
    targets: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=TARGETS_MAX)]
    values: Annotated[tuple[float, ...], msgspec.Meta(max_length=TARGETS_MAX)] = ()
    lease_s: Annotated[float, msgspec.Meta(ge=0)]
    deadline_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]
    incident: Annotated[str, msgspec.Meta(max_length=120)] = ""
    override: bool = False


class ProposeProgramme(Request, frozen=True, kw_only=True, tag="propose_programme"):
    """Ask that what is of the ``kind`` in ``zone`` (a commune; empty: all without one of their own) does by itself
    what ``content`` says: the kind's map.
    """

    kind: Name
    zone: Zone = ""
    content: msgspec.Raw
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]


class Approve(Request, frozen=True, kw_only=True, tag="approve"):
    """Agree, as another person, to exactly the command (authorisation, programme) with this SHA-256."""

    command: Name
    hash: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class ReleaseAll(Request, frozen=True, kw_only=True, tag="release_all"):
    """End all leases in ``zone`` (a commune; empty: everywhere). One person always may."""

    zone: Zone = ""


class ActOnAlarms(Request, frozen=True, kw_only=True, tag="act_on_alarms"):
    """Do something of alarms, each an asset's id (empty: the post itself) and a code; or acknowledge a ``group``.

    ``shelve`` needs ``seconds`` and a ``reason``, ``take_out_of_service`` a ``reason``.
    """

    act: Literal["acknowledge", "shelve", "unshelve", "take_out_of_service", "put_into_service"]
    alarms: Annotated[tuple[tuple[AssetId, Name], ...], msgspec.Meta(max_length=ALARMS_MAX)] = ()
    group: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)] = 0
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    reason: Annotated[str, msgspec.Meta(max_length=TEXT_MAX)] = ""


class AlarmsActedOn(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="alarms_acted_on", tag_field="type"
):
    """It is in the journal, and had an effect on so many alarms."""

    alarms: int


class Tell(Request, frozen=True, kw_only=True, tag="tell"):
    """Say that something happened, or what is wanted: an event of a ``kind`` that a trade takes from persons.

    ``data`` is the kind's map, personal fields in clear. It is about ``asset`` (an id), or about a place in degrees;
    with neither about the whole city.
    """

    kind: Name
    data: msgspec.Raw
    asset: AssetId = ""
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="told", tag_field="type"):
    """The event is in the journal; the trades see it with the next step."""

    kind: str


class Personal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Something is asked of personal data. ``why`` is journaled.

    ``token`` says who asks; without one it is ``by``, who has the machine's own right to the vault.
    """

    token: Annotated[bytes, msgspec.Meta(max_length=TOKEN_MAX)] = b""
    by: Name
    why: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]


class ReadPersonal(Personal, frozen=True, kw_only=True, tag="read_personal"):
    """What is kept of a person, as gateways name them or by their pseudonym, will be read: journaled before it is."""

    subject: Subject


class ErasePersonal(Personal, frozen=True, kw_only=True, tag="erase_personal"):
    """Erase all that is kept of a person, for ever."""

    subject: Subject


class OpenPersonal(Personal, frozen=True, kw_only=True, tag="open_personal"):
    """Open what is sealed in the event of one ``record`` of the journal."""

    record: U63


class PersonalRead(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="personal_read", tag_field="type"
):
    """The reading is in the journal under ``record``. ``persons``: the pseudonyms that the subject has."""

    record: int
    persons: list[str]


class PersonalOpened(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="personal_opened", tag_field="type"
):
    """The opened ``fields`` of the event, and why others stay ``closed``. The reading is in the journal."""

    record: int
    fields: dict[str, Any]
    closed: dict[str, str]


class PersonalErased(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="personal_erased", tag_field="type"
):
    """So many ``keys`` of ``persons`` (pseudonyms) are erased; ``record`` of the journal says so (0: none was)."""

    record: int
    persons: list[str]
    keys: int


class CommandTaken(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="command_taken", tag_field="type"
):
    """The command is in the journal: ``committed``, or ``awaiting`` a second person, who agrees to ``hash``.

    An authorisation is then ``authorised``, a programme ``in_force``.
    """

    command: str
    state: str
    hash: bytes


class Released(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="released", tag_field="type"):
    """So many targets are told to go back to their own programmes, by these commands."""

    commands: list[str]
    targets: int


class ReleaseWorker(Request, frozen=True, kw_only=True, tag="release_worker"):
    """Let the worker of ``plugin`` begin again, which the post stopped because it ended again and again."""

    plugin: Name
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]


class WorkerLetGo(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="worker_let_go", tag_field="type"
):
    """It is in the journal, and the worker of ``plugin`` begins again."""

    plugin: str


Asked = Propose | ProposeProgramme | Approve | ReleaseAll | ActOnAlarms | ReleaseWorker | Tell
AskedPersonal = ReadPersonal | ErasePersonal | OpenPersonal
Answer = (
    ChangesTaken
    | CommandTaken
    | Released
    | AlarmsActedOn
    | WorkerLetGo
    | Told
    | PersonalRead
    | PersonalErased
    | PersonalOpened
    | Refused
)

_request = msgspec.msgpack.Decoder(ChangeAssets | Asked | AskedPersonal)
_answer = msgspec.msgpack.Decoder(Answer)
encode = msgspec.msgpack.Encoder().encode


def decode_request(data: bytes) -> ChangeAssets | Asked | AskedPersonal:
    """What a tool asks. Raises WireError."""
    return wire.read(_request, data, "request", "See core/operators.py.")  # type: ignore[no-any-return]


def decode_answer(data: bytes) -> Answer:
    """What the kernel answers. Raises WireError."""
    return wire.read(_answer, data, "answer")  # type: ignore[no-any-return]
