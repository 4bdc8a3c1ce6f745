"""Partners of a running post: they follow it, whatever happens to the edge, and nobody pays for another."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import msgspec
import pytest
import zmq

from core import allowlist, keyring, keys, partner_wire
from core.partners_edge import KEY_MAX
from core.person import ANY, Role
from ondijon.partner import AsyncPartner, Partner

ALL = Role(ANY, ANY, (ANY,))


class Partners:
    """The partners of a post, each with a key of its own, and the post that turns meanwhile."""

    def __init__(self, post: Any) -> None:
        self.post = post
        self.opened: list[Partner] = []

    def key(self, name: str, *rights: Role) -> keys.ClientKey:
        """A new key with such rights; all of them where none is named."""
        file = self.post.run.folder / f"{name}.key"
        keyring.new(self.post.run.data, file, name, "partner", rights=rights or (ALL,))
        return keys.read(file)

    def open(self, name: str, *rights: Role, **wanted: Any) -> Partner:
        """A partner that follows under a new key."""
        endpoint = self.post.run.endpoints.partners
        self.opened.append(Partner(endpoint, self.key(name, *rights), context=self.post.context, **wanted))
        return self.opened[-1]

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Turn the post and all partners until ``condition`` holds."""

        def turned() -> object:
            for partner in self.opened:
                partner.turn()
            return condition()

        self.post.until(turned, what)

    def counts(self) -> dict[str, int]:
        """The edge's counters."""
        found: dict[str, int] = self.post.edge("partners")
        return found


@pytest.fixture
def partners(post: Any) -> Iterator[Partners]:
    """The partners of a fresh post; all are closed at the end."""
    made = Partners(post)
    yield made
    for partner in made.opened:
        partner.close()


def levels(partner: Partner) -> Any:
    """The row of the view that shows all levels."""
    change = partner.rows.get(("view", "watch.levels", "all"))
    return change.row["level"] if change and change.row else None


def shows(partner: Partner, value: float) -> bool:
    """Its present has what ``post.levels(value)`` told."""
    return partner.whole and levels(partner) == pytest.approx([value + (i + 1) / 10 for i in range(30)])


def test_a_partner_sees_what_stands_and_what_changes(post: Any, partners: Partners) -> None:
    post.start(gateways=3)
    partner = partners.open("all")
    partners.until(lambda: partner.whole, "the snapshot has come")
    assert {key[2] for key in partner.rows if key[0] == "asset"} == set(post.city.assets.ids)
    for value in (20, 40, 60):
        post.levels(value)
        partners.until(lambda value=value: shows(partner, value), "the levels have come")
    partners.until(lambda: ("status", "post.status", "all") in partner.rows, "the status has come")
    assert partner.follower.statistics.gaps == partner.follower.statistics.resyncs == 0


def test_a_partner_sees_its_own_communes_and_topics_only(post: Any, partners: Partners) -> None:
    post.start(gateways=3)
    commune = post.city.communes.names[0]
    here = partners.open("here", Role(ANY, commune, ("asset", "view")))
    blind = partners.open("blind", Role("roads", ANY, (ANY,)))
    partners.until(lambda: here.whole and blind.follower.statistics.refused, "one sees, one is refused")
    own = {id for id, of in zip(post.city.assets.ids, post.city.assets.commune, strict=True) if of == 0}
    assert 0 < len(own) < len(post.city.assets.ids)
    # The view is about the whole city, the rest of the register elsewhere.
    assert set(here.rows) == {key for key in here.rows if key[0] == "asset" and key[2] in own}
    assert {key[2] for key in here.rows} == own
    assert "not_allowed" in blind.follower.why


def test_the_edge_is_killed_while_three_follow(post: Any, partners: Partners) -> None:
    post.start(gateways=3)
    three = [partners.open(f"p{i}") for i in range(3)]
    partners.until(lambda: all(partner.whole for partner in three), "all follow")
    for value in (10, 30, 50):
        post.levels(value)
        partners.until(lambda value=value: all(shows(p, value) for p in three), "all see the levels")
        post.kill("edge-partners")
        post.levels(value + 10)
        partners.until(lambda value=value: all(shows(p, value + 10) for p in three), "all see them again")
    assert all(partner.follower.statistics.resyncs >= 3 for partner in three)


def test_the_kernel_is_killed_while_one_follows(post: Any, partners: Partners) -> None:
    post.start(gateways=3)
    partner = partners.open("all")
    post.levels(10)
    partners.until(lambda: shows(partner, 10), "it follows")
    post.kill("kernel")
    post.levels(35)
    partners.until(lambda: shows(partner, 35), "it sees the new kernel's city")
    assert partner.follower.statistics.cuts >= 1


