"""Configuration errors: file, key, what is wrong, what is expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import config
from core.errors import ConfigError

GOOD = """
version = 1
[post]
city = "city"
data = "/var/lib/ondijon"
plugins = ["lighting"]
[plugins.lighting]
"""


def load(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "post.toml"
    path.write_text(text)
    return config.load(path)


def test_a_good_file_and_its_relative_folders(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)
    assert loaded.post.city == tmp_path / "city"
    assert loaded.post.data == Path("/var/lib/ondijon")
    assert loaded.post.step_ms == 50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"post.toml: version is None, this post reads 1"),
        ("version = 2", r"version is 2, this post reads 1"),
        ("version = ", r"not TOML"),
        ("version = 1", r"missing required field `post`.*Known keys: version, post"),
        (
            GOOD.replace('city = "city"', ""),
            r"missing required field `city` - at `\$.post`.*Known keys: city, data",
        ),
        (GOOD.replace('"city"', "3"), r"expected .*path.* at `\$.post.city`|Expected `str`.*post.city"),
        (GOOD.replace("[post]", "[post]\nstep_ms = 1"), r">= 5 - at `\$.post.step_ms`"),
        (GOOD.replace("[post]", "[post]\nsteps = 1"), r"unknown field `steps` - at `\$.post`"),
        (GOOD.replace("[plugins.lighting]", "[plugins.snow]"), r"\[plugins.snow\] configures a plugin that"),
        (GOOD.replace('["lighting"]', '["lighting", "lighting"]'), r"names a plugin twice"),
        (GOOD + "[edges]\ntelemetry_port = 70000", r"<= 65535 - at `\$.edges.telemetry_port`"),
        (GOOD + "[time]\nspeed = 0", r"> 0.0 - at `\$.time.speed`"),
        (GOOD + "[time]\nspeed = inf", r"<= 10000.0 - at `\$.time.speed`"),
        ("a = " + "9" * 5000, r"not TOML"),
        ("a = " + "[" * 5000, r"not TOML"),
    ],
)
def test_errors_teach(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(tmp_path, text)
    assert caught.value.exit_status == 78
    assert "post.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        config.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.7", False),
        ("*", False),
    ],
)
def test_without_curve_only_this_machine_may_reach_the_post(tmp_path: Path, address: str, may: bool) -> None:
    text = f'{GOOD}[security]\ncurve = false\n[edges]\naddress = "{address}"\n'
    if may:
        assert not load(tmp_path, text).security.curve
        return
    with pytest.raises(ConfigError, match="curve = false") as error:
        load(tmp_path, text)
    assert 'address = "127.0.0.1"' in error.value.next
