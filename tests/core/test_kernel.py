"""The step: order, containment, determinism, what becomes of proposals."""

from __future__ import annotations

import math
import sys
import threading

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SECOND, Now
from core.errors import CityError
from core.event import CHAIN_MAX
from core.plugins import PROPOSALS_MAX
from core.step import Inputs
from core.table import HandOver
from core.vocabulary import HandshakeRefused
from core.wire import Fault, Reports
from ondijon import AssetChange, Clear, Command, Emit, Publish, Raise, Reads, Release, caused, hookimpl
from ondijon.testing import City, Post
from tests.core.conftest import Echo


def test_a_sample_becomes_a_command_and_an_order(make_trial) -> None:
    post = Post(City.small(), [make_trial()], reload=True)
    post.sample("S0001", "presence_sensor.presence", 2)
    post.run(0.1)
    assert post.faults == []
    assert post.commanded("L0001") == [80.0]
    (gateway, order) = post.orders[0]
    assert gateway == "gw-A0001"
    assert order.lease_ms == 30_000
    assert post.views["trial.row"]["all"].seen == 2
    assert [record.kind for record in post.journal.records[:3]] == ["start", "command", "event"]
    assert post.events_of("post.command.ended")[0].data.state == "executed"


def test_emitted_events_are_delivered_in_the_next_step(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    post.sample("S0001", "presence_sensor.presence", 1)
    post.step()
    assert post.plugins[0].state.heard == []
    post.step()
    assert "trial.seen" in post.plugins[0].state.heard
    event = post.events_of("trial.seen")[0]
    assert event.seq > 0
    assert event.communes == (0,)


def test_a_chain_of_events_ends(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    post.event("trial.echo", {"links": 0})
    post.run(2)
    assert len(post.events_of("trial.echo")) == CHAIN_MAX
    assert post.kernel.counts["chains_cut"] == 1
    assert ("", "limit_reached") in post.alarms


def test_what_has_nothing_to_do_with_a_long_chain_is_no_link_of_it(make_trial) -> None:
    module = make_trial()

    @hookimpl
    def on_events(events):
        for event in events:
            if event.kind == "trial.echo" and event.data.links >= 0:
                yield from caused(
                    event.seq, [Emit(kind="trial.echo", data=type(event.data)(event.data.links + 1))]
                )
            elif event.kind == "trial.seen":
                yield Emit(kind="trial.echo", data=Echo(-1), cause=event.seq)

    module.on_events = on_events
    post = Post(City.small(), [module])
    post.event("trial.echo", {"links": 0})
    for _ in range(12):
        post.event("trial.seen", {"count": 1})
        post.step()
    post.step()
    echoes = post.events_of("trial.echo")
    assert len([event for event in echoes if event.data.links > 0]) == CHAIN_MAX
    assert {event.chain for event in echoes if event.data.links < 0} == {1}
    assert len([event for event in echoes if event.data.links < 0]) == 12
    assert post.kernel.counts["chains_cut"] == 1


def test_a_hook_that_raises_loses_its_proposals_and_its_changes(make_trial) -> None:
    module = make_trial()
    inner = module.on_batch

    @hookimpl
    def on_batch(now, batch, fixed, state):
        list(inner(now, batch, fixed, state))
        raise RuntimeError("broken by intent")

    module.on_batch = on_batch
    post = Post(City.small(), [module])
    post.step()
    post.sample("S0001", "presence_sensor.presence", 1)
    before = post.plugins[0].digest()
    outputs = post.step()
    assert post.plugins[0].digest() == before
    assert outputs.orders == []
    assert "broken by intent" in post.faults[0]
    post.run(1.2)
    assert post.plugins[0].errors == 1
    assert post.plugins[0].state.ticks == 2, "the plugin goes on"
    assert ("", "plugin_failed") in post.alarms


def test_one_plugins_fault_leaves_the_others_alone(make_trial) -> None:
    nothing = dict.fromkeys(("assets", "metrics", "events", "verbs", "authorisations", "alarms", "views"), ())
    bad = make_trial("bad", **nothing)

    @hookimpl
    def on_tick(now, name, state):
        raise ValueError

    bad.on_tick = on_tick
    post = Post(City.small(), [bad, make_trial()])
    post.run(1)
    assert post.plugins[0].errors == 1
    assert post.plugins[1].state.ticks == 1


@pytest.mark.parametrize(
    ("proposal", "what"),
    [
        (Emit(kind="lighting.nothing", data=msgspec.defstruct("X", [])()), "lighting.nothing"),
        (Raise(asset=0, code="nobody_declares_this"), "nobody_declares_this"),
        (Raise(asset=0, code="plugin_failed"), "plugin_failed"),
        (Raise(asset=1_000_000, code="crowd"), "asset 1000000"),
        (Raise(asset=None, code="crowd"), "Raise"),
        (Clear(asset=1_000_000, code="crowd"), "asset 1000000"),
        (
            Command(verb="lamp.dim", targets=[3], values=[1], lease_s=1, deadline_s=math.inf, reason=""),
            "Command",
        ),
        (Release(verb="lamp.dim", targets="x", reason=""), "Release"),
        (Command(verb="lamp.dim", targets="x", values=1, lease_s=1, reason=""), "Command"),
        ("not a proposal", "not a proposal"),
    ],
)
def test_a_proposal_that_makes_no_sense_is_a_fault_not_a_crash(make_trial, proposal, what: str) -> None:
    module = make_trial()

    @hookimpl
    def on_tick(now, name, state):
        return [proposal]

    module.on_tick = on_tick
    post = Post(City.small(), [module])
    post.step()
    assert what in post.faults[0]
    assert post.plugins[0].errors == 1
    post.run(1.5)
    assert set(post.alarms) <= {("", "plugin_failed")}


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda seen, row: Emit(kind="trial.seen", data=row(1)), "trial.seen is declared by trial"),
        (lambda seen, row: Emit(kind="trial.seen", data=seen(object())), "Emit refused"),
        (lambda seen, row: Emit(kind="trial.seen", data=seen("x" * 70_000)), "at most 65536"),
        (lambda seen, row: Emit(kind="trial.seen", data=seen(1), asset=-1), "asset -1"),
        (lambda seen, row: Publish(view="nobody.view", key="x", row=row(1)), "nobody.view"),
        (lambda seen, row: Publish(view="trial.row", key="x", row=seen(1)), "trial.row is declared by trial"),
        (lambda seen, row: Publish(view="trial.row", key="x", row=row(object())), "Publish refused"),
        (lambda seen, row: Publish(view="trial.row", key="x", row=row("x" * 20_000)), "at most 16384"),
    ],
)
def test_data_that_nobody_could_store_or_tell_is_refused(make_trial, make, what: str) -> None:
    module = make_trial()
    declared = module.declare()
    proposal = make(declared.events[0].data, declared.views[0].row)
    module.on_tick = hookimpl(lambda now, name, state: [proposal])
    post = Post(City.small(), [module])
    post.step()
    assert what in post.faults[0]
    assert not post.views
    assert not post.events


