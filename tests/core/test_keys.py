"""Key files: what is written is read, nobody else may read it, nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from zmq.utils import z85

from core import keys
from core.errors import KeyFileError
from core.keys import ClientKey


def test_a_key_is_read_as_it_was_written_and_belongs_to_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "gw-1.key"
    key = ClientKey.new("gw-1", keys.pair()[0])
    keys.write(file, key)
    assert keys.read(file) == key
    assert file.stat().st_mode & 0o777 == 0o600
    assert ClientKey.new("gw-1", key.server) != key


def test_a_key_that_others_may_read_is_refused_with_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "gw-1.key"
    keys.write(file, ClientKey.new("gw-1", keys.pair()[0]))
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        with pytest.raises(KeyFileError, match="others may read") as error:
            keys.read(file)
        assert f"chmod 600 {file}" in error.value.next


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "gw-1.key"
    file.write_text("mine")
    with pytest.raises(KeyFileError, match="not overwritten"):
        keys.write(file, ClientKey.new("gw-1", keys.pair()[0]))
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name = 1",
        "\0",
        'name = "a"\npublic = "short"\nsecret = "short"\nserver = "short"',
        'name = "../a"\npublic = "{0}"\nsecret = "{0}"\nserver = "{0}"',
        'name = "a"\npublic = "{0}"\nsecret = "{0}"\nserver = "{0}"\nmore = 1',
        'name = "a"\npublic = "{0}"\nsecret = "' + "#" * 40 + '"\nserver = "{0}"',
    ],
)
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.key"
    file.touch(0o600)
    file.write_text(text.replace("{0}", keys.pair()[0].replace("\\", "")))
    with pytest.raises(KeyFileError, match="no key"):
        keys.read(file)
    with pytest.raises(KeyFileError, match="no key"):
        keys.read(tmp_path / "none.key")


def test_the_posts_own_key_is_made_once(tmp_path: Path) -> None:
    first = keys.post_key(tmp_path)
    assert keys.post_key(tmp_path) == first
    file = tmp_path / keys.FOLDER / keys.POST_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("")
    with pytest.raises(KeyFileError, match="no key"):
        keys.post_key(tmp_path)


def test_a_fingerprint_is_that_of_the_bytes() -> None:
    public, _ = keys.pair()
    assert keys.fingerprint(public) == keys.fingerprint(z85.decode(public))
    assert len(keys.fingerprint(public)) == 16
    assert keys.fingerprint(keys.pair()[0]) != keys.fingerprint(public)
