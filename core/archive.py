"""Zip archives from outside: what they unpack to is bounded, whatever they declare."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable

_CHUNK = 1 << 20


def unpack(archive: zipfile.ZipFile, names: Iterable[str], most: int) -> dict[str, bytes]:
    """The files ``names`` of an archive. Raises ValueError beyond ``most`` bytes together, zipfile's own errors
    for one that is damaged, KeyError for one that is not there."""
    contents: dict[str, bytes] = {}
    for name in names:
        info = archive.getinfo(name)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # Of these zipfile unpacks a file at once, before it looks at its length.
            raise ValueError(f"{name!r} is packed by a method that is not read (only deflate is)")
        content = bytearray()
        with archive.open(info) as file:
            while chunk := file.read(_CHUNK):
                content += chunk
                most -= len(chunk)
                if most < 0:
                    raise ValueError("unpacks to more than a city needs")
        contents[name] = bytes(content)
    return contents
