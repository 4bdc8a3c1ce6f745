"""Events from gateways: what is refused under which reason, and that each is taken once and in order."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.acknowledged import Acknowledged
from core.errors import PluginError, WireError
from core.field import FieldEvents
from core.vault import Vault
from core.wire import FieldEvent
from ondijon import EventKind, Text
from ondijon.testing import City, MemoryJournal
from tests.live.plugins import calls

T = Text("essai", "trial")
CITY = City.small()
GATEWAY, BOOT, NOW = "gw-A0001", 7, 1_000_000


class Opened(msgspec.Struct, forbid_unknown_fields=True):
    code: Annotated[int, msgspec.Meta(ge=0)]

    def __post_init__(self) -> None:
        if self.code == 13:
            raise KeyError("a plugin's own code may raise anything")


@pytest.fixture
def field(make_trial) -> FieldEvents:
    kinds = (
        EventKind(name="trial.door.opened", data=Opened, from_field=True, text=T),
        EventKind(name="trial.inner.said", data=Opened, text=T),
    )
    return FieldEvents([make_trial(events=kinds).declare()], CITY)


def event(seq: int = 1, acked: int = 0, **changes: object) -> FieldEvent:
    known = {"kind": "trial.door.opened", "at": NOW - 5, "data": msgspec.Raw(b"\x81\xa4code\x05")}
    return FieldEvent(seq=seq, acked=acked, **known | changes)


def test_an_event_is_stamped_by_the_post_not_by_who_sent_it(field: FieldEvents) -> None:
    index = [CITY.assets.ids[i] for i in CITY.assets.of_gateway("gw-A0003")].index("L0021")
    taken = field.event("gw-A0003", BOOT, event(index=index), NOW, 9)
    assert (taken.trade, taken.at_utc, taken.received_utc, taken.mono) == ("trial", NOW - 5, NOW, 9)
    assert (taken.asset, taken.communes) == (CITY.assets.index["L0021"], (1,))
    assert (taken.source.gateway, taken.source.boot, taken.source.seq) == ("gw-A0003", BOOT, 1)
    assert taken.data == Opened(5)


def test_a_gateway_whose_clock_is_wrong_still_has_news(field: FieldEvents) -> None:
    assert field.event(GATEWAY, BOOT, event(at=(1 << 63) - 1), NOW, 9).at_utc == NOW


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "trial.nothing.known"}, "unknown_event"),
        ({"kind": "trial.inner.said"}, "unknown_event"),
        ({"kind": "post.alarm.changed"}, "unknown_event"),
        ({"index": 30}, "unknown_index"),
        ({"index": 0xFFFF}, "unknown_index"),
        ({"data": msgspec.Raw(b"\x80")}, "bad_data"),
        ({"data": msgspec.Raw(b"\x81\xa4code\xff")}, "bad_data"),
        ({"data": msgspec.Raw(b"\x81\xa4code\x0d")}, "bad_data"),
        ({"data": msgspec.Raw(b"\x82\xa4code\x05\xa4more\x05")}, "bad_data"),
        ({"data": msgspec.Raw(b"\x81\xa4code" + b"\x91" * 30_000 + b"\xc0")}, "bad_data"),
        ({"data": msgspec.Raw(b"\x81\xa1\xff\x05")}, "bad_data"),
        ({"data": msgspec.Raw(b"")}, "bad_data"),
    ],
)
def test_what_is_refused(field: FieldEvents, changes: dict, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        field.event(GATEWAY, BOOT, event(**changes), NOW, 9)
    assert caught.value.reason == reason


def refusal(field: FieldEvents, data: bytes) -> str:
    """The reason of a refusal, or "" for an event; any other error is the test's failure."""
    try:
        field.event(GATEWAY, BOOT, event(kind="x.y.z", data=msgspec.Raw(data)), NOW, 9)
    except WireError as error:
        return error.reason
    return ""


@given(st.binary(max_size=200))
def test_whatever_the_data_is_one_kind_of_error_comes_of_it(data: bytes) -> None:
    declared = EventKind(name="x.y.z", data=Opened, from_field=True, text=T)
    field = FieldEvents([msgspec.defstruct("D", ["name", "events"])("x", (declared,))], CITY)
    assert refusal(field, data) in ("", "bad_data")


