"""The kernel's side of egress: what the edge gathers from the steps is how all stands, told anew."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from core import feed, link, partner_wire, status
from core.egress import Egress, Told
from core.feed import WINDOW, Feed, Outlet
from core.link import Present
from core.partner_wire import Credit, Subscribe
from core.proposals import Publish
from core.publication import Publication
from core.step import Outputs
from ondijon.testing import City, Post


def travelled(message: link.ToEdge) -> link.ToEdge:
    """As the edge reads it."""
    return link.decode_to_edge(link.encode(message))


class Followed(Post):
    """A post whose every step is told to an edge; after each the edge's present is held against the kernel's."""

    feed: Feed | None = None

    def follow(self) -> None:
        """Begin to follow."""
        self.feed = Feed(self.kernel)
        self.told: list[Told] = []
        self.edge = Egress(1, lambda name, n: None)
        present = self.present()
        self.publication = Publication(present, self.kernel.city.assets)
        self.edge.begin(self.publication.present(present), 0, 0)

    def present(self) -> Present:
        """How all stands, as a new edge hears it."""
        assert self.feed is not None
        present = travelled(self.feed.present(self._at(self.mono), 0))
        assert isinstance(present, Present)
        return present

    def _keep(self, outputs: Outputs) -> None:
        super()._keep(outputs)
        if self.feed is None:
            return
        emitted = self.reactor.emitted[len(self.reactor.emitted) - len(outputs.events) :]
        stepped = self.feed.step(self._at(self.mono), (), emitted, outputs, self.journal.last())
        if stepped is not None:
            read = travelled(stepped)
            assert isinstance(read, link.Stepped)
            changes = self.publication.stepped(read)
            self.told += changes
            self.edge.tell(changes, read.journal, read.utc, lambda *_: True)
        present = self.present()
        anew = Publication(present, self.kernel.city.assets).present(present)
        # Of minutes the newest alone is told again.
        assert {told.id: told.data for told in anew if told.topic != "minute"} == {
            id: told.data for id, told in self.edge.rows.items() if told.topic != "minute"
        }

    def row(self, topic: str, name: str, key: str) -> dict[str, object] | None:
        """A row of the edge's present."""
        told = self.edge.rows.get(f"{topic}\0{name}\0{key}")
        found: dict[str, object] | None = msgspec.msgpack.decode(told.data)["row"] if told else None
        return found

    def states(self, topic: str) -> list[object]:
        """The rows of a topic that were told, in order: their states, None where one is gone."""
        rows = [msgspec.msgpack.decode(t.data)["row"] for t in self.told if t.topic == topic]
        return [row and row.get("state") for row in rows]


@pytest.fixture
def post(make_trial) -> Followed:
    made = Followed(City.small(), [make_trial()])
    made.follow()
    return made


def test_the_present_goes_with_the_steps(post: Followed) -> None:
    post.sample("S0001", "presence_sensor.presence", 1)
    post.run(30)
    assert post.row("view", "trial.row", "all") is not None
    assert [t.id.split("\0")[1] for t in post.told if t.topic == "event"].count("trial.seen") == 1
    # Told at its end once more, and gone.
    assert post.states("command")[0] == "committed"
    assert post.states("command")[-1] is None
    assert post.states("command")[-2] in ("verified", "executed", "unknown", "failed")
    assert not [id for id in post.edge.rows if id.startswith("command")]


def test_alarms_come_stand_and_go(post: Followed) -> None:
    lamps = post.kernel.city.assets.of_kind("lamp")
    post.kernel.alarms.raise_(lamps, "crowd", post.mono, {})
    post.run(3)
    first = post.kernel.city.assets.ids[lamps[0]]
    row = post.row("alarm", "crowd", first)
    assert row is not None
    assert row["state"] == "unacked_active"
    assert len([id for id in post.edge.rows if id.startswith("alarm")]) == len(lamps)
    post.kernel.alarms.acknowledge(int(lamps[0]), "crowd", "paul", post.mono, post.utc)
    post.run(1)
    assert (post.row("alarm", "crowd", first) or {})["state"] == "acked_active"
    post.kernel.alarms.clear(lamps, "crowd", post.mono)
    post.run(3)
    assert post.row("alarm", "crowd", first) is None
    # No person is named in anything that was told.
    assert not [told for told in post.told if b"paul" in told.data]


def test_a_row_about_an_asset_is_of_its_commune(post: Followed) -> None:
    assert post.feed is not None
    asset = int(post.kernel.city.assets.of_kind("lamp")[0])
    published = Publish(view="trial.row", key="one", row=None, asset=asset)
    stepped = post.feed.step(post._at(post.mono), (), (), Outputs(views=[published]), 0)
    assert stepped is not None
    (told,) = post.publication.stepped(stepped)
    commune = post.kernel.city.communes.names[post.kernel.city.assets.commune[asset]]
    assert (told.trade, told.communes, told.gone) == ("trial", (commune,), True)


