"""A disk that takes nothing more: nothing is acknowledged, nothing is broken, and the post comes back by itself."""

from __future__ import annotations

import resource
from typing import Any

import pytest

#: No file of the post may grow beyond: its write-ahead log has by then, what the command prints has not.
FULL = 4096


@pytest.mark.slow
def test_a_full_disk_stops_acknowledgements_and_room_brings_them_back(write: Any, serve: Any) -> None:
    service = serve(write())
    emit_five(service)

    # The supervisor's limit holds for each kernel that it starts from now on.
    pids = service.popen.pid, service.child("core.service")
    hard = resource.prlimit(pids[0], resource.RLIMIT_FSIZE)[1]
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL, hard))
    nothing_is_acknowledged(service)

    resource.prlimit(pids[0], resource.RLIMIT_FSIZE, (hard, hard))
    all_come_back(service)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["eio", "read-only"])
def test_a_failing_disk_stops_acknowledgements_and_a_good_one_brings_them_back(
    write: Any, serve: Any, faults: Any, fault: str
) -> None:
    service = serve(write())
    emit_five(service)
    faults.begin(fault)
    nothing_is_acknowledged(service)
    faults.end(fault)
    all_come_back(service)


def emit_five(service: Any) -> None:
    service.greet(1)
    [gateway] = service.gateways
    for code in range(5):
        gateway.emit("watch.door.opened", {"code": code})
    service.until(lambda: gateway.spool.acked == 5, "five are acknowledged")


def nothing_is_acknowledged(service: Any) -> None:
    [gateway] = service.gateways
    for code in range(5, 20):
        gateway.emit("watch.door.opened", {"code": code})
    service.until(lambda: service.said().count("process=kernel") >= 4, "a second kernel failed as well")
    assert "status=74" in service.said()
    assert gateway.spool.acked == 5


def all_come_back(service: Any) -> None:
    [gateway] = service.gateways
    service.until(lambda: gateway.spool.acked == 20, "all are acknowledged")
    service.until(service.together, "all are together again")
    service.stop()
    assert [event["code"] for event in service.journaled("watch.door.opened")] == list(range(20))
    said = service.log("kernel")
    assert (
        "Free the disk or replace it; the post then goes on by itself" in said or "cannot be opened" in said
    )
    assert "Traceback" not in said