def test_an_event_that_does_not_fit_is_left_out_and_counted(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    post.event("trial.seen", {"count": "a gateway may say anything"})
    post.event("trial.seen", {"count": 1})
    post.step()
    assert post.plugins[0].state.heard == ["trial.seen"]
    assert post.plugins[0].errors == 0
    assert post.kernel.counts["events_unread"] == 1
    assert "does not fit what trial reads" in post.faults[0]


@pytest.mark.parametrize(
    ("deed", "fault"),
    [
        (
            lambda state: sys.exit(3),
            "on_tick raised PluginError('plugin trial: on_tick tried to end the process.')",
        ),
        (
            lambda state: state.heard.append(threading.Lock()),
            "is not called, its state cannot be copied: TypeError",
        ),
    ],
)
def test_whatever_a_hook_does_the_other_trades_go_on(make_trial, deed, fault: str) -> None:
    bad, good = (
        make_trial(),
        make_trial("other", assets=(), metrics=(), verbs=(), authorisations=(), alarms=()),
    )
    good_declared = msgspec.structs.replace(good.declare(), reads=Reads(), events=(), views=())
    good.declare = hookimpl(lambda: good_declared)
    bad.on_tick = hookimpl(lambda state: deed(state))
    post = Post(City.small(), [bad, good])
    post.run(seconds=2.5)
    assert any(fault in said for said in post.faults), post.faults
    assert ("", "plugin_failed") in post.alarms
    assert post.plugins[1].state.ticks == 3
    assert post.plugins[1].errors == 0


def test_proposals_beyond_the_limit_are_dropped_and_counted(make_trial) -> None:
    module = make_trial()

    @hookimpl
    def on_tick(now, name, state):
        return [Raise(asset=i % 30 + 3, code="crowd") for i in range(PROPOSALS_MAX + 5)]

    module.on_tick = on_tick
    post = Post(City.small(), [module])
    post.step()
    assert post.plugins[0].dropped == 5
    assert post.alarms[("", "limit_reached")].data == {"plugin": "trial", "what": "proposals"}


@settings(deadline=None, max_examples=20)
@given(st.lists(st.lists(st.tuples(st.integers(1, 10), st.integers(0, 5)), max_size=5), max_size=15))
def test_the_same_inputs_give_the_same_hash(make_trial, script: list[list[tuple[int, int]]]) -> None:
    digests = []
    for reload in (False, True):
        post = Post(City.small(), [make_trial()], reload=reload)
        for step in script:
            for sensor, value in step:
                post.sample(f"S{sensor:04}", "presence_sensor.presence", value)
            post.step()
        digests.append(post.digest())
    assert digests[0] == digests[1]


def test_another_input_gives_another_hash(make_trial) -> None:
    posts = [Post(City.small(), [make_trial()]) for _ in range(2)]
    for post, value in zip(posts, (1, 2), strict=True):
        post.sample("S0001", "presence_sensor.presence", value)
        post.step()
    assert posts[0].digest() != posts[1].digest()


@pytest.mark.parametrize(
    "lie",
    [
        {"generation": 7},
        {"slot": np.array([10_000], np.uint32)},
        {"value": np.array([np.nan])},
        {"time": np.array([1 << 62])},
        {"count": np.array([0], np.uint32)},
        {"value": np.array([1.0, 2.0])},
    ],
)
def test_a_lying_edge_changes_nothing_and_raises_an_alarm(make_trial, lie: dict) -> None:
    post = Post(City.small(), [make_trial()])
    honest = {
        "edge": "telemetry",
        "generation": 1,
        "slot": np.array([0], np.uint32),
        "value": np.array([1.0]),
        "time": np.array([post.utc]),
        "count": np.array([1], np.uint32),
    }
    before = post.kernel.table.digest()
    post._hand_over = lambda: [HandOver(**honest | lie)]
    post.step()
    post.step()
    assert post.kernel.table.digest() == before
    assert post.kernel.counts["hand_overs_refused"] == 2
    assert post.alarms[("", "edge_refused")].state == "unacked_active"
    post._hand_over = list
    post.run(59)
    assert post.alarms[("", "edge_refused")].state == "unacked_active"
    post.run(2)
    assert post.alarms[("", "edge_refused")].state == "returned_unacked"


def test_a_trouble_of_the_post_is_an_alarm_while_it_lasts(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    trouble = ("witness_away", {"witness": "/mnt/city", "why": "it is gone"})
    post.kernel.step(Now(0, post.utc, 0), Inputs(troubles=[trouble]))
    assert post.alarms[("", "witness_away")].data["why"] == "it is gone"
    post.mono += 1
    post.run(61)
    assert post.alarms[("", "witness_away")].state == "returned_unacked"


def test_alarms_wait_for_their_delays(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    for _ in range(8):
        post.sample("S0001", "presence_sensor.presence", 1)
        post.step()
    assert not post.alarms
    post.run(1)
    assert post.alarms[("L0001", "crowd")].state == "unacked_active"
    assert post.events_of("post.alarm.changed")[0].data.asset == "L0001"


def test_an_added_asset_is_known_without_a_restart(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    attributes = {
        "power_w": 40.0,
        "old_power_w": 100.0,
        "old_hours": 4100.0,
        "lighting_class": "P3",
        "conflict": False,
    }
    post.sample("L0005", "lamp.level", 33)
    post.step()
    change = AssetChange(
        change="added",
        id="L9999",
        at_utc=post.utc,
        kind="lamp",
        lon=5.04,
        lat=47.32,
        parent="A0001",
        gateway="gw-A0001",
        attributes=attributes,
    )
    post.change(change)
    post.sample("L9999", "lamp.level", 44)
    post.step()
    column = post.kernel.table.column("lamp.level")
    assert column.value[-1] == 44
    assert 33 in column.value
    post.change(AssetChange(change="retired", id="L9999", at_utc=post.utc))
    assert not post.kernel.city.assets.in_service()[-1]
    told = post.events_of("post.asset.changed")
    assert [(e.data.change, e.data.asset, e.data.revision) for e in told] == [
        ("added", "L9999", 1),
        ("retired", "L9999", 2),
    ]
    assert told[0].communes == (0,)
    assert [record.kind for record in post.journal.records].count("asset") == 2


def test_a_change_that_a_trade_cannot_serve_is_refused_and_nothing_is_changed(make_trial) -> None:
    @hookimpl
    def prepare(city):
        if city.assets.attribute("lamp", "power_w").max() > 1000:
            raise ValueError("no lamp has so much power")

    module = make_trial()
    module.prepare = prepare
    post = Post(City.small(), [module])
    post.step()
    before, state = post.digest(), post.plugins[0].state
    strong = AssetChange(change="changed", id="L0001", at_utc=post.utc, attributes={"power_w": 2000.0})
    weak = AssetChange(change="changed", id="L0002", at_utc=post.utc, attributes={"power_w": 2.0})
    with pytest.raises(CityError, match="no lamp has so much power"):
        post.change(weak, strong)
    assert post.digest() == before
    assert post.plugins[0].state is state
    assert post.kernel.city.assets.revision == 0
    assert post.kernel.city.assets.attribute("lamp", "power_w")[1] != 2.0
    assert not post.events_of("post.asset.changed")
    assert not [record for record in post.journal.records if record.kind == "asset"]


def test_a_change_in_the_future_is_refused(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    with pytest.raises(CityError, match="lies in the future"):
        post.change(AssetChange(change="retired", id="L0001", at_utc=post.utc + 3600 * SECOND))


def test_more_assets_than_the_table_has_room_for_are_refused(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    room = post.kernel.table.slots.capacity - post.kernel.numbering.slots

    def sensors(n: int) -> list[AssetChange]:
        return [
            AssetChange(
                change="added",
                id=f"N{i}",
                at_utc=post.utc,
                kind="presence_sensor",
                lon=5.04,
                lat=47.32,
                attributes={"range_m": 5.0},
            )
            for i in range(n)
        ]

    with pytest.raises(CityError, match="Restart the post"):
        post.change(*sensors(room + 1))
    post.change(*sensors(room))
    assert post.kernel.numbering.slots == post.kernel.table.slots.capacity


def test_an_event_with_a_position_lies_in_its_commune(make_trial) -> None:
    module = make_trial()
    echo = module.declare().reads.events["trial.echo"]

    @hookimpl
    def on_tick():
        return [Emit(kind="trial.echo", data=echo(1), lon=lon, lat=47.32) for lon in (5.04, 5.05, 7.0)]

    module.on_tick = on_tick
    post = Post(City.small(), [module])
    post.step()
    assert [event.communes for event in post.events_of("trial.echo")] == [(0,), (1,), ()]


def test_commands_end_failed_or_unknown(make_trial) -> None:
    post = Post(City.small(), [make_trial()], answers=False)
    post.sample("S0001", "presence_sensor.presence", 1)
    post.step()
    post.report("gw-A0001", 1, [(1, Fault(1, "lamp_dead"))])
    post.step()
    ended = post.events_of("post.command.ended")[0].data
    assert (ended.state, ended.failed) == ("failed", 1)
    post.sample("S0001", "presence_sensor.presence", 1)
    post.run(17)
    assert post.events_of("post.command.ended")[1].data.state == "unknown"


def test_answers_to_another_kernels_orders_end_no_command_of_this_one(make_trial) -> None:
    post = Post(City.small(), [make_trial()], answers=False)
    post.sample("S0001", "presence_sensor.presence", 1)
    post.step()
    post._reports.append(("gw-A0001", Reports(post.journal.generation - 1, 50, 50)))
    post.step()
    assert post.kernel.commands.stale_reports == 1
    assert post.kernel.counts["reports_refused"] == 0
    assert len(post.kernel.commands.open) == 1
    post.report("gw-A0001", 1)
    post.step()
    assert not post.kernel.commands.open


@pytest.mark.parametrize(("epoch", "executed"), [(0, 2), (0, 2**63 - 1), (7, 1)])
def test_answers_to_orders_that_were_never_given_are_refused(make_trial, epoch: int, executed: int) -> None:
    post = Post(City.small(), [make_trial()], answers=False)
    post.sample("S0001", "presence_sensor.presence", 1)
    post.step()
    post._reports.append(("gw-A0001", Reports(post.journal.generation + epoch, executed, executed)))
    post.step()
    assert post.kernel.counts["reports_refused"] == 1
    assert "was never given" in post.faults[0]
    assert len(post.kernel.commands.open) == 1


def test_what_the_door_refused_of_an_edge_raises_the_alarm(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    now = Now(0, post.utc, 0)
    outputs = post.kernel.step(now, Inputs(lies=[("telemetry", "5 slots in buffer 9.")]))
    assert outputs.faults == ["edge telemetry: 5 slots in buffer 9."]
    assert list(post.kernel.alarms.load(()).active) == ["edge_refused"]


def test_a_release_goes_out_long_after_its_command_was_executed(make_trial) -> None:
    module = make_trial()
    asked = [
        Command(verb="lamp.dim", targets=np.array([3, 20]), values=np.full(2, 90.0), lease_s=600, reason=""),
        Release(verb="lamp.dim", targets=np.array([3]), reason="nobody is there"),
    ]
    module.on_tick = hookimpl(lambda now, name, state: [asked.pop(0)] if asked else [])
    post = Post(City.small(), [module])
    post.run(1.5)
    assert not post.kernel.commands.open
    assert [order.lease_ms for _, order in post.orders] == [600_000, 600_000, 0]
    assert post.orders[-1][1].targets()[0].tolist() == [post.kernel.city.assets.wire_index[3]]
    assert not post.faults


def test_a_refused_handshake_is_an_event(make_trial) -> None:
    post = Post(City.small(), [make_trial()])
    knock = HandshakeRefused("events", "revoked", "0123456789abcdef", "gw-1", 3)
    outputs = post.kernel.step(Now(0, post.utc, 0), Inputs(knocks=[knock]))
    assert [event.data for event in outputs.events if event.kind == "post.handshake.refused"] == [knock]
