"""Who may come in, on real sockets: no key, a wrong one, another's; one that ends or is rotated; a list that breaks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest
import zmq

from core import allowlist, keyring, keys, wire
from core.keys import ClientKey
from core.person import ANY
from ondijon.gateway import Gateway
from ondijon.spool import MemorySpool

REFUSED = "post.handshake.refused"


def hello(gateway: str) -> bytes:
    packed: bytes = msgpack.packb({"type": "hello", "gateway": gateway, "boot": 5, "wire": 1})
    return packed


def ask(post: Any, peer: zmq.Socket[bytes], message: bytes) -> Any:
    """What an edge answers."""
    peer.send(message)
    post.until(lambda: peer.poll(0), "the edge answers")
    return wire.decode_to_gateway(peer.recv())


def stranger(post: Any, file: Path, server: str | None = None) -> ClientKey:
    """A key that the post does not know."""
    key = ClientKey.new("stranger", server or keys.post_key(post.run.data).public)
    keys.write(file, key)
    return key


def dropped(socket: zmq.Socket[bytes]) -> Callable[[], bool]:
    """Says whether a connection of this socket has ended since."""
    monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    return lambda: bool(monitor.poll(0))


def told(post: Any) -> dict[tuple[str, str], str]:
    """The refused handshakes in the journal: (edge, why) → the key's fingerprint."""
    return {(each["edge"], each["why"]): each["key"] for each in post.journaled(REFUSED)}


def test_who_has_no_key_of_this_post_stays_outside_and_is_seen(
    post: Any, socket_of: Any, tmp_path: Path, ondijon: Any
) -> None:
    post.start(gateways=1)
    key = stranger(post, tmp_path / "stranger.key")
    stranger(post, tmp_path / "misled.key", server=keys.pair()[0])
    ended = keyring.new(post.run.data, tmp_path / "ended.key", "ended")
    keyring.revoke(post.run.data, "ended")
    keyring.new(post.run.data, tmp_path / "partner.key", "history", "partner")
    files = [None, *(tmp_path / f"{name}.key" for name in ("stranger", "misled", "ended", "partner"))]
    ports = post.run.endpoints
    peers = [
        socket_of(kind, port, file)
        for file in files
        for kind, port in (
            (zmq.DEALER, ports.control),
            (zmq.PUSH, ports.telemetry),
            (zmq.DEALER, ports.events),
        )
    ]
    for peer in peers:
        peer.send(hello("gw-A0002"))
    # One without CURVE may see that first and hang up: `broken_off`, or `no_curve` where the post was first.
    whys = ("unknown_key", "wrong_server_key", "revoked", "other_role")
    counted = [f"handshake_{why}" for why in whys]
    for edge in ("telemetry", "events"):
        post.until(lambda edge=edge: all(post.edge(edge).get(name) for name in counted), f"{edge} counts all")
    post.until(lambda: len(told(post)) >= 2 * len(whys) + 2, "each is told")
    for edge in ("telemetry", "events"):
        assert told(post)[edge, "unknown_key"] == keys.fingerprint(key.public)
        assert told(post)[edge, "revoked"] == ended.fingerprint
        assert {(edge, "no_curve"), (edge, "broken_off")} & set(told(post))
    assert not any(peer.poll(0) for peer in peers if peer.type == zmq.DEALER)
    assert "frames" not in post.edge("telemetry") or not post.edge("telemetry")["frames"]
    assert post.edge("events")["gateways"] == 1
    assert "handshake_unknown_key" in ondijon("top", post.run.folder, "--once").stdout


def test_a_key_speaks_for_its_own_gateway_alone(post: Any, socket_of: Any) -> None:
    post.start(gateways=1)
    thief = post.keys("gw-A0002")
    ports = post.run.endpoints
    for port in (ports.control, ports.events):
        for name in ("gw-A0001", "gw-A0003"):
            assert ask(post, socket_of(zmq.DEALER, port, thief), hello(name)).reason == "not_allowed"
    # Even one who has guessed another's session number.
    session, push = post.gateways[0].session, socket_of(zmq.PUSH, ports.telemetry, thief)
    for sequence in range(3):
        push.send(wire.single(session, sequence, 1, 0, post.run.clock().utc(), 50.0))
    post.until(lambda: post.edge("telemetry").get("foreign_session") == 3, "its frames are refused")
    assert post.edge("telemetry")["applied"] == 0
    post.levels(20)
    post.until(lambda: post.edge("telemetry")["applied"] >= 10, "the owner's are taken")
    assert post.edge("telemetry")["replayed"] == 0


