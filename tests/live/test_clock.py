"""The system's clock is set while the post runs, and before it starts again: nothing expires by that."""

from __future__ import annotations

import os
from typing import Any

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("hours", ["1", "-1"])
def test_a_clock_that_jumps_ends_no_deadline_and_is_told(
    write: Any, serve: Any, faults: Any, hours: str
) -> None:
    service = serve(write())
    service.greet(1)
    goes_on(service, 0)
    faults.begin("hours", hours)
    service.until(lambda: "clock_differs" in service.status.alarms.active, "the alarm stands")
    goes_on(service, 1)
    os.kill(service.child("core.service"), 9)
    service.until(lambda: service.status.generation == 2, "the kernel has started again")
    goes_on(service, 2)
    service.stop()

    again = serve(write())
    again.greet(1)
    goes_on(again, 3)
    again.stop()
    assert [event["code"] for event in again.journaled("watch.door.opened")] == [0, 1, 2, 3]
    assert not [event for event in again.journaled("post.command.ended") if event["state"] == "expired"]


def goes_on(service: Any, code: int) -> None:
    """Events are acknowledged, and orders come in time."""
    [gateway] = service.gateways
    acked, orders = gateway.spool.acked, len(service.orders)
    gateway.emit("watch.door.opened", {"code": code})
    service.until(lambda: gateway.spool.acked > acked, "the event is acknowledged")
    service.present("S0001")
    service.until(lambda: len(service.orders) > orders, "an order goes out")
    assert gateway.statistics.expired_orders == 0
