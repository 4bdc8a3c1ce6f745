"""Configurations that cannot work, through the command: file, key, what is expected, and exit status 78."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WRONG: list[tuple[Callable[[str], str], list[str]]] = [
    (lambda _: "version = 1", ["post.toml", "`post`", "Known keys: version, post"]),
    (lambda _: "version = ", ["post.toml", "not TOML"]),
    (
        lambda text: text.replace("version = 1", "version = 9"),
        ["post.toml", "version is 9, this post reads 1"],
    ),
    (lambda text: text.replace("[post]", "[post]\nstep_ms = 1"), ["post.toml", "$.post.step_ms", ">= 5"]),
    (lambda text: text.replace("[post]", "[post]\nsteps = 1"), ["post.toml", "`steps`", "step_ms"]),
    (
        lambda text: text.replace('["watch"]', '["watch", "nobody"]'),
        ["plugin nobody", "Installed are: allo_mairie, coordination, lighting, police, roads, tours"],
    ),
    (lambda text: text + "[plugins.watch]\ncolour = 1\n", ["[plugins.watch]", "`colour`"]),
    (lambda text: text + "[plugins.snow]\n", ["post.toml", "[plugins.snow]", "plugins in [post]"]),
    (
        lambda text: text + "[adapters.nobody]\n",
        ["[adapters.nobody]", "Installed are: console, history, login, papers, simulator"],
    ),
    (
        lambda text: text + '[adapters.console]\nport = "x"\n',
        ["[adapters.console]", "$.port", "address, port"],
    ),
    (lambda text: text + "[edges]\ntelemetry_port = 70000\n", ["$.edges.telemetry_port", "<= 65535"]),
    (lambda text: text + "[time]\nspeed = 0\n", ["$.time.speed", "> 0"]),
]


@pytest.mark.parametrize(("change", "named"), WRONG, ids=[named[-1] for _, named in WRONG])
@pytest.mark.parametrize("command", ["check", "run"])
def test_what_is_wrong_is_named(
    write: Any, quick: Any, command: str, change: Callable[[str], str], named: list[str]
) -> None:
    file = write()
    file.write_text(change(file.read_text()))
    ended = quick(*([command, file] if command == "check" else [command, "--config", file]))
    assert ended.exit_code == 78, ended.output
    for words in named:
        assert words in ended.output
    assert not (file.parent / "data").exists(), "nothing was started"


def test_a_wrong_file_through_the_real_command(write: Any, ondijon: Any) -> None:
    file: Path = write()
    file.write_text(file.read_text().replace("[post]", "[post]\nsteps = 1"))
    for arguments in (["check", file], ["run", "--config", file]):
        ended = ondijon(*arguments)
        assert ended.returncode == 78
        assert "Traceback" not in ended.stderr
        assert "`steps`" in ended.stderr


def test_a_city_that_is_none_is_named(write: Any, quick: Any, tmp_path: Path) -> None:
    file = write()
    file.write_text(
        "\n".join(
            f'city = "{tmp_path}/nowhere"' if r.startswith("city") else r
            for r in file.read_text().splitlines()
        )
    )
    ended = quick("run", "--config", file)
    assert ended.exit_code in (65, 78), ended.output
    assert "nowhere" in ended.output


def test_a_right_file_is_right(write: Any, quick: Any) -> None:
    ended = quick("check", write())
    assert ended.exit_code == 0, ended.output
    assert "right. Plugins: watch. Adapters: none." in ended.output


def test_top_says_when_nothing_runs(quick: Any, tmp_path: Path) -> None:
    assert quick("top", "--once").exit_code == 78
    ended = quick("top", tmp_path, "--once")
    assert ended.exit_code == 78
    assert "no run here" in ended.output
