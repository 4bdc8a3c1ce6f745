"""Messages of partners, and to them: refused by WireError alone, or the same after another trip; and what they do."""

from __future__ import annotations

import msgspec

from core import partner_wire as wire
from core.egress import Egress, Told
from core.errors import WireError
from core.wire import refused
from ondijon.partner import Follower
from tests.fuzz.target import Target


def check(data: bytes) -> None:
    """Both sides read ``data``; an edge and a partner then do what it says."""
    for decode in (wire.decode_from_partner, wire.decode_to_partner):
        try:
            message = decode(data)
        except WireError as error:
            answer = refused(error)
            assert wire.decode_to_partner(wire.encode(answer)) == answer
        else:
            again = wire.encode(message)
            assert wire.encode(decode(again)) == again
            if isinstance(message, wire.FromPartner):
                _heard(message)
    follower = Follower()
    follower.say(0.0)
    for at in (1.0, 2.0):
        follower.hear(data, at)
        for said in follower.say(at):
            wire.decode_from_partner(said)


def _heard(message: wire.FromPartner) -> None:
    change = wire.Change("view", "n", "k", "trial", ("Dijon",), {"n": 1})
    egress = Egress(1, lambda name, n: None)
    egress.begin([Told("view\0n\0k", "view", "trial", ("Dijon",), wire.encode(change))], 1, 1)
    wanted = message if isinstance(message, wire.Subscribe) else wire.Subscribe(1, 1)
    subscriber = egress.subscribe(b"r", wanted)
    if isinstance(message, wire.Credit):
        subscriber.grant(message)
    assert subscriber.messages <= wire.MESSAGES_MAX
    assert subscriber.bytes <= wire.BYTES_MAX
    found = subscriber.next()
    assert found is not None
    assert isinstance(wire.decode_to_partner(found[0]), wire.Snapshot)


def seeds() -> list[bytes]:
    """One of each message."""
    change = wire.Change("alarm", "lamp_failed", "L0001", "lighting", ("Dijon",), {"state": "shelved"})
    gone = msgspec.structs.replace(change, row=None)
    messages = [
        wire.Subscribe(1000, 4 << 20),
        wire.Subscribe(1, 1, ("view", "event"), ("lighting",), ("Dijon", "Longvic")),
        wire.Credit(7, 500, 81_234),
        wire.Unsubscribe(),
        wire.Snapshot(7, 9, 0, True, 4711, 5, (change,)),
        wire.Delta(7, 1, (gone, change)),
        wire.Heartbeat(7, 9, 1, 0, 5),
        wire.Cut(7, "slow", "what", "next"),
        wire.Refused("mistyped", "what", "next"),
    ]
    return [wire.encode(message) for message in messages]


TARGET = Target("partners", check, seeds, longest=2048)