def test_a_stopped_partner_is_cut_off_alone(post: Any, partners: Partners) -> None:
    post.start(gateways=3)
    follows, stops = partners.open("follows"), partners.open("stops", messages=5)
    partners.until(lambda: follows.whole and stops.whole, "both follow")
    # It neither reads nor says that it lives.
    partners.opened.remove(stops)
    gone = partners.counts().get("partners_silent", 0)
    value = 10.0
    while partners.counts().get("partners_silent", 0) == gone:
        value = 10 + (value + 7) % 70
        post.levels(value)
        partners.until(lambda value=value: shows(follows, value), "the other goes on")
    assert follows.follower.statistics.resyncs == 0
    partners.opened.append(stops)
    partners.until(lambda: shows(stops, value), "it is back, with what stands now")
    assert stops.follower.statistics.resyncs >= 1


def test_who_grants_nothing_gets_the_newest_row_and_knows_that_more_waits(
    post: Any, partners: Partners
) -> None:
    post.start(gateways=3)
    key, context = partners.key("slow"), post.context
    socket = context.socket(zmq.DEALER)
    key.secure(socket)
    socket.connect(post.run.endpoints.partners)
    heard: list[Any] = []

    def hear() -> None:
        while socket.poll(0):
            heard.append(partner_wire.decode_to_partner(socket.recv()))

    def newest(kind: type) -> Any:
        hear()
        return next((message for message in reversed(heard) if isinstance(message, kind)), None)

    socket.send(msgpack.packb({"type": "subscribe", "messages": 1, "bytes": 1_000_000, "topics": ["view"]}))
    post.until(lambda: newest(partner_wire.Snapshot), "the snapshot has come")
    number = heard[0].subscription
    for value in (20, 30, 40, 50):
        post.levels(value)
        post.until(lambda value=value: post.shows(value), "the kernel has it")
    socket.send(msgpack.packb({"type": "credit", "subscription": number}))
    post.until(
        lambda: (beat := newest(partner_wire.Heartbeat)) and beat.waiting, "it hears that something waits"
    )
    assert newest(partner_wire.Heartbeat).sequence == 0
    assert newest(partner_wire.Delta) is None
    socket.send(msgpack.packb({"type": "credit", "subscription": number, "messages": 1, "bytes": 100_000}))
    post.until(lambda: newest(partner_wire.Delta), "with credit it comes")
    (change,) = newest(partner_wire.Delta).changes
    assert change.row["level"] == pytest.approx([50 + (i + 1) / 10 for i in range(30)])
    socket.close(0)


def test_a_revoked_partner_is_out_within_its_next_breath(post: Any, partners: Partners) -> None:
    post.start(gateways=3)
    stays, goes = partners.open("stays"), partners.open("goes")
    partners.until(lambda: stays.whole and goes.whole, "both follow")
    keyring.revoke(post.run.data, "goes")
    partners.until(lambda: partners.counts().get("sessions_ended"), "its session has ended")
    before = goes.follower.statistics.deltas
    post.levels(44)
    partners.until(lambda: shows(stays, 44), "the other follows")
    assert goes.follower.statistics.deltas == before
    assert stays.follower.statistics.resyncs == 0


def test_one_key_does_not_take_all_the_places(post: Any, partners: Partners) -> None:
    post.start(gateways=1)
    key = partners.key("greedy")
    for _ in range(KEY_MAX + 1):
        partners.opened.append(Partner(post.run.endpoints.partners, key, context=post.context))
    partners.until(lambda: partners.counts().get("refused_key_limit"), "one is refused")
    partners.until(lambda: sum(p.whole for p in partners.opened) == KEY_MAX, "the others follow")
    # Where it may see something else from now on, all of it begins anew.
    with allowlist.changing(post.run.data) as each:
        (old,) = [k for k in each if k.name == "greedy"]
        each[each.index(old)] = msgspec.structs.replace(old, rights=(Role(ANY, ANY, ("asset",)),))
    partners.until(lambda: partners.counts().get("cut_rights") == KEY_MAX, "all are cut off")
    partners.until(
        lambda: (
            all({key[0] for key in p.rows} == {"asset"} for p in partners.opened if p.whole)
            and sum(p.whole for p in partners.opened) == KEY_MAX
        ),
        "they see what they may see now",
    )


def test_strangers_without_a_key_are_not_heard(post: Any, partners: Partners, socket_of: Any) -> None:
    post.start(gateways=1)
    stranger = socket_of(zmq.DEALER, post.run.endpoints.partners)
    gateway = socket_of(zmq.DEALER, post.run.endpoints.partners, file=post.keys("gw-A0002"))
    for socket in (stranger, gateway):
        socket.send(msgpack.packb({"type": "subscribe", "messages": 1, "bytes": 1000}))
    partners.until(lambda: partners.counts().get("handshake_other_role"), "a gateway is no partner")
    assert not stranger.poll(0)
    assert not gateway.poll(0)


