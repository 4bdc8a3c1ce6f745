"""``ondijon run``: from its start to its end, and what happens when it is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import click
import pytest

from adapters.cli.main import main


def get(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_it_starts_serves_and_stops_in_order(write: Any, serve: Any, ondijon: Any, lives: Any) -> None:
    service = serve(write())
    health = service.said().partition("health: ")[2].split()[0]
    assert get(health.replace("readyz", "livez")) == (200, {"live": True})
    service.until(lambda: get(health)[0] == 200, "it says that it is ready")
    assert get(health)[1]["processes"] is True
    assert get(health.replace("readyz", "else"))[0] == 404

    service.greet()
    service.levels(40)
    service.present("S0001")
    service.until(lambda: service.shows(40), "the levels are in the table")
    service.until(lambda: service.orders, "an order goes out")
    [order] = service.orders
    indexes, values = order.targets()
    assert values.tolist() == [80.0]
    assert service.gateways[0].index["L0001"] in indexes.tolist()
    service.until(
        lambda: not service.status.counts["refused"] and service.status.journal > 1, "it is journaled"
    )

    shown = ondijon("top", service.run.folder, "--once")
    assert shown.returncode == 0
    assert "received" in shown.stdout
    assert "watch" in shown.stdout

    children = service.children()
    assert len(children) == 4
    service.stop()
    assert service.popen.returncode == 0, service.said()
    assert not [pid for pid in children if lives(pid)]
    n = service.balance()
    assert (n["received"], n["lost"], n["refused"]) == (31, 0, 0)
    kernel = service.final("kernel")
    assert kernel["counts"]["commands"] == 1
    assert kernel["faults"] == []
    assert service.final("events")["counts"]["told"] == 1
    assert [event["state"] for event in service.journaled("post.command.ended")] == ["executed"]


def test_its_processes_end_when_it_is_killed_and_the_next_start_waits_for_them(
    write: Any, serve: Any, until: Any, lives: Any
) -> None:
    file = write()
    service = serve(file)
    service.greet()
    children = service.children()
    service.levels(40)
    service.popen.send_signal(signal.SIGKILL)
    service.popen.wait()
    # At once, as systemd would: the folder is still held by what the killed one left.
    second = serve(file)
    assert not [pid for pid in children if lives(pid)]
    assert json.loads(service.run.report("telemetry").read_bytes()), "they ended in order"
    assert json.loads(service.run.report("partners").read_bytes()), "they ended in order"
    second.greet(1)
    assert second.status.generation == 2
    for _ in range(50):
        second.popen.terminate()
    second.stop()
    assert second.popen.returncode == 0, second.said()


def test_a_process_that_misses_its_parents_death_ends_too() -> None:
    ended = subprocess.run([sys.executable, "-m", "core.child", str(os.getpid() + 1), "this"], timeout=30)
    assert ended.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("tables", "named"),
    [
        (lambda port: {"edges": {"telemetry_port": port}}, "cannot listen: Address already in use"),
        (lambda port: {"edges": {"events_port": port}}, "cannot listen: Address already in use"),
        (lambda port: {"edges": {"partners_port": port}}, "cannot listen: Address already in use"),
        (lambda port: {"health": {"port": port}}, "[health]: cannot serve on"),
        (lambda port: {"adapters": {"console": {"port": port}}}, "[adapters.console]: cannot serve on"),
    ],
)
def test_a_taken_port_ends_it_at_once(
    write: Any, ondijon: Any, tables: Callable[[int], dict[str, Any]], named: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = ondijon("run", "--config", write(**tables(port)))
    assert ended.returncode == 78, ended.stderr
    assert named in ended.stderr
    assert str(port) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_address_that_is_not_of_this_machine_is_named(write: Any, ondijon: Any) -> None:
    ended = ondijon("run", "--config", write(edges={"address": "203.0.113.1"}))
    assert ended.returncode == 78, ended.stderr
    assert "203.0.113.1" in ended.stderr
    assert "Traceback" not in ended.stderr


def commands(group: click.Group, names: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The names of every command, groups too."""
    found = [names]
    for name, command in group.commands.items():
        inner = isinstance(command, click.Group)
        found += commands(command, (*names, name)) if inner else [(*names, name)]
    return found


@pytest.mark.parametrize("command", commands(main), ids=" ".join)
def test_every_command_explains_itself(quick: Any, command: tuple[str, ...]) -> None:
    shown = quick(*command, "--help")
    assert shown.exit_code == 0
    assert shown.output.startswith("Usage: ")
