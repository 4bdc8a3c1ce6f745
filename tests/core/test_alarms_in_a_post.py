"""Alarms in a whole post: what the journal says of them, links and gateways as assets, restarts, wrong proposals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType

import msgspec
import numpy as np
import pytest

from core import alarms, vocabulary
from core.alarm_state import Alarm
from core.vocabulary import AlarmChanged
from ondijon import NONE, AlarmKind, AssetChange, Clear, Raise, Text, hookimpl
from ondijon.testing import City, Post

T = Text("essai", "trial")
NETWORK = ("gateway_silent", "link_cut", "switch_down")
KINDS = (
    AlarmKind(code="dark", priority=3, text=T, suppressed_by=("cabinet", *NETWORK)),
    AlarmKind(code="cabinet", priority=1, text=T, suppressed_by=NETWORK),
)


class Says:
    """A trade that proposes what the test puts into ``next``, once."""

    def __init__(self, make_trial: Callable[..., ModuleType], city: City | None = None) -> None:
        self.next: list[object] = []
        module = make_trial(alarms=KINDS, ticks={"beat": 0.05})

        @hookimpl
        def on_tick() -> Iterable[object]:
            said, self.next = self.next, []
            return said

        module.on_tick = on_tick
        self.post = Post(city or City.small(), [module], reload=True)

    def __call__(self, *proposals: object, seconds: float = 0.05) -> None:
        self.next = list(proposals)
        self.post.run(seconds)

    def index(self, *ids: str) -> np.ndarray:
        return np.array([self.post.kernel.city.assets.index[id] for id in ids], np.uint32)

    def changed(self) -> list[AlarmChanged]:
        return [event.data for event in self.post.events_of("post.alarm.changed")]


@pytest.fixture
def says(make_trial) -> Says:
    return Says(make_trial)


def test_a_trade_may_say_what_is_wrong_with_itself(says: Says) -> None:
    says(Raise(asset=NONE, code="cabinet", data={"why": "no plan"}))
    alarm = says.post.alarms["", "cabinet"]
    assert (alarm.state, alarm.trade, alarm.commune) == ("unacked_active", "trial", None)
    says.post.run(11)
    says(Clear(asset=NONE, code="cabinet"))
    assert says.post.alarms["", "cabinet"].state == "returned_unacked"
    says(Raise(asset=NONE, code="link_cut"))
    assert ("", "link_cut") not in says.post.alarms
    assert "is for assets of kind" in says.post.faults[-1]


LAMPS = [f"L{i + 1:04}" for i in range(30)]


def networked(says: Says) -> None:
    """Gateways 1 and 2 stand behind link 1, which is behind a switch; gateway 3 behind link 2."""
    place = {"lon": 5.04, "lat": 47.32, "at_utc": says.post.utc}
    ways = [
        ("SW1", "switch", ""),
        ("LK1", "link", "SW1"),
        ("LK2", "link", ""),
        ("gw-A0001", "gateway", "LK1"),
        ("gw-A0002", "gateway", "LK1"),
        ("gw-A0003", "gateway", "LK2"),
    ]
    small = says.post.kernel.city.assets
    place["lon"], place["lat"] = float(small.lon[0]), float(small.lat[0])
    says.post.change(
        *(AssetChange(change="added", id=id, kind=kind, parent=parent, **place) for id, kind, parent in ways)
    )


def test_one_event_tells_of_all_that_changed_alike(says: Says) -> None:
    lamps = says.index(*LAMPS)
    says(Raise(asset=lamps, code="dark"), seconds=11)
    raised, *told = says.changed()
    assert (raised.state, raised.count, raised.asset, raised.announced) == ("unacked_active", 30, "", 0)
    assert np.frombuffer(raised.assets, "<u4").tolist() == lamps.tolist()
    assert [(each.count, each.announced, each.group) for each in told] == [(10, 1, 1), (10, 1, 2), (10, 1, 3)]
    event = says.post.events_of("post.alarm.changed")[0]
    assert (event.trade, event.communes, event.asset) == ("trial", (0, 1), None)
    says(Clear(asset=lamps[:1], code="dark"))
    one = says.changed()[-1]
    assert (one.asset, one.count, one.assets, one.state) == ("L0001", 1, b"", "returned_unacked")


def test_a_cut_link_explains_all_that_is_behind_it(says: Says) -> None:
    networked(says)
    lamps = says.index(*LAMPS)
    says(Raise(asset=lamps, code="dark"), Raise(asset=int(says.index("A0003")[0]), code="cabinet"), seconds=1)
    says(Raise(asset=int(says.index("LK1")[0]), code="link_cut"))
    alarms = says.post.alarms
    states = [alarms[lamp, "dark"].state for lamp in LAMPS]
    assert states == ["suppressed"] * 30
    assert alarms["L0001", "dark"].parent == (says.index("LK1")[0], "link_cut")
    assert alarms["L0030", "dark"].parent == (says.index("A0003")[0], "cabinet")
    suppressed = [said for said in says.changed() if said.state == "suppressed"]
    assert [(said.parent, said.cause, said.count) for said in suppressed] == [
        ("cabinet", "A0003", 10),
        ("link_cut", "LK1", 20),
    ]
    says(Raise(asset=int(says.index("SW1")[0]), code="switch_down"), seconds=11)
    assert says.post.alarms["LK1", "link_cut"].state == "suppressed"
    assert says.post.alarms["L0001", "dark"].parent == (says.index("LK1")[0], "link_cut")
    load = says.post.kernel.alarms.load(says.post.kernel.city.assets.ids)
    assert load.active == {"cabinet": 1, "switch_down": 1}
    assert (load.suppressed, load.announced_10min) == (31, 2), (
        "the cabinet, and the switch that explains the link"
    )
    says(
        Clear(asset=int(says.index("SW1")[0]), code="switch_down"),
        Clear(asset=int(says.index("LK1")[0]), code="link_cut"),
        Clear(asset=lamps[:19], code="dark"),
        seconds=11,
    )
    load = says.post.kernel.alarms.load(says.post.kernel.city.assets.ids)
    assert (load.active, load.announced_10min) == ({"cabinet": 1, "dark": 1}, 3), "L0020 is still dark"


def test_what_hangs_elsewhere_is_explained_anew(says: Says) -> None:
    says(
        Raise(asset=says.index("A0001", "L0001"), code="cabinet"),
        Raise(asset=says.index("L0001"), code="dark"),
    )
    assert says.post.alarms["L0001", "dark"].state == "suppressed"
    says.post.change(AssetChange(change="changed", id="L0001", at_utc=says.post.utc, parent="A0002"))
    assert says.post.alarms["L0001", "dark"].state == "unacked_active"


@pytest.mark.parametrize("saved", [None, 1, 2])
def test_alarms_stand_as_they_stood_after_a_crash(says: Says, saved: int | None) -> None:
    """Whatever of it was in the snapshot, the journal has the rest."""
    networked(says)
    post = says.post

    def acts(n: int) -> None:
        if n == 0:
            says(Raise(asset=says.index(*LAMPS[:20]), code="dark"), seconds=11)
            says(Raise(asset=says.index("A0003"), code="cabinet", data={"cause": "silent"}))
        elif n == 1:
            assert post.acknowledge("L0001", "dark").state == "acked_active"
            assert post.shelve("L0002", "dark", 3600).state == "shelved"
            register, at = post.kernel.alarms, (post.mono, post.utc)
            register.take_out_of_service(int(says.index("L0003")[0]), "dark", "rebuilt", "Luc", *at)
            post.shelve("L0005", "dark", 3600)
            register.unshelve(int(says.index("L0005")[0]), "dark", "Luc", *at)
            assert register.acknowledge_group(
                register.get(int(says.index("L0012")[0]), "dark").group, "Luc", *at
            )
            says(Raise(asset=says.index(*LAMPS[20:]), code="dark"))
        else:
            says(Raise(asset=says.index("LK1"), code="link_cut"))
            says(Clear(asset=says.index(*LAMPS[4:8]), code="dark"))

    for n in range(3):
        acts(n)
        if n == saved:
            post.save()
    post.step()
    before = {key: plain(alarm) for key, alarm in post.alarms.items()}
    told = len(says.changed())
    load = post.kernel.alarms.load(post.kernel.city.assets.ids)
    post.crash()
    assert {key: plain(alarm) for key, alarm in post.alarms.items()} == before
    post.step()
    assert {key: plain(alarm) for key, alarm in post.alarms.items()} == before
    assert len(says.changed()) == told, "nothing is said twice"
    again = post.kernel.alarms.load(post.kernel.city.assets.ids)
    assert again.active == load.active
    assert (again.suppressed, again.shelved, again.announced_10min) == (
        load.suppressed,
        load.shelved,
        load.announced_10min,
    )
    post.jump(3600)
    post.step()
    assert post.alarms["L0002", "dark"].state == "suppressed"


def plain(alarm: Alarm) -> Alarm:
    """What must survive: all but the count of changes."""
    return msgspec.structs.replace(alarm, revision=0)


def test_whoever_watches_the_network_may_raise_its_alarms_there_and_only_there(says: Says) -> None:
    networked(says)
    says(Raise(asset=says.index("LK1"), code="link_cut"))
    assert says.post.alarms["LK1", "link_cut"].trade == "post"
    says(Raise(asset=says.index("A0001"), code="link_cut"))
    assert "is for assets of kind 'link'" in says.post.faults[-1]


@pytest.mark.parametrize(
    "data",
    [{"x": object()}, {"x": None}, {1: 1.0}, {"x": "x" * 70_000}, {"x": 1 << 70}],
    ids=["object", "none", "number as key", "too long", "too large"],
)
def test_data_that_cannot_be_journaled_is_refused(says: Says, data: dict) -> None:
    says(Raise(asset=0, code="dark", data=data))
    assert "Raise refused" in says.post.faults[0]
    assert says.post.alarms == {} or set(says.post.alarms) == {("", "plugin_failed")}


def test_a_full_register_is_an_alarm_of_its_own(says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "ALARMS_MAX", 10)
    says(Raise(asset=says.index(*LAMPS), code="dark"))
    says.post.step()
    assert says.post.alarms["", "limit_reached"].data == {"what": "alarms"}


def test_a_person_acts_between_two_steps(says: Says) -> None:
    says(Raise(asset=0, code="cabinet"))
    assert says.post.acknowledge("A0001", "cabinet", "Luc").acked_by == "Luc"
    assert says.post.acknowledge("A0001", "cabinet") is None
    assert says.post.shelve("A0001", "cabinet", 60, "digging").shelved_reason == "digging"
    says.next = [Clear(asset=0, code="cabinet")]
    says.post.step()
    acked, shelved = says.changed()[-2:]
    assert (acked.by, acked.state) == ("Luc", "acked_active")
    assert (shelved.by, shelved.reason, shelved.until_utc > says.post.utc) == ("Anne", "digging", True)


def test_the_networks_alarms_are_on_kinds_that_there_are() -> None:
    assert set(vocabulary.NETWORK) == {kind.name for kind in vocabulary.ASSETS}
