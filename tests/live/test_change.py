"""`ondijon city change`: the inventory of a running post changes, and stays changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from core import operators, wire
from core.inventory import AssetChange

LAMP = {"power_w": 40, "old_power_w": 100, "old_hours": 4100, "lighting_class": "P3", "conflict": False}
NEW = {"change": "added", "id": "L0031", "kind": "lamp", "lon": 5.04, "lat": 47.32, "attributes": LAMP}


@pytest.fixture
def change(quick: Any, tmp_path: Path) -> Callable[..., Any]:
    """Runs `ondijon city change` with a list."""

    def call(post: Any, *changes: dict[str, Any]) -> Any:
        file = tmp_path / "changes.json"
        file.write_text(json.dumps(changes))
        return quick("city", "change", file, post.run.folder)

    return call


def test_an_added_lamp_is_lit_at_once_and_after_a_restart(post: Any, change: Any) -> None:
    post.start()
    post.levels(20)
    post.until(lambda: post.shows(20), "the table holds the levels")
    handshakes = [gateway.statistics.handshakes for gateway in post.gateways]
    done = change(
        post,
        {**NEW, "parent": "A0003", "gateway": "gw-A0003"},
        {"change": "added", "id": "S0011", "kind": "presence_sensor", "lon": 5.04, "lat": 47.32}
        | {"parent": "L0031", "gateway": "gw-A0003", "attributes": {"range_m": 12}},
        {"change": "retired", "id": "J0001", "at": "2020-01-01T12:00:00+01:00"},
    )
    assert (done.exit_code, done.output) == (
        0,
        "3 changes are in the journal: the register is at revision 3.\n",
    )
    assert [event["change"] for event in post.journaled("post.asset.changed")] == [
        "added",
        "added",
        "retired",
    ]
    gateway = post.gateways[2]
    post.until(lambda: "L0031" in gateway.index and gateway.session, "the gateway knows its new lamp")
    gateway.send("L0031", "lamp.level", 55)
    post.until(lambda: post.view("watch.levels")["level"][-1:] == [55], "its level is seen")
    assert post.view("watch.levels")["level"][:30] == pytest.approx([20 + (i + 1) / 10 for i in range(30)])
    post.present("S0011")
    post.until(lambda: post.orders, "presence under it is answered")
    assert post.orders[0].targets()[0].tolist() == [gateway.index["L0031"]]
    assert [g.statistics.handshakes for g in post.gateways[:2]] == handshakes[:2], "the others are left alone"

    generation = post.status.generation
    post.kill("kernel")
    post.until(lambda: post.status.generation > generation and post.together(), "all are together again")
    post.until(lambda: post.view("watch.levels")["level"][-1:] == [55], "the edge hands it over again")
    assert post.status.revision == 3
    again = change(post, NEW)
    assert again.exit_code == 65
    assert "used before" in again.output
    post.stop()
    n = post.balance()
    assert (n["lost"], n["unaccounted"], n["refused"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([], "0 changes. Tell 1 to 5000 at once."),
        ([{**NEW, "hue": 3}], "unknown field `hue`"),
        ([{**NEW, "at": "2026-11-25T14:30"}], "has no zone, such as +01:00"),
        ([{**NEW, "at": "yesterday"}], "change 1, 'L0031': Invalid isoformat string"),
        ([{**NEW, "lon": 500}], "change 1, 'L0031'"),
        ([{**NEW, "at": "2100-01-01T00:00:00Z"}], "lies in the future"),
        (
            [{"change": "retired", "id": "L0001"}, {"change": "retired", "id": "L9"}],
            "change 2 of 2, retired 'L9'",
        ),
    ],
)
def test_a_list_that_does_not_fit_is_refused(running_post: Any, change: Any, changes: Any, says: str) -> None:
    done = change(running_post, *changes)
    assert done.exit_code == 65
    assert says in done.output
    assert running_post.status.revision == 0


def test_garbage_on_the_desk_is_refused_and_counted(running_post: Any, socket_of: Any) -> None:
    def refused() -> int:
        return int(running_post.status.counts["requests_refused"])

    before = refused()
    retired = AssetChange(change="retired", id="L9", at_utc=1)
    stranger = socket_of(zmq.DEALER, running_post.run.desk_ipc)
    for data in (b"", b"\xc1", b"\x91" * 2000, wire.encode(wire.Beat(0, 0)), operators.encode([retired])):
        stranger.send(data)
        assert stranger.poll(20_000)
        answer = operators.decode_answer(stranger.recv())
        assert isinstance(answer, wire.Refused)
    stranger.send_multipart([b"two", b"parts"])
    running_post.until(lambda: refused() == before + 6, "all are counted")
    edge = socket_of(zmq.DEALER, running_post.run.kernel_ipc, IDENTITY=b"another")
    edge.send(operators.encode(operators.ChangeAssets((retired,))))
    messages = running_post.status.counts["edge_messages_refused"]
    running_post.until(
        lambda: running_post.status.counts["edge_messages_refused"] > messages, "an edge cannot ask this"
    )


def test_without_a_kernel_the_command_says_so(
    quick: Any, tmp_path: Path, post: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.cli.desk.PATIENCE_S", 0.2)
    file = tmp_path / "changes.json"
    file.write_text(json.dumps([NEW]))
    done = quick("city", "change", file, post.run.folder)
    assert done.exit_code == 70
    assert "what was asked may still be done" in done.output
