"""Trades in processes of their own: the same city, whatever such a process does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapters.cli.main import main
from core.config import from_table
from tests.live.conftest import PLUGINS, Post
from tests.live.plugins import nasty


@pytest.fixture(name="post")
def _post(tmp_path: Path, table: Callable[..., dict[str, Any]], city_folder: Path) -> Iterator[Post]:
    """A post whose two trades run in workers."""
    data = tmp_path / "data"
    post = {
        "city": str(city_folder),
        "data": str(data),
        "plugins": ["watch", "nasty"],
        "plugin_folder": str(PLUGINS),
    }
    workers = {"plugins": {"nasty": {"memory_mib": 200, "answer_s": 2}}}
    made = Post(from_table(table(data, post=post, workers=workers), "the test", tmp_path), tmp_path / "run")
    yield made
    made.stop()


def opened(post: Post, *codes: int) -> None:
    for code in codes:
        post.gateways[0].emit("watch.door.opened", {"code": code})


def outlived(post: Post) -> list[int]:
    return [data["code"] for data in post.journaled("nasty.code.outlived")]


def test_a_trade_in_a_worker_sees_and_does_what_it_does_in_the_kernel(post: Post) -> None:
    post.start()
    post.levels(20)
    post.until(lambda: post.shows(20), "it shows all levels")
    post.present("S0001")
    post.until(lambda: post.orders, "it lights where somebody walks")
    opened(post, 1, 2, 3)
    post.until(lambda: post.view("watch.doors").get("codes") == [1, 2, 3], "it hears the doors")
    post.kill("worker-watch")
    post.levels(30)
    post.until(lambda: post.shows(30), "the next one sees the city")
    opened(post, 4)
    post.until(
        lambda: post.view("watch.doors").get("codes") == [1, 2, 3, 4], "and knows what the last one knew"
    )
    post.kill("kernel")
    post.until(post.together, "all are together again")
    opened(post, 5)
    post.until(lambda: post.view("watch.doors").get("codes") == [1, 2, 3, 4, 5], "also under another kernel")
    assert post.status.workers["watch"].state == "running"
    post.stop()
    # What workers answered is recorded: a replay runs none.
    asked = ["replay", str(post.run.data), "--plugin-folder", str(PLUGINS)]
    again = CliRunner().invoke(main, asked)
    assert again.exit_code == 0, again.output
    fork = CliRunner().invoke(main, [*asked, "--other-plugins", str(PLUGINS)])
    assert fork.exit_code == 0, fork.output
    assert "A worker ran watch, nasty; in both lives it is called in the steps" in " ".join(
        fork.output.split()
    )


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (nasty.EXIT, "it died"),
        (nasty.HANG, "it did not answer for 2 s"),
        (nasty.LEAK, "MiB of memory|it died"),
    ],
    ids=["exit", "hang", "leak"],
)
def test_what_kills_a_worker_twice_is_put_aside_and_the_rest_goes_on(post: Post, code: int, why: str) -> None:
    post.start()
    opened(post, 1, code, 2)
    post.until(lambda: outlived(post)[-1:] == [2], "what came after it is done")
    # What killed it was tried again in halves: the one of the two that killed it again is what is left out.
    assert len(post.journaled("post.worker.put_aside")) == 1
    ended = post.journaled("post.worker.ended")
    assert len(ended) == 2
    assert all(re.search(why, each["why"]) for each in ended), ended
    post.until(
        lambda: post.view("watch.doors").get("codes") == [1, code, 2], "the other trade heard all of it"
    )
    assert post.process("kernel").figures.starts == 1


def test_what_a_hook_does_wrong_costs_its_proposals_and_nothing_else(post: Post) -> None:
    post.start()
    for n, code in enumerate((nasty.RAISE, nasty.NONSENSE), 1):
        opened(post, code)
        post.until(lambda n=n: len(post.journaled("post.plugin.failed")) == n, f"{code} is told")
    opened(post, 7)
    post.until(lambda: outlived(post) == [7], "it goes on")
    assert post.process("worker-nasty").figures.starts == 1
    opened(post, nasty.MANY)
    post.until(lambda: len(outlived(post)) > 1, "it proposes too much")
    assert len(outlived(post)) <= 1 + 1000


def test_one_that_ends_again_and_again_waits_for_a_person(post: Post) -> None:
    post.start()
    for n in (2, 4, 5):
        opened(post, nasty.EXIT)
        post.until(lambda n=n: len(post.journaled("post.worker.ended")) == n, f"it ended {n} times")
    ended = post.journaled("post.worker.ended")
    assert [each["held"] for each in ended] == [False] * 4 + [True]
    post.until(lambda: "worker_held" in post.status.alarms.active, "it is an alarm")
    opened(post, 8)
    post.kill("kernel")
    post.until(post.together, "all are together again")
    post.until(lambda: "worker_held" in post.status.alarms.active, "also under another kernel")
    assert outlived(post) == []
