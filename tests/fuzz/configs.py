"""The configuration file: ConfigError naming the file, or a configuration."""

from __future__ import annotations

from core import config
from core.errors import ConfigError
from tests.fuzz.target import Target, written

GOOD = """version = 1
[post]
city = "city"
data = "data"
plugins = ["lighting"]
plugin_folder = "plugins"
step_ms = 50
seed = 3
[time]
speed = 20.0
start = 2026-01-15T23:30:00+01:00
[edges]
address = "127.0.0.1"
telemetry_port = 5701
memory_mib = 512
sessions = 4096
slots = 1_000_000
[health]
port = 9470
[plugins.lighting]
level = 0x10
[adapters.console]
rows = [{a = 1}, {a = 'b', c = 07:32:00}]
"""


def check(data: bytes) -> None:
    """Load ``data``."""
    path = written("post.toml", data)
    try:
        loaded = config.load(path)
    except ConfigError as error:
        assert "post.toml" in str(error)
    else:
        assert loaded.version == config.VERSION
        assert loaded.post.city.is_absolute()
        assert 0 < loaded.time.speed < float("inf")


def seeds() -> list[bytes]:
    """A file with every table, and with what a person mistypes."""
    changes = [
        ("speed = 20.0", "speed = inf"),
        ("seed = 3", "seed = " + "9" * 4400),
        ('"city"', '"c\\u0000"'),
    ]
    changes += [
        ("= 3", "= " + "[" * 1500),
        ("version = 1", "version = true"),
        ("step_ms = 50", "step_ms = -0"),
    ]
    return [GOOD.encode(), *(GOOD.replace(*change).encode() for change in changes), "a = é".encode("latin-1")]


TARGET = Target("configs", check, seeds, longest=6000)
