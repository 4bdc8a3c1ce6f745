"""A recorded time lived with something else in it: what changes is what was changed, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from core import fork, plugins, recorder, replay
from core.errors import CityError, ConfigError, PluginError, RecordError, StateError
from core.fork import Difference, Figures
from ondijon import Imagined, Kpi, Metric, hookimpl
from tests.core.conftest import T, trial
from tests.core.test_replay import Recorded

AS_SET = Difference()
DARK = {"rules": [{"start": "22:00", "end": "05:30", "level_pct": 0, "order": "what if"}]}


def evening(recorded: Recorded, minutes: int = 3) -> None:
    """Somebody walks by now and then; lamps and meters say what they do."""
    post = recorded.post
    post.run(15)
    for n in range(minutes * 2):
        for sensor in range(10):
            post.sample(f"S{sensor + 1:04}", "presence_sensor.alive", 1)
        post.sample(f"S{n % 10 + 1:04}", "presence_sensor.presence", 1)
        for cabinet in ("A0001", "A0002", "A0003"):
            post.sample(cabinet, "cabinet.energy", n * 0.01)
            post.sample(cabinet, "cabinet.power", 1000)
        post.run(30)


def lived(recorded: Recorded, difference: Difference = AS_SET, **given: Any) -> Figures:
    recorded.recorder.close()
    return fork.live(
        replay.segments(recorded.data),
        recorded.post.journal.read,
        lambda names: plugins.load(names, modules=given.get("modules", recorded.trades)),
        difference,
        given.get("until"),
    )


def programme(kind: str, content: dict[str, Any], zone: str = "") -> Difference:
    return Difference(programmes=((kind, zone, msgspec.msgpack.encode(content)),))


@pytest.fixture(name="night", scope="module")
def _night(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    recorded = Recorded(tmp_path_factory.mktemp("night"))
    evening(recorded)
    return recorded


def test_without_a_difference_it_comes_to_what_was(night: Recorded) -> None:
    figures = lived(night)
    there = night.post.views["lighting.energy"]["city"]
    assert figures.kpis["lighting.modelled_kwh"] == pytest.approx(there.modelled_kwh, rel=0.05)
    assert figures.kpis["lighting.sightings"] == 6
    assert figures.counts["commands lamp.dim"] > 0
    assert not [name for name in figures.counts if name.startswith("alarms")], "nobody's answers are missed"
    assert figures.faults == []
    assert figures.steps == pytest.approx((figures.last - figures.first) / fork.GRID, abs=2)


def test_it_comes_to_the_same_each_time(night: Recorded) -> None:
    first, second = lived(night), lived(night)
    second.seconds = first.seconds
    assert first == second


def test_a_setting_changes_what_it_sets(night: Recorded) -> None:
    as_set = lived(night)
    longer = lived(night, Difference(settings={"lighting": {"presence": {"hold_s": 120}}}))
    assert longer.kpis["lighting.modelled_kwh"] > as_set.kpis["lighting.modelled_kwh"] * 1.01
    assert longer.kpis["lighting.always_on_kwh"] == as_set.kpis["lighting.always_on_kwh"]
    assert longer.kpis["lighting.sightings"] == as_set.kpis["lighting.sightings"]


def test_a_programme_is_in_force_from_the_beginning_and_nothing_is_called_broken(night: Recorded) -> None:
    as_set, dark = lived(night), lived(night, programme("lighting.calendar", DARK))
    assert dark.kpis["lighting.calendar_kwh"] < as_set.kpis["lighting.calendar_kwh"] / 2
    assert not [name for name in dark.counts if name.startswith("alarms")]
    assert dark.faults == as_set.faults


def test_it_can_end_before_the_record_does(night: Recorded) -> None:
    whole = lived(night)
    part = lived(night, until=whole.first + 60_000_000)
    assert 58_000_000 <= part.last - part.first <= 60_000_000


def test_what_cannot_be_is_refused_with_a_sentence(night: Recorded) -> None:
    with pytest.raises(ConfigError, match="hold_s"):
        lived(night, Difference(settings={"lighting": {"presence": {"hold_s": "long"}}}))
    with pytest.raises(ConfigError, match="hold"):
        lived(night, Difference(settings={"lighting": {"presence": {"hold": 40}}}))
    with pytest.raises(CityError, match="nobody declares"):
        lived(night, programme("lighting.moon", {}))
    with pytest.raises(CityError, match=r"it is no lighting\.calendar"):
        lived(night, programme("lighting.calendar", {"level": 3}))
    with pytest.raises(CityError, match="no commune"):
        lived(night, programme("lighting.calendar", {"level_pct": 50}, "Atlantis"))


def test_tables_are_merged_key_by_key() -> None:
    recorded = {"lighting": {"presence": {"hold_s": 30, "hops": 3}, "depression_deg": 3.0}, "other": {"a": 1}}
    assert fork.merged(recorded, {"lighting": {"presence": {"hops": 5}}}) == {
        "lighting": {"presence": {"hold_s": 30, "hops": 5}, "depression_deg": 3.0},
        "other": {"a": 1},
    }


def test_what_is_damaged_is_a_gap_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SEGMENT", 60_000_000)
    recorded = Recorded(tmp_path)
    evening(recorded)
    recorded.recorder.close()
    whole = lived(recorded)
    assert whole.gaps == []
    first, second, *_ = replay.segments(recorded.data)
    data = second.read_bytes()
    second.write_bytes(data[: len(data) // 2] + bytes(100) + data[len(data) // 2 :])
    damaged = lived(recorded)
    assert any("it is damaged" in gap and second.name in gap for gap in damaged.gaps)
    assert any("were not recorded" in gap for gap in damaged.gaps)
    assert damaged.last == whole.last
    assert damaged.steps < whole.steps
    first.write_bytes(first.read_bytes()[:1000])
    late = lived(recorded)
    assert "it ends before its keyframe" in late.gaps[0]
    assert (late.first > whole.first, late.last) == (True, whole.last)


def test_where_nothing_can_be_read_a_sentence_says_why(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.post.run(1)
    recorded.recorder.close()
    (only,) = replay.segments(recorded.data)
    only.write_bytes(b"something else")
    with pytest.raises(RecordError, match=r"nothing of it can be read.*it is no segment"):
        lived(recorded)


LEVEL = Metric(name="lamp.level", kind="lamp", unit="%", low=0, high=100, answers=True, text=T)
SEEN = Metric(
    name="presence_sensor.presence",
    kind="presence_sensor",
    unit="1",
    low=0,
    high=1000,
    stale_after_s=60,
    text=T,
)
WORN = Metric(name="lamp.wear", kind="lamp", unit="1", low=0, high=1000, text=T)
KPI = Kpi(name="trial.seen", view="trial.row", field="seen", unit="", text=T)


def test_a_plugin_of_another_version_has_other_slots_and_sees_the_same(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, trial(metrics=(LEVEL, SEEN), kpis=(KPI,)))
    post = recorded.post
    post.step()
    for n in range(1, 6):
        post.sample(f"S{n:04}", "presence_sensor.presence", n)
        post.sample(f"L{n:04}", "lamp.level", 10.0 * n)
        post.run(1)
    newer = trial(metrics=(WORN, SEEN, LEVEL), kpis=(KPI,))
    inner, seen = newer.on_batch, {}

    @hookimpl
    def on_batch(now, batch, fixed, state):
        rows = batch.of("presence_sensor.presence")
        seen.update(zip(rows.asset.tolist(), rows.value.tolist(), strict=True))
        return inner(now, batch, fixed, state)

    newer.on_batch = on_batch
    figures = lived(recorded, modules={"trial": newer})
    assert figures.faults == []
    assert seen == {33: 1, 34: 2, 35: 3, 36: 4, 37: 5}
    assert figures.kpis == {"trial.seen": pytest.approx(15 - 1, abs=2)}


def test_what_answers_is_what_the_trade_imagines(tmp_path: Path) -> None:
    module = trial(metrics=(LEVEL, SEEN))

    @hookimpl
    def imagine(fixed):
        lamps = np.arange(3, 33, dtype=np.uint32)
        return [Imagined("lamp.level", lamps, np.full(30, 42.0))]

    read: list[float] = []

    @hookimpl
    def on_tick(table):
        read.append(float(table.column("lamp.level").value[0]))

    module.imagine, module.on_tick = imagine, on_tick
    recorded = Recorded(tmp_path, module)
    recorded.post.sample("L0001", "lamp.level", 10)
    recorded.post.run(4)
    assert read[-1] == 10
    lived(recorded)
    assert read[-1] == 42


def test_a_trade_that_cannot_imagine_says_nothing_and_the_rest_goes_on(tmp_path: Path) -> None:
    module = trial(metrics=(LEVEL, SEEN))
    recorded = Recorded(tmp_path, module)
    recorded.post.run(4)
    for told, said in (
        (lambda: 1 / 0, "ZeroDivisionError"),
        (
            lambda: [Imagined("presence_sensor.presence", np.arange(33, 43), np.zeros(10))],
            "no metric of its own",
        ),
        (lambda: [Imagined("lamp.level", np.arange(40), np.zeros(40))], "is of lamps, one value each"),
        (lambda: [Imagined("lamp.level", np.arange(3, 33), np.zeros(9))], "is of lamps, one value each"),
    ):
        module.imagine = hookimpl(told)
        figures = lived(recorded)
        assert figures.steps > 1
        (fault,) = figures.faults
        assert "plugin trial: imagine raised" in fault
        assert said in fault


def test_a_trade_that_cannot_migrate_is_named(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, trial())
    recorded.post.run(1)
    newer = trial(state_version=2)
    with pytest.raises(StateError, match=r"plugin trial: .*has no `migrate`"):
        lived(recorded, modules={"trial": newer})

    @hookimpl
    def migrate(state, version):
        raise KeyError("seen")

    newer.migrate = migrate
    with pytest.raises(PluginError, match=r"migrate\(\) raised KeyError"):
        lived(recorded, modules={"trial": newer})
