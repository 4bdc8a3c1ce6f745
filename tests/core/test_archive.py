"""Archives that lie about what they hold."""

from __future__ import annotations

import io
import zipfile

import pytest

from core.archive import unpack


def archive(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipFile:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        made.writestr("a", content)
        made.writestr("b", b"b")
    return zipfile.ZipFile(stream)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_is_asked_for_is_unpacked(method: int) -> None:
    with archive(b"a" * 5000, method) as opened:
        assert unpack(opened, ["a"], 5000) == {"a": b"a" * 5000}
        with pytest.raises(KeyError):
            unpack(opened, ["c"], 5000)


def test_a_bomb_is_refused_at_the_limit_of_all_files_together() -> None:
    with archive(b"a" * 5000) as opened, pytest.raises(ValueError, match="more than"):
        unpack(opened, ["a", "b"], 5000)


def test_a_method_that_unpacks_a_file_at_once_is_refused() -> None:
    with (
        archive(b"a", zipfile.ZIP_LZMA) as opened,
        pytest.raises(ValueError, match="'a' is packed by a method"),
    ):
        unpack(opened, ["a"], 5000)
