"""Changes of the inventory, as a tool asks and as a person writes them: taken whole, or refused in one sentence."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import msgspec

from adapters.cli import change
from core import inventory, operators
from core.assets import Assets
from core.errors import CityError, WireError
from core.inventory import AssetChange
from core.register import Numbering
from tests.fuzz.city import TRADE, small
from tests.fuzz.target import Target

_LAMP = {
    "power_w": 36.0,
    "old_power_w": 100.0,
    "old_hours": 4100.0,
    "lighting_class": "P3",
    "conflict": False,
}


def check(data: bytes) -> None:
    """As a request, and as a file: what fits gives a register that can be numbered."""
    try:
        request = operators.decode_request(data)
        if isinstance(request, operators.ChangeAssets):
            _apply(request.changes)
    except WireError as error:
        assert error.reason == "request"
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            _apply(change.placed(change.read(Path(file.name)), small(), 1_000, "file"))
        except CityError:
            return


def _apply(changes: tuple[AssetChange, ...] | list[AssetChange]) -> None:
    before = small().assets
    try:
        after = inventory.apply(small(), changes, {}).assets
    except CityError as error:
        assert error.where.startswith("change ")
        return
    assert after.revision == before.revision + len(changes)
    assert after.ids[: len(before)] == before.ids
    _whole(after)
    new, old = (Numbering.of(each, [TRADE]).register(1) for each in (after, before))
    new.check()
    assert new.continues(old)


def _whole(assets: Assets) -> None:
    for kind, columns in assets.attributes.items():
        assert {len(values) for values in columns.values()} <= {len(assets.of_kind(kind))}


def seeds() -> list[bytes]:
    """Lists that fit, one that does not, and files."""
    at = {"lon": 5.04, "lat": 47.32}
    added = {"change": "added", "id": "L1", "kind": "lamp", "gateway": "gw-A0001", "attributes": _LAMP} | at
    moved = {"change": "changed", "id": "L0001", "attributes": {"power_w": 3}} | at
    retired = {"change": "retired", "id": "L0002"}
    lists = [
        list(each)
        for n in (1, 2, 3)
        for each in itertools.combinations([added, moved, retired, {**moved, "id": "L9"}], n)
    ]
    files = [msgspec.json.encode([{**each, "at": "2026-11-25T14:30+01:00"} for each in of]) for of in lists]
    typed = [msgspec.convert([{**each, "at_utc": 5} for each in of], list[AssetChange]) for of in lists]
    return [*(operators.encode(operators.ChangeAssets(tuple(of))) for of in typed), *files]


TARGET = Target("changes", check, seeds, longest=4096)
