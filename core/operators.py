"""What an operator's tool may ask of the kernel, over a local socket of its own, and the answers.

Edges face the network and are not trusted: they cannot ask this. Who may open the socket is who may write
in the run's folder.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from core.errors import WireError
from core.inventory import AssetChange
from core.wire import Refused

#: Changes of the inventory in one list, and what a message may measure (bytes).
CHANGES_MAX = 5_000
MESSAGE_MAX = 8 << 20


class ChangeAssets(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="change_assets", tag_field="type"
):
    """Change the inventory: the whole list, or nothing of it."""

    changes: Annotated[tuple[AssetChange, ...], msgspec.Meta(min_length=1, max_length=CHANGES_MAX)]


class ChangesTaken(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="changes_taken", tag_field="type"
):
    """The list is in the journal, and the register is at ``revision``."""

    revision: int


Answer = ChangesTaken | Refused

_request = msgspec.msgpack.Decoder(ChangeAssets)
_answer = msgspec.msgpack.Decoder(Answer)
encode = msgspec.msgpack.Encoder().encode


def decode_request(data: bytes) -> ChangeAssets:
    """What a tool asks. Raises WireError."""
    try:
        return _request.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise WireError(f"{error}.", reason="request", next="See core/operators.py.") from error


def decode_answer(data: bytes) -> Answer:
    """What the kernel answers. Raises WireError."""
    try:
        return _answer.decode(data)  # type: ignore[no-any-return]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise WireError(f"{error}.", reason="answer") from error
