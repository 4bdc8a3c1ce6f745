"""What a running post recorded is taken again, over a kernel that was killed, and comes to the same."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.cli.main import main
from core import replay as replays


def replay(data: Path, *arguments: str) -> Result:
    folder = Path(__file__).with_name("plugins")
    return CliRunner().invoke(main, ["replay", str(data), "--plugin-folder", str(folder), *arguments])


def live(post: Any, seconds: float) -> None:
    """People walk, doors open, levels change."""
    end, n = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        post.present("S0001")
        post.levels(n % 100)
        post.gateways[0].emit("watch.door.opened", {"code": n})
        for _ in range(10):
            post.turn()
            time.sleep(0.01)
        n += 1


def test_it_comes_to_the_same_before_and_after_a_kill_and_names_the_gap(post: Any) -> None:
    post.start()
    live(post, 3)
    first = post.status.generation
    post.kill("kernel")
    post.until(lambda: post.status.generation > first and post.together(), "all are together again")
    live(post, 3)
    post.stop()
    result = json.loads(replay(post.run.data, "--json").output)
    assert result["same"]
    assert [stretch["run"] for stretch in result["stretches"]] == [first, first + 1]
    assert all(stretch["steps"] > 20 for stretch in result["stretches"])
    (gap,) = result["gaps"]
    assert "the post was started again" in gap
    told = replay(post.run.data)
    assert told.exit_code == 0
    assert "bit for bit the same" in told.output
    assert "Gap: nothing is known of" in told.output
    last = replays.segments(post.run.data)[-1]
    part = last.name[:8]
    nothing = replay(post.run.data, "--to", f"{int(part[:4]) - 1}-01-01T00:00:00+00:00")
    assert nothing.exit_code == 65
    assert "no step was recorded in that time" in nothing.output


def test_what_does_not_come_to_the_same_is_shown_and_exits_1(
    post: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.start()
    live(post, 2)
    post.stop()
    inner = replays.Segment.kernel

    def other(self: Any, *arguments: Any) -> Any:
        kernel = inner(self, *arguments)
        # The next command gets another number.
        kernel.commands.number()
        return kernel

    monkeypatch.setattr(replays.Segment, "kernel", other)
    told = replay(post.run.data)
    assert told.exit_code == 1
    assert "NOT the same" in told.output
