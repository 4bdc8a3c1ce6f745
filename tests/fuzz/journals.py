"""What lies on the disk: a snapshot as the kernel reads it, and signed heads and keys as the auditor does."""

from __future__ import annotations

from adapters.audit import verify
from core import commands, snapshot
from core.alarm_rows import Note, StoredRows
from core.alarms import Stored
from core.checkpoint import verifier_key
from core.commands import Leased, OpenCommand
from core.errors import JournalError
from core.field import Place
from core.holds import Held
from core.programmes import Programme
from core.snapshot import Snapshot
from tests.fuzz.target import Target

HELD = Held(b"\x03\0\0\0", b"\x09\0\0\0\0\0\0\0", b"\x01")
_NOTE = "test\n10\n" + "A" * 43 + "=\n\n— test " + "A" * 91 + "=\n"


def check(data: bytes) -> None:
    """Each is read, or refused in its own words."""
    try:
        read = snapshot.decode(data)
        assert snapshot.decode(snapshot.encode(read)) == read
    except JournalError as error:
        assert error.what
    text = data.decode("utf-8", "replace")
    for decode in (verify.read_note, verify.read_key):
        try:
            decode(text)
        except verify.ForgedError as error:
            assert str(error)


def seeds() -> list[bytes]:
    """A snapshot with something of everything, a signed head, a key."""
    made = Snapshot(
        after=7,
        step=5,
        utc=9,
        mono=8,
        plugins={"lighting": b"\x01"},
        due={"lighting": {"dim": 10}},
        alarms=Stored(mono=8, codes=["x"], rows=StoredRows({"flags": b"\x03"}, {0: Note({"a": 1}, "p")})),
        commanding=commands.Stored(
            [OpenCommand("1-1", "lamp.dim", "lighting")],
            {"lamp.dim": HELD},
            [Leased("1-2", "lamp.dim", "anna", "awaiting", bytes(4), True, 1, 60.0)],
        ),
        authorised={"lighting/presence": 9},
        asked={"person anna": [(9, 3)]},
        places={"gw": Place(1, 2, 3)},
        serving=b"\x01\x02",
        programmes=(
            Programme(id="1-2", kind="lighting.calendar", zone="", by="anna", reason="r", created_utc=9),
        ),
        clocks={"roads": {"J-1": "stopped"}},
    )
    return [snapshot.encode(made), _NOTE.encode(), verifier_key("test", bytes(32)).encode()]


TARGET = Target("journals", check, seeds, longest=4096)
