import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.cityimport import synthesis
from core.assets import NONE
from core.city import STREET_CLASSES


@st.composite
def lit_streets(draw):
    """Lamps of some streets in some communes: x, y, commune, edge, offset."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lamps_of = draw(st.lists(st.integers(1, 200), min_size=1, max_size=40))
    edge = np.repeat(np.arange(len(lamps_of), dtype=np.uint32), lamps_of)
    edge[rng.random(len(edge)) < draw(st.sampled_from((0.0, 0.05, 1.0)))] = NONE
    start = rng.uniform(0, 4000, (len(lamps_of), 2))
    offset = np.concatenate([np.arange(n) * 30.0 for n in lamps_of])
    xy = np.repeat(start, lamps_of, axis=0) + np.column_stack([offset, rng.normal(0, 5, len(edge))])
    commune = (xy[:, 0] // draw(st.sampled_from((700.0, 3000.0, 99999.0)))).astype(np.uint16)
    return xy[:, 0], xy[:, 1], commune, edge, offset


@settings(max_examples=60, deadline=None)
@given(lit_streets())
def test_cabinets_feed_neighbours_of_one_commune_and_never_too_many(lit):
    x, y, commune, edge, offset = lit
    cabinet = synthesis.cabinets(x, y, commune, edge, offset)
    size = np.bincount(cabinet)
    assert size.min() >= 1
    assert size.max() <= synthesis.CABINET_LIMIT
    for each in range(len(size)):
        assert len(np.unique(commune[cabinet == each])) == 1


def test_cabinets_are_of_the_usual_size_and_keep_a_short_street_together():
    edge = np.repeat(np.arange(600, dtype=np.uint32), 8)
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 5000, (600, 2))
    offset = np.tile(np.arange(8) * 30.0, 600)
    xy = np.repeat(corner, 8, axis=0) + np.column_stack([offset, np.zeros(4800)])
    cabinet = synthesis.cabinets(*xy.T, np.zeros(4800, np.uint16), edge, offset)
    size = np.bincount(cabinet)
    assert size.mean() == pytest.approx(synthesis.CABINET_LAMPS, rel=0.1)
    assert all(len(np.unique(cabinet[edge == e])) == 1 for e in range(600))
    spread = [np.ptp(xy[cabinet == c], axis=0).max() for c in range(len(size))]
    assert max(spread) < 1800  # a cabinet is a quarter, not the town


def test_one_lamp_gets_a_cabinet():
    one = np.zeros(1)
    assert synthesis.cabinets(one, one, one.astype(np.uint16), one.astype(np.uint32), one).tolist() == [0]


def test_a_street_section_has_one_power_and_a_conflict_area_its_own_class():
    edge = np.array([0, 0, 1, 1, NONE], np.uint32)
    conflict = np.array([False, True, False, True, False])
    rng = np.random.default_rng(0)
    lit = synthesis.lighting(rng, edge, np.array([0, 3], np.uint8), conflict, [""] * 5)
    assert lit.lighting_class == ["M3", "C2", "P4", "C5", "P5"]
    assert lit.power_w[0] == lit.power_w[1] > lit.power_w[2] == lit.power_w[3]
    assert np.all(lit.old_power_w > 2 * lit.power_w)


def test_the_lantern_type_decides_where_it_is_known():
    edge = np.zeros(4, np.uint32)
    types = ["PROJECTEUR", "ENCASTRE", "Borne colonne", "LANTERNE"]
    lit = synthesis.lighting(
        np.random.default_rng(0), edge, np.array([3], np.uint8), np.zeros(4, bool), types
    )
    assert lit.power_w[:3].tolist() == [72.0, 12.0, 15.0]
    assert 28.0 <= lit.power_w[3] <= 38.0


def test_sensors_stand_on_a_fifth_of_local_and_collector_lamps_only():
    edge = np.repeat(np.arange(500, dtype=np.uint32), 8)
    edge_class = (np.arange(500) % 5).astype(np.uint8)
    offset = np.tile(np.arange(8) * 30.0, 500)
    lamps, range_m = synthesis.sensors(np.random.default_rng(0), edge, offset, edge_class)
    allowed = {STREET_CLASSES.index("collector"), STREET_CLASSES.index("local")}
    assert set(edge_class[edge[lamps]].tolist()) == allowed
    assert len(lamps) / (4000 * 2 / 5) == pytest.approx(0.2, rel=0.15)
    assert np.all(np.diff(lamps) > 0)
    assert np.all(range_m > 0)
    same_street = np.diff(lamps)[np.diff(edge[lamps].astype(int)) == 0]
    assert np.all(same_street == synthesis.SENSOR_EVERY)


def test_lamps_on_no_street_carry_no_sensor():
    lamps, _ = synthesis.sensors(
        np.random.default_rng(0), np.full(30, NONE, np.uint32), np.zeros(30), np.array([3], np.uint8)
    )
    assert len(lamps) == 0
