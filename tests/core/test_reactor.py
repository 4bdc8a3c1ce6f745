"""A restart goes on from snapshot and journal: nothing acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import snapshot
from core.alarm_rows import Note, StoredRows
from core.errors import JournalError
from core.journal import Record
from ondijon import AssetChange, Raise, hookimpl
from ondijon.testing import City, Post


def test_an_event_that_no_step_had_seen_is_seen_after_a_crash(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    post.step()
    post.event("trial.seen", {"count": 1})
    post.crash()
    assert post.plugins[0].state.heard == []
    post.step()
    assert post.plugins[0].state.heard == ["trial.seen"]


def test_what_was_consumed_since_the_snapshot_is_seen_again_and_done_once(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    post.step()
    post.save()
    post.event("trial.echo", {"links": 0})
    post.run(0.1)
    heard, emitted = list(post.plugins[0].state.heard), len(post.events_of("trial.echo"))
    assert emitted > 0
    post.crash()
    assert post.plugins[0].state.heard == heard, "its state is where it was"
    assert len(post.events_of("trial.echo")) == emitted, "and what it proposed then is not proposed anew"


def test_what_a_step_emitted_last_reaches_the_first_step_after_a_crash(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    post.sample("S0001", "presence_sensor.presence", 1)
    post.step()
    assert post.events_of("trial.seen")
    assert "trial.seen" not in post.plugins[0].state.heard
    post.crash()
    post.step()
    assert "trial.seen" in post.plugins[0].state.heard


def test_open_commands_end_unknown(make_trial) -> None:
    post = Post(City.small(), [make_trial()], answers=False)
    post.sample("S0001", "presence_sensor.presence", 1)
    post.step()
    post.save()
    post.sample("S0004", "presence_sensor.presence", 1)
    post.step()
    first, second = list(post.kernel.commands.open)
    post.crash()
    ended = {event.data.command: event.data for event in post.events_of("post.command.ended")}
    assert {id: (data.state, data.reason) for id, data in ended.items()} == {
        first: ("unknown", "restart"),
        second: ("unknown", "restart"),
    }
    post.crash()
    assert len(post.events_of("post.command.ended")) == 2, "once is enough"


@pytest.mark.parametrize("saved", [0, 30, 60, 200])
def test_alarms_stand_as_they_stood(make_trial, saved: int) -> None:
    module = make_trial()

    @hookimpl
    def on_tick(now):
        return [Raise(asset=3, code="crowd")] if now.mono < 5_000_000 else []

    module.on_tick = on_tick
    post = Post(City.small(), [module])
    for step in range(150):
        if step == saved:
            post.save()
        post.step()
    before = {key: (alarm.state, alarm.count) for key, alarm in post.alarms.items()}
    assert before == {("L0001", "crowd"): ("unacked_active", 1)}
    post.crash()
    assert {key: (alarm.state, alarm.count) for key, alarm in post.alarms.items()} == before
    post.step()
    assert len(post.events_of("post.alarm.changed")) == 1


def test_the_inventory_is_what_it_was(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    retired = [AssetChange(change="retired", id=f"L000{i}", at_utc=post.utc) for i in (1, 2, 3)]
    post.change(retired[0])
    post.save()
    post.change(*retired[1:])
    post.crash()
    assert post.kernel.city.assets.revision == 3
    assert (~post.kernel.city.assets.in_service()).sum() == 3


def test_a_hook_that_fails_on_what_it_saw_before_is_put_back(make_trial) -> None:
    module = make_trial()
    broken = False

    @hookimpl
    def on_events(events, state):
        state.heard += [event.kind for event in events]
        if broken:
            raise ValueError("now it fails")

    module.on_events = on_events
    post = Post(City.small(), [module])
    post.event("trial.seen", {"count": 1})
    post.step()
    broken = True
    post.crash()
    assert post.plugins[0].state.heard == []
    assert "now it fails" in post.faults[-1]


def test_a_snapshot_of_a_newer_version_is_refused(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    post.save()
    seq, data = next(post.journal.snapshots())
    newer = msgspec.structs.replace(snapshot.decode(data), format=snapshot.FORMAT + 1)
    post.journal._snapshots = [(seq, snapshot.encode(newer))]
    with pytest.raises(JournalError, match="this version reads up to"):
        post.crash()
    with pytest.raises(JournalError, match="cannot be read"):
        snapshot.decode(b"\x91" * 5000)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["event", "sample", "step", "save", "crash"]), max_size=40))
def test_whatever_happens_each_event_is_taken_once(make_trial, script: list[str]) -> None:
    post = Post(City.small(), [make_trial()])
    sent = 0
    for act in [*script, "step", "step"]:
        if act == "event":
            sent += 1
            post.event("trial.seen", {"count": 1000 + sent})
        elif act == "sample":
            post.sample("S0001", "presence_sensor.presence", 1)
        else:
            getattr(post, act)()
    ranges = [
        range(first, last + 1)
        for record in post.journal.records
        if record.kind == "step"
        for first, last in msgspec.msgpack.decode(record.data)
    ]
    taken = [seq for each in ranges for seq in each]
    assert len(taken) == len(set(taken)), "no event is consumed twice"
    reads = post.plugins[0].declaration.reads.events
    events = [
        seq
        for seq, record in post.journal.read(kind="event")
        if msgspec.msgpack.decode(record.data)["kind"] in reads
    ]
    # What the very last step emitted waits for the next one.
    assert set(events) - set(taken) == {event.seq for event in post.reactor.emitted if event.kind in reads}


def test_a_record_that_cannot_be_read_is_named(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    post.journal.append([Record("command", 5, 0, b"\xc1")])
    with pytest.raises(JournalError, match="record 2 of kind 'command' cannot be read"):
        post.crash()


def test_records_of_another_kind_are_nobodys_business(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    post.journal.append([Record("note", 0, 0, b"not even msgpack\xc1")])
    post.crash()
    post.step()


def test_a_snapshot_of_format_1_is_read() -> None:
    first = {
        "format": 1,
        "after": 5,
        "step": 7,
        "utc": 8,
        "mono": 9,
        "plugins": {"trial": b"\x01"},
        "alarms": {
            "mono": 9,
            "codes": ["x"],
            "columns": {"flags": b"\x03\x01"},
            "data": {0: {"why": "w"}},
            "acked_by": {0: "anna"},
            "shelved": {1: ("bob", "works")},
            "refused": 2,
        },
        "commands": [{"id": "1-1", "verb": "lamp.dim", "by": "trial"}],
        "serving": b"\x02",
    }
    read = snapshot.decode(msgspec.msgpack.encode(first))
    notes = {0: Note({"why": "w"}, "anna"), 1: Note(aside_by="bob", aside_why="works")}
    assert read.alarms.rows == StoredRows({"flags": b"\x03\x01"}, notes)
    assert (read.alarms.codes, read.alarms.refused, read.serving) == (["x"], 2, b"\x02")
    assert [command.id for command in read.commanding.open] == ["1-1"]
    assert read.format == snapshot.FORMAT


def test_the_register_is_stored_anew_each_day(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    stored = []
    for hours in (0, 1, 22, 2, 1):
        post.jump(hours * 3600)
        post.step()
        post.save()
        stored.append(post.journal.register())
    assert stored[0] == stored[1] == stored[2]
    assert stored[3] == stored[4] != stored[0], "the journal need not be kept from the first day on"
