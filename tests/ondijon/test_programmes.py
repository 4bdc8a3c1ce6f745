"""What a gateway holds of programmes, and what it says of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core.errors import OndijonError
from core.wire import PROGRAMMES_MAX, Programme, Taken
from ondijon.programmes import Programmes
from ondijon.spool import MemorySpool

KIND = "trial.plan"


def programme(version: int, zone: str = "", kind: str = KIND, content: bytes = b"\x80") -> Programme:
    return Programme(kind, zone, version, bytes([version]) * 32, b"\1\0", content)


def taken(of: Programme, code: str = "") -> Taken:
    return Taken(of.kind, of.zone, of.version, of.hash, code)


class Device:
    """Runs what it is handed; ``wrong`` is what it says of a content."""

    def __init__(self, spool: MemorySpool) -> None:
        self.runs: list[Programme] = []
        self.wrong: dict[bytes, str] = {b"\xc0": "bad_plan"}
        self.stored: list[list[Programme]] = []
        self.spool = spool
        self.programmes = Programmes(spool)
        self.programmes.obey(KIND, lambda each: self.wrong.get(each.content, ""), self.run)

    def run(self, held: Sequence[Programme]) -> None:
        self.runs = list(held)
        self.stored.append(self.spool.programmes())


@pytest.fixture
def device() -> Device:
    return Device(MemorySpool(1))


def test_it_is_stored_before_it_runs_and_before_it_is_told(device: Device) -> None:
    assert device.programmes.told().programmes == ()
    one, two = programme(1), programme(2, "Dijon")
    assert device.programmes.take(one) == device.programmes.take(two) == ""
    assert device.stored == [[], [one], [one, two]]
    assert device.runs == [one, two]
    assert device.programmes.told().programmes == (taken(one), taken(two))


def test_another_life_runs_what_the_disk_kept(device: Device) -> None:
    device.programmes.take(programme(3))
    again = Device(device.spool)
    assert again.runs == [programme(3)]
    assert again.programmes.take(programme(2)) == "older"
    assert again.runs == [programme(3)]
    assert again.programmes.told().programmes == (taken(programme(2), "older"),)
    assert again.programmes.take(programme(3)) == ""
    assert again.programmes.told().programmes == (taken(programme(3)),)


def test_what_cannot_be_followed_leaves_the_one_before(device: Device) -> None:
    device.programmes.take(programme(1))
    wrong = programme(2, content=b"\xc0")
    assert device.programmes.take(wrong) == "bad_plan"
    assert device.runs == device.spool.programmes() == [programme(1)]
    assert device.programmes.told().programmes == (taken(wrong, "bad_plan"),)
    foreign = programme(1, kind="snow.plough")
    assert device.programmes.take(foreign) == "unknown_kind"
    assert set(device.programmes.told().programmes) == {
        taken(wrong, "bad_plan"),
        taken(foreign, "unknown_kind"),
    }


def test_a_disk_that_takes_nothing_is_said(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    device.programmes.take(programme(1))

    def full(programme: Programme) -> None:
        raise OndijonError("the spool fails")

    monkeypatch.setattr(device.spool, "put_programme", full)
    assert device.programmes.take(programme(2)) == "not_stored"
    assert device.runs == [programme(1)]


def test_no_more_than_a_message_can_tell(device: Device) -> None:
    for n in range(PROGRAMMES_MAX):
        assert device.programmes.take(programme(1, f"zone {n}")) == ""
    assert device.programmes.take(programme(1, "one more")) == "too_many"
    assert device.programmes.take(programme(2, "zone 7")) == ""
    assert len(device.programmes.told().programmes) == PROGRAMMES_MAX
