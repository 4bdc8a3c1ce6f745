from __future__ import annotations

import numpy as np

from adapters.simulator.cabinets import JOULES_PER_KWH, Cabinets
from adapters.simulator.settings import Settings
from adapters.simulator.simulation import Simulation
from adapters.simulator.world import TICK_S
from core.city import City


def test_a_meter_is_the_integral_of_power_within_its_class(
    city: City, settings: Settings, evening: int
) -> None:
    simulation = Simulation(city, settings, 3)
    simulation.begin(evening)
    cabinets, parent = simulation.cabinets, city.assets.parent[city.assets.of_kind("lamp")]
    first = cabinets.register_kwh()
    joules = np.zeros(len(cabinets))
    for tick in range(evening, evening + 200):
        if tick == evening + 50:
            simulation.lamps.order(np.arange(100), np.full(100, 20.0), 1 << 62)
        simulation.step(tick)
        for i, cabinet in enumerate(city.assets.of_kind("cabinet")):
            joules[i] += simulation.lamps.power_w[parent == cabinet].sum() * TICK_S
    np.testing.assert_allclose(cabinets.true_j, joules)
    used = cabinets.register_kwh() - first
    np.testing.assert_allclose(used, cabinets.metered_kwh(), atol=1e-9)
    class_pct = city.assets.attribute("cabinet", "meter_class_pct", np.float64)
    lit = joules > 0
    error = used[lit] / (joules[lit] / JOULES_PER_KWH) - 1
    assert np.all(np.abs(error) <= class_pct[lit] / 100 + 1e-6)
    assert len(np.unique(error.round(6))) > 1


def test_lamps_without_a_cabinet_are_not_metered() -> None:
    cabinets = Cabinets(np.array([0, 1, 2]), np.zeros(2), np.zeros(2))
    cabinets.step(np.array([10.0, 20.0, 40.0]), 3.0)
    assert cabinets.true_j.tolist() == [30.0, 60.0]