def test_a_route_that_another_key_takes_over_is_nobodys(post: Any, socket_of: Any) -> None:
    post.start(gateways=0)
    events = post.run.endpoints.events
    first = socket_of(zmq.DEALER, events, post.keys("gw-A0001"), IDENTITY=b"chosen")
    assert isinstance(ask(post, first, hello("gw-A0001")), wire.Welcome)
    first.close(0)
    second = socket_of(zmq.DEALER, events, post.keys("gw-A0002"), IDENTITY=b"chosen")
    event = wire.FieldEvent(1, 0, "watch.door.opened", 1, data=msgspec.Raw(msgpack.packb({"code": 1})))
    assert ask(post, second, wire.encode(event)).reason == "no_handshake"


@pytest.mark.parametrize("way", ["revoked", "expired", "narrowed"])
def test_a_key_that_ends_loses_its_live_session(
    post: Any, socket_of: Any, way: str, record_property: Callable[[str, object], None]
) -> None:
    post.start(gateways=2)
    name, ports = post.city.assets.gateways[2], post.run.endpoints
    control, events, push = (
        socket_of(kind, port, post.keys(name))
        for kind, port in (
            (zmq.DEALER, ports.control),
            (zmq.DEALER, ports.events),
            (zmq.PUSH, ports.telemetry),
        )
    )
    session = ask(post, control, hello(name)).session
    ask(post, events, hello(name))
    push.send(wire.single(session, 0, 1, 0, post.run.clock().utc(), 50.0))
    post.until(lambda: post.edge("telemetry").get("applied"), "its sample is taken")
    ended = {"control": dropped(control), "events": dropped(events), "telemetry": dropped(push)}
    began = time.monotonic()
    if way == "revoked":
        keyring.revoke(post.run.data, name)
    else:
        end = {"expires": allowlist.now()} if way == "expired" else {"speaks_for": ("gw-A0001",)}
        change(post.run.data, name, **end)
    post.until(lambda: all(each() for each in ended.values()), "all three connections have ended")
    record_property("seconds", time.monotonic() - began)
    post.until(
        lambda: [post.edge(e)["gateways"] for e in ("telemetry", "events")] == [2, 2], "it is forgotten"
    )
    assert [post.edge(edge)["sessions_ended"] for edge in ("telemetry", "events")] == [1, 1]
    # It goes on trying, by itself: nothing of it comes in.
    before = post.edge("telemetry")["applied"]
    with contextlib.suppress(zmq.Again):
        push.send(wire.single(session, 1, 1, 0, post.run.clock().utc(), 60.0), zmq.DONTWAIT)
    if way != "narrowed":
        post.until(lambda: post.edge("telemetry").get(f"handshake_{way}"), "it is turned away")
    post.levels(70)
    post.until(lambda: post.edge("telemetry")["applied"] >= before + 20, "the others go on")
    assert all(gateway.statistics.handshakes == 2 for gateway in post.gateways)
    assert post.edge("telemetry")["applied"] == before + 20


def change(data: Path, name: str, **fields: Any) -> None:
    """Change the keys of a name in the list, as a person with an editor could."""
    with allowlist.changing(data) as each:
        each[:] = [msgspec.structs.replace(key, **fields) if key.name == name else key for key in each]


