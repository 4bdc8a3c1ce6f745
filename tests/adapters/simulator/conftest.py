"""A small generated city, made once, and evenings to simulate."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from adapters.cityimport.command import generate_city
from adapters.simulator.settings import Faults, Movers, Settings
from adapters.simulator.world import TICK_US
from core.city import City, load


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    folder: Path = tmp_path_factory.mktemp("simulated") / "city"
    generate_city(folder, 7, lamps=600)
    return load(folder)


@pytest.fixture
def settings() -> Settings:
    """Many people and many faults: short tests must see some of each."""
    return Settings(
        processes=1,
        movers=Movers(activity=3.0),
        faults=Faults(lamp_share=0.05, sensor_share=0.1, gateway_a_day=0.5, feeder_a_day=0.5),
    )


@pytest.fixture
def evening() -> int:
    """The tick of 20 November 2026, 21:30 in Dijon."""
    at = datetime.datetime(2026, 11, 20, 20, 30, tzinfo=datetime.UTC)
    return int(at.timestamp()) * 1_000_000 // TICK_US
