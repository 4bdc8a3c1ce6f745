"""docs/protocol.md is the contract: its tables and examples, and a whole conversation in plain sockets and msgpack."""

from __future__ import annotations

import ast
import base64
import contextlib
import datetime
import inspect
import re
import struct
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgpack
import msgspec
import numpy as np
import pytest
import zmq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core import config, field, keyring, wire
from core._fast.ingest import FRAME_REFUSALS, SAMPLE_REFUSALS, Ingest
from core._fast.slots import Slots
from core.person import Person, Role, token
from core.run import Run
from core.supervisor import Supervisor
from ondijon.testing import City

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "protocol.md").read_text("utf-8")

#: No single answer of the post takes longer (s), on however slow a machine.
PATIENCE_S = 60.0

#: The login process of the post under test.
LOGIN = Ed25519PrivateKey.from_private_bytes(bytes(32))

TAGS = {message.__struct_config__.tag: message for message in get_args(wire.FromGateway | wire.ToGateway)}


def part(heading: str) -> str:
    """The page from a heading to the next of its level."""
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def rows(text: str, head: str) -> list[list[str]]:
    """The rows of the table whose first column is called ``head``."""
    lines = text.split(f"| {head} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


def test_the_table_of_messages_is_that_of_the_code() -> None:
    told = {names(row[0])[0]: (row[1], names(row[2])) for row in rows(part("Control messages"), "type")}
    assert told == {
        tag: (
            "gateway" if message in get_args(wire.FromGateway) else "edge",
            list(message.__struct_fields__),
        )
        for tag, message in TAGS.items()
    }
    assert "A fault is a map of `index` and `code`" in PAGE
    assert wire.Fault.__struct_fields__ == ("index", "code")


def optional(message: type[msgspec.Struct]) -> set[str]:
    fields = msgspec.structs.fields(message)
    return {field.name for field in fields if not field.required}


def test_what_may_be_left_out() -> None:
    assert optional(wire.Hello) == {"wire", "sent"}
    assert optional(wire.Reports) == {"failed"}
    assert optional(wire.FieldEvent) == {"index", "data", "lon", "lat"}
    assert optional(wire.Beat) == {"session", "sent"}
    assert optional(wire.Bye) == set()


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"at most {wire.MESSAGE_MAX // 1024} KiB" in PAGE
    assert f"every {wire.HEARTBEAT_S:.0f} s on both sockets" in PAGE
    assert f"not heard for {wire.HEARTBEATS_MISSED * wire.HEARTBEAT_S:.0f} s is forgotten" in PAGE
    assert f"1 to {wire.COLUMNS_MAX:,}" in PAGE
    assert PAGE.startswith(f"# The wire, version {wire.VERSION}\n")


def refusals() -> set[str]:
    """The reasons a control message is refused for, as the sources name them."""
    edges = [
        (ROOT / "core" / f"{name}.py").read_text("utf-8")
        for name in ("edge", "telemetry_edge", "events_edge")
    ]
    decoding = inspect.getsource(wire.decoded) + inspect.getsource(wire.FieldEvent)
    return set(re.findall(r'reason="(\w+)"', "".join(edges) + decoding + inspect.getsource(field)))


def test_the_reasons_are_those_of_the_code() -> None:
    told = {name for row in rows(part("Control messages"), "refused") for name in names(row[0])}
    assert told == refusals()
    frames = part("Telemetry frames").split("A frame that is not of this form")[1].split("\n\n")[0]
    assert set(names(frames)) == {*FRAME_REFUSALS, *SAMPLE_REFUSALS}


# -- the examples, with another msgpack


def examples(block: int) -> list[dict[str, Any]]:
    return [ast.literal_eval(line) for line in blocks("text")[block].splitlines()]


@pytest.mark.parametrize("example", examples(0), ids=lambda example: example["type"])
def test_an_example_from_a_gateway_is_understood(example: dict[str, Any]) -> None:
    message = wire.decode_from_gateway(msgpack.packb(example))
    assert type(message) is TAGS[example["type"]]
    again = msgpack.unpackb(wire.encode(message))
    assert {key: again[key] for key in example} == example


@pytest.mark.parametrize("example", examples(1), ids=lambda example: example["type"])
def test_an_example_from_an_edge_is_what_an_edge_sends(example: dict[str, Any]) -> None:
    fields = {key: value for key, value in example.items() if key != "type"}
    assert msgpack.unpackb(wire.encode(TAGS[example["type"]](**fields))) == example


def test_every_message_has_its_example() -> None:
    assert {example["type"] for block in (0, 1) for example in examples(block)} == set(TAGS)


def test_the_examples_of_frames_are_what_the_edge_takes() -> None:
    at, session = 1_768_516_200_000_000, 0xDEADBEEF
    single, columns = (bytes.fromhex("".join(block.split())) for block in blocks("hex"))
    assert single == wire.single(session, 0, 1, 0, at, 80.0)
    times, values = np.array([at, at + 1000]), np.array([80.0, 60.5])
    assert columns == wire.columns(session, 1, np.array([1, 2]), 0, times, values)
    rules = {name: np.zeros(1) for name in ("deadband", "low", "refresh_s")}
    slots = Slots(3, **rules, high=np.array([100.0]), merge=np.zeros(1, np.uint8))
    slots.extend(np.zeros(3, np.uint16))
    ingest = Ingest(slots, np.zeros((1, 1), np.int16), origin_utc=at, origin_mono=time.monotonic_ns())
    ingest.open(session, np.arange(3, dtype=np.uint32), np.zeros(3, np.uint16))
    ingest.feed(single)
    ingest.feed(columns)
    counts = ingest.counters()
    assert (counts["received"], counts["lost"], counts["late"]) == (3, 0, 0)
    assert slots.records_array()["value"].tolist() == [0.0, 80.0, 60.5]


def test_the_header_is_laid_out_as_the_table_says() -> None:
    letters = {"u8": "B", "u16": "H", "u32": "I", "i64": "q", "f64": "d"}
    layout, at = "<", 0
    for start, name, _ in rows(part("Telemetry frames").replace("| |", "| ~ |"), "bytes"):
        assert int(start) == at
        layout += letters[name.split()[1]]
        at = struct.calcsize(layout)
    assert layout == wire._HEADER.format
    assert at == 32


# -- a conversation


class Plain:
    """A gateway in plain sockets: what somebody in any other language would write from the page."""

    def __init__(self, supervisor: Supervisor, key: dict[str, str]) -> None:
        endpoints = supervisor.run.endpoints
        self._context = zmq.Context()
        self._key = key
        self.control = self._socket(zmq.DEALER, endpoints.control)
        self.events = self._socket(zmq.DEALER, endpoints.events)
        self.frames = self._socket(zmq.PUSH, endpoints.telemetry)

    def _socket(self, kind: int, endpoint: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.set(zmq.LINGER, 1000)
        # The desk's socket is of this machine only, and without keys.
        if endpoint.startswith("tcp:"):
            socket.curve_publickey = self._key["public"].encode()
            socket.curve_secretkey = self._key["secret"].encode()
            socket.curve_serverkey = self._key["server"].encode()
        socket.connect(endpoint)
        return socket

    def ask(self, socket: zmq.Socket[bytes], message: dict[str, Any], wanted: str) -> dict[str, Any]:
        """Send ``message``, and wait for an answer of type ``wanted``."""
        socket.send(msgpack.packb(message))
        return self.hear(socket, wanted)

    def hear(self, socket: zmq.Socket[bytes], wanted: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if socket.poll(100):
                answer: dict[str, Any] = msgpack.unpackb(socket.recv())
                if answer["type"] == wanted:
                    return answer
        raise AssertionError(f"no {wanted} within {PATIENCE_S:.0f} s")

    def greet(self, socket: zmq.Socket[bytes]) -> dict[str, Any]:
        """Say hello, and again as long as the post is starting; never twice without an answer."""
        until = time.monotonic() + PATIENCE_S
        hello = msgpack.packb({"type": "hello", "gateway": "gw-A0001", "boot": 41, "wire": 1})
        while time.monotonic() < until:
            socket.send(hello)
            if not socket.poll(int(PATIENCE_S * 1000)):
                break
            answer: dict[str, Any] = msgpack.unpackb(socket.recv())
            if answer["type"] == "welcome":
                return answer
            assert answer["reason"] == "not_ready"
            time.sleep(0.1)
        raise AssertionError(f"no welcome within {PATIENCE_S:.0f} s")

    def close(self) -> None:
        self._context.destroy(linger=1000)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Supervisor]:
    """A post of the small city, by night, that believes who logged in with LOGIN."""
    City.small().save(folder / "city")
    key = LOGIN.public_key().public_bytes_raw()
    (folder / "login.pub").write_bytes(base64.b64encode(key) + b"\n")
    start = datetime.datetime.fromisoformat("2026-01-15T23:30:00+01:00")
    table = {
        "version": 1,
        "post": {"city": "city", "data": "data", "plugins": ["lighting"]},
        "time": {"start": start},
        "gate": {"login_key": "login.pub"},
    }
    supervisor = Supervisor(config.from_table(table, "a test", folder), folder / "run")
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()


def test_a_gateway_written_from_the_page_is_served(tmp_path: Path) -> None:
    file = tmp_path / "gw-A0001.key"
    with running(tmp_path) as supervisor:
        keyring.new(supervisor.run.data, file, "gw-A0001")
        with contextlib.closing(Plain(supervisor, tomllib.loads(file.read_text()))) as plain:
            sent = converse(plain, supervisor.run)
    telemetry, status = (
        msgspec.json.decode(supervisor.run.report(process).read_bytes())
        for process in ("telemetry", "kernel")
    )
    edge, kernel = telemetry["counts"], status["counts"]
    (programme,) = status["programmes"]
    assert (programme["version"], programme["gateways"], programme["up_to_date"]) == (1, 3, 1)
    assert (edge["received"], edge["lost"]) == (sent, 0)
    assert edge["refused_wrong_socket"] == 1
    assert kernel["field_events_refused"] == 1
    assert kernel["commands"] >= 1


def converse(plain: Plain, run: Run) -> int:
    """Say all that the page knows, and look at the answers; return how many samples were sent."""
    clock = run.clock()
    unknown = plain.ask(plain.control, {"type": "beat", "session": 1, "sent": 0}, "beat_back")
    assert unknown["known"] is False
    welcome = plain.greet(plain.control)
    assert plain.greet(plain.events)["session"] == 0
    session = welcome["session"]
    index = {name: i for i, name in enumerate(welcome["assets"])}
    metric = {name: i for i, name in enumerate(welcome["metrics"])}

    def sighting(sequence: int) -> bytes:
        which = (1, 1, index["S0001"], session, sequence, metric["presence_sensor.presence"], 0)
        return struct.pack("<BBHIIHHqd", *which, clock.utc(), 1.0)

    order, sent = seen_until_raised(plain, sighting)
    targets = np.frombuffer(order["indexes"], "<u2")
    assert index["L0001"] in targets.tolist()
    assert len(order["values"]) == 8 * len(targets)
    assert welcome["verbs"][order["verb"]] == "lamp.dim"
    assert order["lease_ms"] > 0
    assert order["epoch"] == welcome["generation"]
    assert order["deadline"] > order["since"] > 0
    done = {"epoch": order["epoch"], "accepted": order["n"], "executed": order["n"]}
    plain.events.send(msgpack.packb({"type": "reports", **done}))
    take_a_programme(plain, run, welcome)
    event = {"type": "event", "seq": 3, "acked": 2, "kind": "a.door.opened", "at": clock.utc(), "data": {}}
    assert plain.ask(plain.events, event, "refused")["reason"] == "unknown_event"
    ack = plain.hear(plain.events, "event_ack")
    assert ack == {"type": "event_ack", "boot": 41, "through": 3, "durability": "local"}
    back = plain.ask(plain.control, {"type": "beat", "session": session, "sent": sent}, "beat_back")
    assert back == {"type": "beat_back", "boot": welcome["boot"], "known": True}
    assert plain.ask(plain.control, event, "refused")["reason"] == "wrong_socket"
    plain.control.send(msgpack.packb({"type": "bye", "session": session, "sent": sent}))
    plain.events.send(msgpack.packb({"type": "bye", "session": 0, "sent": 0}))
    return sent


def take_a_programme(plain: Plain, run: Run, welcome: dict[str, Any]) -> None:
    """Somebody sets a calendar; the gateway is sent its part, and says that it holds it."""
    plain.events.send(msgpack.packb({"type": "programmed", "programmes": []}))
    content = {"level_pct": 60, "rules": [], "order": ""}
    desk = plain._socket(zmq.DEALER, run.desk_ipc)
    now = run.clock().utc()
    person = Person("anna", "Anna", (Role("*", "*", ("*",)),), "1", now + 60_000_000)
    request = {
        "type": "propose_programme",
        "token": token(person, LOGIN),
        "request": "1",
        "epoch": welcome["generation"],
        "asked_utc": now,
        "kind": "lighting.calendar",
        "content": content,
        "reason": "a test",
    }
    assert plain.ask(desk, request, "command_taken")["state"] == "in_force"
    sent = plain.hear(plain.events, "programme")
    assert (sent["kind"], sent["zone"], sent["version"]) == ("lighting.calendar", "", 1)
    assert msgpack.unpackb(sent["content"]) == content
    behind = [welcome["assets"][i] for i in np.frombuffer(sent["indexes"], "<u2").tolist()]
    assert behind == [name for name in welcome["assets"] if name.startswith("L")]
    held = {name: sent[name] for name in ("kind", "zone", "version", "hash")}
    plain.events.send(msgpack.packb({"type": "programmed", "programmes": [held]}))


def seen_until_raised(plain: Plain, frame: Callable[[int], bytes]) -> tuple[dict[str, Any], int]:
    """Send sightings until the post raises the light; the order, and how many samples were sent."""
    until, sent = time.monotonic() + PATIENCE_S, 0
    while time.monotonic() < until:
        plain.frames.send(frame(sent))
        sent += 1
        if plain.events.poll(100):
            answer: dict[str, Any] = msgpack.unpackb(plain.events.recv())
            if answer["type"] == "order":
                return answer, sent
    raise AssertionError(f"no order within {PATIENCE_S:.0f} s")