def test_a_struct_that_cannot_be_decoded_stops_the_start(make_trial) -> None:
    # Two Structs without a tag: a decoder could not tell which one comes.
    one, other = msgspec.defstruct("One", ["x"]), msgspec.defstruct("Other", ["y"])
    odd = msgspec.defstruct("Odd", [("either", one | other)])
    kinds = (EventKind(name="trial.door.opened", data=odd, from_field=True, text=T),)
    with pytest.raises(PluginError, match=r"trial.door.opened cannot come from the field"):
        FieldEvents([make_trial(events=kinds).declare()], CITY)


def test_each_is_taken_once_and_none_is_skipped(field: FieldEvents) -> None:
    assert not field.is_next(GATEWAY, BOOT, event(2)), "the first is missing"
    assert field.is_next(GATEWAY, BOOT, event(1))
    field.took(GATEWAY, BOOT, 1)
    assert not field.is_next(GATEWAY, BOOT, event(1)), "taken already"
    assert not field.is_next(GATEWAY, BOOT, event(3)), "the second is missing"
    assert field.is_next(GATEWAY, BOOT, event(2))
    assert field.is_next(GATEWAY, 8, event(1)), "another boot counts anew"
    assert field.is_next("gw-A0002", BOOT, event(1)), "another gateway too"


def test_a_kernel_that_knows_nothing_begins_after_what_was_acknowledged(field: FieldEvents) -> None:
    assert not field.is_next(GATEWAY, BOOT, event(9, acked=7)), "the eighth is on no way to us yet"
    assert field.is_next(GATEWAY, BOOT, event(8, acked=7))
    field.took(GATEWAY, BOOT, 8)
    # An acknowledgement of the kernel before came late: the gateway will never send the ninth again.
    assert field.is_next(GATEWAY, BOOT, event(10, acked=9))


def test_only_what_is_durable_is_acknowledged(field: FieldEvents) -> None:
    assert field.is_next(GATEWAY, BOOT, event(1))
    field.took(GATEWAY, BOOT, 1)
    assert field.through(GATEWAY, BOOT) == 0
    field.committed(GATEWAY, BOOT, 1)
    assert field.through(GATEWAY, BOOT) == 1
    assert field.is_next(GATEWAY, 8, event(1))
    field.committed(GATEWAY, BOOT, 2)
    assert field.through(GATEWAY, 8) == 0, "what an older boot sent is not acknowledged to this one"


def test_what_cannot_be_sealed_is_not_taken_and_comes_again() -> None:
    declared = calls.declare()
    vault = Vault(None, declared.retention)
    journal, counts = MemoryJournal(), {}
    field = FieldEvents([declared], CITY, vault=vault)
    taken = Acknowledged(field, journal, counts)
    said = event(kind="calls.call.received", data=msgspec.Raw(msgspec.msgpack.encode({"caller": "112"})))
    vault._db.execute("PRAGMA query_only = ON")
    assert taken.on_event(GATEWAY, BOOT, said, NOW, 9) is None
    assert list(taken.let_out()) == []
    assert (journal.records, counts["field_events_unsealed"]) == ([], 1)
    vault._db.execute("PRAGMA query_only = OFF")
    assert taken.on_event(GATEWAY, BOOT, said, NOW, 9) is None
    assert [ack.through for _, ack in taken.let_out()] == [1]
    (record,) = journal.records
    assert b"112" not in record.data
    assert vault.open(taken.take()[0].data.caller) == "112"


@pytest.mark.parametrize(
    "wrong", [{"caller": 7}, {"caller": "x" * 41}, {"words": ["a"]}, {"about": 1}, {"photo": "AAAA"}]
)
def test_what_is_no_such_personal_value_is_refused_and_seals_nothing(wrong: dict) -> None:
    declared = calls.declare()
    vault = Vault(None, declared.retention)
    field = FieldEvents([declared], CITY, vault=vault)
    data = msgspec.Raw(msgspec.msgpack.encode({"caller": "112"} | wrong))
    with pytest.raises(WireError) as refused:
        field.event(GATEWAY, BOOT, event(kind="calls.call.received", data=data), NOW, 9)
    assert refused.value.reason == "bad_data"
    assert vault.persons("112") == []
