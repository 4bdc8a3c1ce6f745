"""What may be asked of the history over its local socket, and what it answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from core import wire
from core.run import Run
from core.session import Token
from core.wire import Refused

#: Bytes of a request and of an answer at most; of an answer with more rows the rest is left out, and that is said.
REQUEST_MAX, ANSWER_MAX = 65_536, 16 << 20

SQL_MAX = 20_000

Ready = Literal["asset", "street", "snapshot"]

_Line = Annotated[str, msgspec.Meta(max_length=200)]


def endpoint(run: Run) -> str:
    """Where the history answers."""
    return f"ipc://{run.folder}/history"


class Asker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who asks: the person of ``token``; without one, this machine's user ``by``, who may read all."""

    token: Token = b""
    by: _Line = ""


class Query(Asker, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="query", tag_field="type"):
    """``sql``, or a ``ready`` question with its ``parameters``, over whole days of the city, ``first`` to ``last``.

    Days are YYYY-MM-DD; empty is today.
    """

    sql: Annotated[str, msgspec.Meta(max_length=SQL_MAX)] = ""
    ready: Ready | None = None
    parameters: Annotated[dict[_Line, _Line], msgspec.Meta(max_length=16)] = {}
    first: _Line = ""
    last: _Line = ""


class About(Asker, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="about", tag_field="type"):
    """What is there."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="table", tag_field="type"):
    """Rows. ``truncated``: there are more; ``why`` there are none; ``passed_over``: files that cannot be read."""

    columns: tuple[str, ...]
    rows: list[list[Any]]
    truncated: bool = False
    why: str = ""
    passed_over: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    ms: float = 0.0


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="kept", tag_field="type"):
    """What is kept of what the asker may read: days (UTC), bytes, files, and the keeper's counters."""

    first: str
    last: str
    bytes: int
    files: int
    places: dict[str, list[str]]
    counts: dict[str, int]


Asked = Query | About
Answer = Table | Kept | Refused

_asked = msgspec.msgpack.Decoder(Asked)
_answer = msgspec.msgpack.Decoder(Answer)
encode = msgspec.msgpack.Encoder().encode


def refused(reason: str, what: str, next: str = "") -> Refused:
    """A refusal that fits on the wire."""
    return Refused(reason, what[: wire.TEXT_MAX], next[: wire.TEXT_MAX])


def decode_asked(data: bytes) -> Asked:
    """What is asked. Raises WireError."""
    return wire.read(_asked, data, "request", "See adapters/history/asked.py.")  # type: ignore[no-any-return]


def decode_answer(data: bytes) -> Answer:
    """What is answered. Raises WireError."""
    return wire.read(_answer, data, "answer")  # type: ignore[no-any-return]
