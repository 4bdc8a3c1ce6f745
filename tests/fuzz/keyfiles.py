"""The allow-list and a key file: KeyFileError naming the file, or what it says."""

from __future__ import annotations

import msgspec

from core import allowlist, keys
from core.allowlist import AllowList, Key
from core.errors import KeyFileError
from core.keys import ClientKey
from core.person import Role
from tests.fuzz.target import Target, written

PUBLIC, SECRET = "a" * 40, "b" * 40


def check(data: bytes) -> None:
    """Read ``data`` as both."""
    path = written("allowed.json", data)
    path.chmod(0o600)
    try:
        found = allowlist.load(path)
    except KeyFileError as error:
        assert "allowed.json" in str(error)
    else:
        assert len(found.by_fingerprint) == len(found.keys)
        assert all(found.by_fingerprint[key.fingerprint] is key for key in found.keys)
    try:
        key = keys.read(path)
    except KeyFileError as error:
        assert "allowed.json" in str(error)
    else:
        assert len(key.public) == len(key.secret) == len(key.server) == 40


def seeds() -> list[bytes]:
    """A list with both roles, one that broke off, a key file, and nesting."""
    rights = (Role("lighting", "Dijon", ("see",)),)
    known = msgspec.json.encode(
        AllowList(
            keys=(
                Key("gw-1", "gateway", PUBLIC, 1, speaks_for=("gw-1",), expires=1 << 61),
                Key("history", "partner", SECRET, 1, rights=rights, revoked=2),
            )
        )
    )
    rows = msgspec.structs.asdict(ClientKey("gw-1", PUBLIC, SECRET, PUBLIC)).items()
    file = "\n".join(f'{name} = "{value}"' for name, value in rows).encode()
    return [
        known,
        known[:-9],
        known.replace(b"a" * 40, b"#" * 40),
        file,
        file.replace(b"b" * 40, b"#" * 40),
        b"a = " + b"[" * 1500,
        b'{"version":1,"keys":' + b"[" * 1500,
    ]


TARGET = Target("keyfiles", check, seeds, longest=3000)
