"""A small file that commands change while processes follow it: one changes it at a time, and it is there whole.

It is for its owner alone (mode 600).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from core import whole
from core.errors import OndijonError

T = TypeVar("T", bound=msgspec.Struct)
M = TypeVar("M")


@dataclass(frozen=True)
class Kept(Generic[T]):
    """A kind of such files: JSON of a ``kind``, of which ``kind()`` is the empty one.

    ``check`` raises ValueError for what no type can say. ``missing`` holds where there is no file; None: that is an
    ``error``, as everything else that is wrong with it. ``name`` it has in errors, ``rows`` what is in it, ``next``
    what to do about one that cannot be read.
    """

    kind: type[T]
    check: Callable[[T], None]
    error: type[OndijonError]
    name: str
    rows: str
    next: str
    missing: T | None = None

    def load(self, file: Path) -> T:
        """Read one. Raises ``error``."""
        try:
            return self._decode(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            if isinstance(error, FileNotFoundError) and self.missing is not None:
                return self.missing
            raise self.error(f"no {self.name}: {error}.", where=str(file), next=self.next) from error

    @contextlib.contextmanager
    def changing(self, file: Path, open: Callable[[T], M], close: Callable[[M], T]) -> Iterator[M]:
        """What ``open`` makes of it, to change in place; what ``close`` makes of that is written at the end.

        One at a time; nothing is written where the caller raises, or nothing changed. Raises ``error``.
        """
        with self._locked(file):
            before = self.load(file) if file.exists() else None
            rows = open(self.kind() if before is None else before)
            yield rows
            changed = close(rows)
            if changed != before:
                self._write(file, changed)

    @contextlib.contextmanager
    def _locked(self, file: Path) -> Iterator[None]:
        with contextlib.ExitStack() as held:
            try:
                file.parent.mkdir(mode=0o700, exist_ok=True)
                lock = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
                held.callback(os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                raise self.error(
                    f"no folder of {self.rows} here: {error}.",
                    where=str(file.parent),
                    next="Name the post's `data` folder.",
                ) from error
            yield

    def _write(self, file: Path, changed: T) -> None:
        written = msgspec.json.format(msgspec.json.encode(changed), indent=1)
        try:
            # Read as it will be read: nothing is written that would be refused.
            self._decode(written)
            whole.write(file, written, 0o600)
        except (OSError, ValueError) as error:
            raise self.error(f"the list cannot be written: {error}.", where=str(file)) from error

    def _decode(self, data: bytes) -> T:
        found = msgspec.json.decode(data, type=self.kind)
        self.check(found)
        return found


class Watch(Generic[T]):
    """A process's view of one: while it cannot be read, the last one ``held``, and ``trouble`` says why."""

    def __init__(self, kept: Kept[T], file: Path) -> None:
        self.held = kept.kind()
        self.trouble = ""
        self._kept, self._file = kept, file
        self._seen: tuple[int, ...] | None = ()

    def look(self) -> T:
        """Return what holds now; read anew where the file changed since the last look, which one stat tells."""
        try:
            found = self._file.stat()
            seen: tuple[int, ...] | None = (found.st_ctime_ns, found.st_ino, found.st_size)
        except OSError:
            seen = None
        if seen != self._seen:
            self._seen = seen
            try:
                self.held, self.trouble = self._kept.load(self._file), ""
            except self._kept.error as error:
                self.trouble = str(error)
        return self.held