SUBSCRIBE = {"type": "subscribe", "messages": 10, "bytes": 100_000}
REFUSED: list[tuple[bytes, str]] = [
    (b"", "malformed"),
    (b"\xc1", "malformed"),
    (random.Random(2).randbytes(3000), "mistyped"),
    (b"\x91" * 16_000, "mistyped"),
    (b"\x81\xa4type\xa2\xff\xff", "malformed"),
    (msgpack.packb(SUBSCRIBE | {"messages": 0}), "mistyped"),
    (msgpack.packb(SUBSCRIBE | {"messages": 1 << 40}), "mistyped"),
    (msgpack.packb(SUBSCRIBE | {"bytes": -1}), "mistyped"),
    (msgpack.packb(SUBSCRIBE | {"topics": ["secrets"]}), "mistyped"),
    (msgpack.packb(SUBSCRIBE | {"trades": ["x" * 200]}), "mistyped"),
    (msgpack.packb(SUBSCRIBE | {"communes": ["x"] * 2000}), "mistyped"),
    (msgpack.packb(SUBSCRIBE | {"colour": "red"}), "mistyped"),
    (msgpack.packb(SUBSCRIBE | {"wire": 2}), "wire_version"),
    (msgpack.packb({"type": "credit", "subscription": 99}), "no_subscription"),
    (msgpack.packb({"type": "unsubscribe"}), "no_subscription"),
]


def test_a_hostile_partner_is_refused_by_reason_and_harms_nobody(
    post: Any, partners: Partners, socket_of: Any
) -> None:
    post.start(gateways=3)
    honest = partners.open("honest")
    partners.until(lambda: honest.whole, "it follows")
    liar = socket_of(zmq.DEALER, post.run.endpoints.partners)
    liar.disconnect(post.run.endpoints.partners)
    partners.key("liar").secure(liar)
    liar.connect(post.run.endpoints.partners)
    more: dict[str, int] = {}
    for message, reason in REFUSED:
        liar.send(message)
        partners.until(lambda: liar.poll(0), f"an answer to {message[:40]!r}")
        answer = partner_wire.decode_to_partner(liar.recv())
        assert isinstance(answer, partner_wire.Refused), (message[:40], answer)
        assert answer.reason == reason, (message[:40], answer)
        more[f"refused_{reason}"] = more.get(f"refused_{reason}", 0) + 1
    for _ in range(50):
        liar.send(msgpack.packb(SUBSCRIBE))
        liar.send_multipart([b"a"] * 3)
    more |= {"refused_subscribe_flood": 49, "refused_multipart": 50}
    partners.until(lambda: {k: partners.counts().get(k, 0) for k in more} == more, f"all is counted: {more}")
    # More credit than anybody may hold: it holds what one may, and the edge no more than that.
    number = None
    while number is None:
        partners.until(lambda: liar.poll(0), "its subscription")
        answer = partner_wire.decode_to_partner(liar.recv())
        number = answer.subscription if isinstance(answer, partner_wire.Snapshot) else None
    for _ in range(3):
        liar.send(
            msgpack.packb(
                {
                    "type": "credit",
                    "subscription": number,
                    "messages": 10_000,
                    "bytes": partner_wire.BYTES_MAX,
                }
            )
        )
    # Larger than any message: its connection ends.
    liar.send(bytes(100_000))
    post.levels(33)
    partners.until(lambda: shows(honest, 33), "the honest one follows")
    assert honest.follower.statistics.resyncs == 0
    assert post.process("edge-partners").figures.starts == 1


def test_the_asyncio_face_follows_too(post: Any, partners: Partners) -> None:
    post.start(gateways=3)
    key = partners.key("async")

    async def follow() -> int:
        async with AsyncPartner(post.run.endpoints.partners, key, topics=["view", "status"]) as partner:
            seen = 0
            async for change in partner:
                post.turn()
                seen += change.topic == "status"
                if seen == 3:
                    assert partner.whole
                    return seen
        return 0

    assert asyncio.run(asyncio.wait_for(follow(), 45)) == 3


@pytest.mark.slow
def test_an_edge_that_stands_still_costs_the_kernel_nothing_it_does_not_have(
    post: Any, partners: Partners
) -> None:
    post.start(gateways=3)
    partner = partners.open("all")
    partners.until(lambda: partner.whole, "it follows")
    pid = post.process("edge-partners").pid
    os.kill(pid, signal.SIGSTOP)
    step = post.status.step
    post.until(lambda: post.status.step > step + 200, "the kernel steps on")
    os.kill(pid, signal.SIGCONT)
    post.levels(61)
    partners.until(lambda: shows(partner, 61), "it follows again")