def test_a_layer_is_told_a_commune_at_a_time_and_only_where_it_differs(post: Followed) -> None:
    present = msgspec.structs.replace(post.present(), metrics={"lamp.level": ("lamp", "trial")})
    publication = Publication(present, post.kernel.city.assets)
    lamps = len(post.kernel.city.assets.of_kind("lamp"))
    communes = post.kernel.city.assets.commune[post.kernel.city.assets.of_kind("lamp")]

    def layer(levels: np.ndarray) -> list[dict[str, object]]:
        stepped = link.Stepped(sequence=1, journal=1, utc=1, layers=(("lamp.level", levels.tobytes()),))
        return [msgspec.msgpack.decode(told.data) for told in publication.stepped(stepped)]

    levels = np.arange(lamps, dtype=np.uint8)
    first = layer(levels)
    assert {tuple(change["communes"]) for change in first} == {
        (post.kernel.city.communes.names[c],) for c in np.unique(communes)
    }
    assert b"".join(change["row"]["levels"] for change in first) == b"".join(
        levels[communes == c].tobytes() for c in np.unique(communes)
    )
    assert layer(levels) == []
    changed = levels.copy()
    changed[-1] = 255
    (only,) = layer(changed)
    assert only["communes"] == [post.kernel.city.communes.names[communes[-1]]]


def test_rows_of_views_have_a_limit(post: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "ROWS_MAX", 2)
    monkeypatch.setattr(feed, "ROWS_MAX", 2)
    row = post.plugins[0].declaration.views[0].row(seen=1.0)
    published = [Publish(view="trial.row", key=key, row=row) for key in "abca"]
    views = status.Views()
    for each in published:
        views.take(each)
    assert post.feed is not None
    stepped = post.feed.step(post._at(post.mono), (), (), Outputs(views=published), 0)
    assert stepped is not None
    assert [each.key for each in stepped.views] == ["a", "b", "a"]
    assert (set(views.rows["trial.row"]), views.refused) == ({"a", "b"}, 1)
    # One that goes makes room for another.
    for each in (Publish(view="trial.row", key="a", row=None), published[2]):
        views.take(each)
    assert set(views.rows["trial.row"]) == {"b", "c"}


def test_what_finds_no_room_is_left_out_and_counted() -> None:
    counts: dict[str, int] = {}
    outlet = Outlet(counts)
    outlet.ready()
    assert outlet.wanted
    # A single one may be larger than all the room there is.
    assert outlet.admit(1, 2 * WINDOW)
    assert not outlet.admit(2, 1)
    outlet.took(1)
    assert outlet.admit(3, WINDOW)
    assert not outlet.admit(4, 1)
    assert counts == {"egress_told": 2, "egress_left_out": 2}


MINUTE = 60_000_000


def minute_rows(post: Followed) -> list[dict[str, Any]]:
    """The changes of minutes that were told, in order."""
    return [msgspec.msgpack.decode(told.data) for told in post.told if told.topic == "minute"]


def test_a_minute_is_told_a_commune_at_a_time_with_the_one_before_it(post: Followed) -> None:
    assets, names = post.kernel.city.assets, post.kernel.city.communes.names
    lamps = assets.of_kind("lamp")
    for level in (40.0, 60.0):
        for lamp in lamps:
            post.sample(assets.ids[lamp], "lamp.level", level)
        post.run(70)
    first, second = ({}, {})
    for change in minute_rows(post):
        (first if not change["row"]["after"] else second)[change["key"]] = change
    assert set(first) == set(second) == {f"{names[c]} 0" for c in np.unique(assets.commune[lamps])}
    for key, change in second.items():
        row = change["row"]
        assert row["after"] == first[key]["row"]["minute"] < row["minute"]
        assert row["minute"] % MINUTE == 0
        told = np.frombuffer(row["asset"], "<u4")
        assert {names[c] for c in assets.commune[told]} == set(change["communes"])
        for name in ("last", "low", "high", "total"):
            assert np.frombuffer(row[name], "<f8").tolist() == [60.0] * len(told)
    # An edge that starts hears the newest minute, and nothing of who is not kept.
    present = post.present()
    assert {part.minute for part in present.now.minutes} == {c["row"]["minute"] for c in second.values()}
    assert {change["name"] for change in minute_rows(post)} == {"lamp.level"}


def test_who_is_slow_misses_minutes_and_sees_it(post: Followed) -> None:
    wanted = Subscribe(messages=1, bytes=1 << 20, topics=("minute",))
    slow = post.edge.subscribe(b"slow", wanted)
    message, done = slow.next()  # type: ignore[misc]
    done()
    lamp = post.kernel.city.assets.ids[post.kernel.city.assets.of_kind("lamp")[0]]
    for level in (10.0, 20.0, 30.0):
        post.sample(lamp, "lamp.level", level)
        post.run(60)
    post.run(10)
    assert slow.cut is None
    slow.grant(Credit(1, 5, 1 << 20))
    message, _ = slow.next()  # type: ignore[misc]
    (change,) = partner_wire.decode_to_partner(message).changes  # type: ignore[union-attr]
    told = [row["row"]["minute"] for row in minute_rows(post)]
    assert change.row["minute"] == told[-1]
    assert change.row["after"] == told[-2] > told[0]
