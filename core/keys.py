"""Key pairs of CURVE, and the files they lie in. docs/security.md tells who holds which.

A key is written in Z85, as ZeroMQ does everywhere: 40 characters for 32 bytes. A key file is TOML and belongs to
its owner alone: whoever reads it may speak in its name.
"""

from __future__ import annotations

import hashlib
import stat
import struct
import tomllib
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import zmq
from zmq.utils import z85

from core import whole
from core.errors import KeyFileError

#: The folder of keys in the post's data folder, and in it the post's own key.
FOLDER = "keys"
POST_FILE = "post.key"

#: A key's name is the name of its file, too.
KeyName = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,119}\Z")]
Z85 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}\Z")]


T = TypeVar("T", bound=msgspec.Struct)


class ClientKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a gateway or a partner holds: its own pair, and the public key of the post that it believes."""

    name: KeyName
    public: Z85
    secret: Z85
    server: Z85

    @classmethod
    def new(cls, name: str, server: str) -> ClientKey:
        """A pair that nobody had before."""
        return cls(name, *pair(), server)

    def secure(self, socket: zmq.Socket[bytes]) -> None:
        """Have a socket speak CURVE under this key; before it connects."""
        socket.curve_publickey = self.public.encode()
        socket.curve_secretkey = self.secret.encode()
        socket.curve_serverkey = self.server.encode()


class PostKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The post's own pair: by the public half everybody knows that this is the post."""

    public: Z85
    secret: Z85


def pair() -> tuple[str, str]:
    """A new (public, secret)."""
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def fingerprint(public: str | bytes) -> str:
    """By what people, events and counters name a key: 16 hex digits of SHA-256 over its 32 bytes, or over its Z85."""
    return hashlib.sha256(raw(public) if isinstance(public, str) else public).hexdigest()[:16]


def raw(key: str) -> bytes:
    """The 32 bytes of a key in Z85. Raises ValueError: five of its characters can say more than 32 bits hold."""
    try:
        decoded: bytes = z85.decode(key)
    except struct.error as error:
        raise ValueError(f"{key!r} is no Z85") from error
    return decoded


def read(path: Path) -> ClientKey:
    """A gateway's or partner's key. Raises KeyFileError where it is none, or others may read it."""
    return _read(path, ClientKey, "Make one at the post: ondijon keys new NAME --data DATA.")


def write(path: Path, key: ClientKey) -> None:
    """Write a key file for its owner alone. Raises KeyFileError where there is one already, or no room."""
    if path.exists():
        raise KeyFileError(
            "there is a file already, it is not overwritten.",
            where=str(path),
            next="Move it away, or choose another name.",
        )
    _write(path, key, f"The key of {key.name}. Keep it secret: whoever has it speaks for it.")


def post_key(data: Path) -> PostKey:
    """The post's own pair, made at the first call. Raises KeyFileError."""
    path = data / FOLDER / POST_FILE
    if not path.exists():
        data.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _write(
            path,
            PostKey(*pair()),
            "The post's own key. Keep a copy: without it every gateway needs a new file.",
        )
    return _read(path, PostKey, "Put the file back from the backup: gateways believe no other key.")


def _read(path: Path, kind: type[T], advice: str) -> T:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise KeyFileError(
                f"others may read this key (mode {mode:03o}).",
                where=str(path),
                next=f"Run: chmod 600 {path}. If somebody may have read it, rotate the key.",
            )
        key = msgspec.convert(tomllib.loads(path.read_text("utf-8")), kind)
        for field, value in msgspec.structs.asdict(key).items():
            if field != "name":
                raw(value)
        return key
    except (OSError, ValueError, RecursionError) as error:
        # TOML's errors, those of its text and of its types are all ValueErrors.
        raise KeyFileError(f"no key: {error}.", where=str(path), next=advice) from error


def _write(path: Path, key: ClientKey | PostKey, said: str) -> None:
    rows = [f'{field} = "{value}"' for field, value in msgspec.structs.asdict(key).items()]
    try:
        whole.write(path, "\n".join([f"# {said}", *rows, ""]).encode(), 0o600)
    except OSError as error:
        raise KeyFileError(f"cannot be written: {error}.", where=str(path)) from error