def test_an_idle_connection_of_an_ended_key_says_nothing_more(post: Any, socket_of: Any) -> None:
    post.start(gateways=1)
    name, ports = post.city.assets.gateways[2], post.run.endpoints
    push = socket_of(zmq.PUSH, ports.telemetry, post.keys(name))
    silent = socket_of(zmq.DEALER, ports.events, post.keys(name))
    push.send(b"x")
    silent.send(b"x")
    post.until(lambda: post.edge("telemetry").get("truncated") and silent.poll(0), "both are in")
    ended = [dropped(push), dropped(silent)]
    keyring.revoke(post.run.data, name)
    time.sleep(0.5)
    push.send(wire.single(7, 0, 1, 0, post.run.clock().utc(), 50.0))
    silent.send(hello(name))
    post.until(lambda: all(each() for each in ended), "both have ended at their first word")
    assert post.edge("events")["gateways"] == 1


def test_a_key_that_is_allowed_later_comes_in_by_itself(post: Any, tmp_path: Path) -> None:
    post.start(gateways=0)
    file = tmp_path / "gw.key"
    name = post.city.assets.gateways[0]
    keyring.new(post.run.data, file, name)
    with allowlist.changing(post.run.data) as each:
        kept = each.pop()
    gateway = Gateway(name, post.run.endpoints, post.run.clock(), post.context, keys=file)
    post.gateways.append(gateway)
    post.until(lambda: post.edge("events").get("handshake_unknown_key"), "it is turned away")
    with allowlist.changing(post.run.data) as each:
        each.append(kept)
    post.until(post.welcomed, "it is in")
    post.levels(30)
    post.until(lambda: post.edge("telemetry").get("applied", 0) >= 10, "its samples come")


def test_a_key_is_rotated_and_nothing_is_lost(post: Any, tmp_path: Path) -> None:
    post.start(gateways=1)
    name, spool = post.city.assets.gateways[0], MemorySpool(9)
    post.gateways[0].close()
    post.gateways[:] = []
    sent = 0

    def serve(gateway: Gateway, events: int) -> None:
        nonlocal sent
        post.gateways[:] = [gateway]
        post.until(post.welcomed, "it is in")
        for _ in range(events):
            gateway.emit("watch.door.opened", {"code": sent})
            post.levels(20 + sent % 60)
            sent += 1
            post.turn()

    old = post.gateway(name, spool=spool)
    serve(old, 20)
    keyring.rotate(post.run.data, tmp_path / "new.key", name, grace_days=8 / 86_400)
    serve(old, 20)
    old.close()
    samples = old.statistics.sent
    new = Gateway(name, post.run.endpoints, post.run.clock(), post.context, spool, tmp_path / "new.key")
    serve(new, 20)
    post.until(lambda: spool.acked == 60, "all events are acknowledged")
    late = post.gateway(name, spool=MemorySpool(10))
    post.until(lambda: late.turn() or post.edge("events").get("handshake_expired"), "the old key has ended")
    late.close()
    assert new.session
    samples += new.statistics.sent
    assert (old.statistics.dropped, new.statistics.dropped) == (0, 0)
    post.stop()
    counts = post.final("telemetry")["counts"]
    assert (counts["received"], counts["lost"], counts["unknown_session"]) == (samples, 0, 0)
    assert [each["code"] for each in post.journaled("watch.door.opened")] == list(range(60))


def test_a_list_that_breaks_ends_nobody_and_is_an_alarm(post: Any, tmp_path: Path) -> None:
    post.start(gateways=2)
    file = allowlist.path(post.run.data)
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    post.until(lambda: "keys_unreadable" in post.status.alarms.active, "it is an alarm")
    assert post.together()
    post.gateways.pop().close()
    post.gateways.append(post.gateway(post.city.assets.gateways[1]))
    post.until(post.together, "one that is known comes in again")
    file.write_bytes(whole)
    keyring.revoke(post.run.data, post.city.assets.gateways[1])
    post.until(lambda: post.edge("events").get("sessions_ended"), "the mended list holds")
    assert "allow-list" in post.log("edge-events")


def test_one_key_may_speak_for_many(post: Any) -> None:
    post.start(gateways=0)
    file = post.keys("simulator-0", ANY)
    for name in post.city.assets.gateways:
        post.gateways.append(Gateway(name, post.run.endpoints, post.run.clock(), post.context, keys=file))
    post.until(post.welcomed, "all are in")
