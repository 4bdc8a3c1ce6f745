"""Passwords, kept as Argon2id hashes (RFC 9106, by argon2-cffi) and never as they are."""

from __future__ import annotations

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from core.errors import ConfigError

#: Characters of a password at least. Length is what counts: no rule asks for digits or signs (ANSSI, NIST SP 800-63B).
LENGTH_MIN = 12

_hasher = argon2.PasswordHasher()


class Passwords:
    """Hashes and compares; for a person that is not there it takes as long."""

    def __init__(self, hasher: argon2.PasswordHasher = _hasher) -> None:
        self._hasher = hasher
        self._nobodys = hasher.hash("nobody's")

    def hash(self, password: str) -> str:
        """What is kept of a new password. Raises ConfigError for one that is too short."""
        if len(password) < LENGTH_MIN:
            raise ConfigError(
                f"the password has {len(password)} characters.",
                where="password",
                next=f"Take {LENGTH_MIN} or more; a few words in a row are good.",
            )
        return self._hasher.hash(password)

    def is_right(self, kept: str | None, password: str) -> bool:
        """Whether it is the one that was kept; ``None`` where nothing was."""
        try:
            return self._hasher.verify(kept or self._nobodys, password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False
