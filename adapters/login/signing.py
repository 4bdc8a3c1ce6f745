"""The key that signs tokens: its secret half is the login process's alone, the kernel has the public one."""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.login.people import FOLDER
from core import whole
from core.errors import ConfigError

KEY_FILE, PUBLIC_FILE = "login.key", "login.pub"


def signing_key(data: Path) -> Ed25519PrivateKey:
    """The key of a post, made at the first call, and its public half for `[gate] login_key`. Raises ConfigError."""
    file, public = data / FOLDER / KEY_FILE, data / FOLDER / PUBLIC_FILE
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            whole.write(
                file, base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()) + b"\n", 0o600
            )
        key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(file.read_bytes(), validate=False))
        if not public.exists():
            raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            whole.write(public, base64.b64encode(raw) + b"\n", 0o644)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no signing key: {error}.",
            where=str(file),
            next="Put it back from the backup, or move it away: then everybody logs in again.",
        ) from error
    return key
