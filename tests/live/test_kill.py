"""kill -9 of each process, while the others run and gateways go on sending."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest


def levels_arrive(post: Any, value: float) -> None:
    """Gateways go on telling their levels until the kernel's table holds them all."""

    def told() -> bool:
        post.levels(value)
        return post.shows(value)

    post.until(told, f"the table holds the levels {value}")


def an_order_is_carried_out(post: Any) -> None:
    """Somebody walks by until an order comes: one for a gateway that is not back yet goes nowhere."""
    before, seen = len(post.orders), 0.0

    def ordered() -> bool:
        nonlocal seen
        if time.monotonic() - seen > 1.0:
            seen = time.monotonic()
            post.present("S0001")
        return len(post.orders) > before

    post.until(ordered, "an order goes out")


def test_the_kernel_comes_back_knows_all_slots_and_lost_nothing(post: Any) -> None:
    post.start()
    levels_arrive(post, 20)
    an_order_is_carried_out(post)
    first = post.status.generation
    for code in range(5):
        post.gateways[0].emit("watch.door.opened", {"code": code})
    post.kill("kernel")
    for code in range(5, 10):
        post.gateways[0].emit("watch.door.opened", {"code": code})
    post.until(lambda: post.status.generation > first and post.together(), "all are together again")
    # Nobody tells a level anew: the edge hands over what it knew.
    post.until(lambda: post.shows(20), "the table is full again")
    an_order_is_carried_out(post)
    assert post.orders[-1].epoch == post.status.generation
    post.until(lambda: post.gateways[0].spool.acked == 10, "all events are acknowledged")
    levels_arrive(post, 30)
    post.stop()
    n = post.balance()
    assert (n["lost"], n["unaccounted"], n["refused"]) == (0, 0, 0)
    assert [record["code"] for record in post.journaled("watch.door.opened")] == list(range(10))


@pytest.mark.slow
def test_the_telemetry_edge_comes_back_and_hides_no_loss(post: Any) -> None:
    post.start()
    levels_arrive(post, 20)
    sent = post.sent()
    post.levels(25)
    post.kill("edge-telemetry")
    levels_arrive(post, 30)
    an_order_is_carried_out(post)
    post.until(post.together, "all are together again")
    post.stop()
    n = post.balance()
    assert n["unaccounted"] >= sent
    assert n["received"] >= 30


def test_an_edge_that_is_asked_to_end_hands_over_what_it_has(post: Any) -> None:
    post.start()
    levels_arrive(post, 20)
    post.levels(25)
    post.turn()
    post.kill("edge-telemetry", signal.SIGTERM)
    # Nobody tells a level anew.
    post.until(lambda: post.shows(25), "the table holds what the edge had")
    post.until(post.together, "all are together again")
    levels_arrive(post, 30)


def test_the_events_edge_comes_back_and_events_come_once_and_in_order(post: Any) -> None:
    post.start()
    codes = iter(range(10_000))
    emitted = []

    def emit() -> None:
        emitted.append(next(codes))
        post.gateways[0].emit("watch.door.opened", {"code": emitted[-1]}, asset="L0001")

    for _ in range(50):
        emit()
    post.kill("edge-events")
    for _ in range(50):
        emit()
        post.turn()
    post.until(lambda: post.gateways[0].ready, "the gateway shook hands again")
    for _ in range(300):
        emit()
    post.until(lambda: post.gateways[0].spool.acked == len(emitted), "all events are acknowledged")
    post.until(lambda: len(post.view("watch.doors").get("codes", ())) >= len(emitted), "the trade heard all")
    assert post.view("watch.doors")["codes"] == emitted
    assert post.view("watch.doors")["asset"] == post.city.assets.index["L0001"]
    an_order_is_carried_out(post)
    post.stop()
    assert post.balance()["lost"] == 0
    assert [record["code"] for record in post.journaled("watch.door.opened")] == emitted
