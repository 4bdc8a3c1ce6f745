"""A write-ahead file after any damage: what was written whole is read, nothing else ever is."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.history.write_ahead import WriteAhead

RECORDS = st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=8)


def write(path: Path, records: list[bytes]) -> None:
    """Write records to a file."""
    ahead = WriteAhead(path)
    for record in records:
        ahead.append(record)
    ahead.sync()
    ahead.close()


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.data())
def test_a_file_that_was_cut_holds_what_was_whole(records: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hour.log"
        write(path, records)
        size = path.stat().st_size
        left = data.draw(st.integers(0, size))
        path.write_bytes(path.read_bytes()[:left])
        again = WriteAhead(path)
        ends = [sum(len(r) + 8 for r in records[: n + 1]) for n in range(len(records))]
        whole = [record for record, end in zip(records, ends, strict=True) if end <= left]
        assert list(again.records()) == whole
        assert again.damage.cut == left - (ends[len(whole) - 1] if whole else 0)
        # And it goes on behind them.
        again.append(b"more")
        again.sync()
        assert list(again.records()) == [*whole, b"more"]
        again.close()


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.data())
def test_a_changed_byte_never_makes_another_record(records: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hour.log"
        write(path, records)
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        again = WriteAhead(path)
        found = list(again.records())
        assert again.damage.cut or again.damage.records
        left = iter(records)
        assert all(record in left for record in found), "none that was not written, and in order"
        assert len(found) < len(records)
        again.close()


def test_zeros_at_the_end_are_no_records(tmp_path: Path) -> None:
    path = tmp_path / "hour.log"
    write(path, [b"one"])
    with path.open("ab") as file:
        file.write(bytes(4096))
    again = WriteAhead(path)
    assert list(again.records()) == [b"one"]
    assert (again.damage.cut, again.damage.records) == (4096, 0)
    again.close()
