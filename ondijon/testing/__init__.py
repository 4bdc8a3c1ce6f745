"""A post in a test: the real step, gate and journal interface, with a fake clock, disk and transport.

    post = Post(City.small(), ["lighting"], start="2026-01-15T23:30:00+01:00")
    post.sample("S0001", "presence_sensor.presence", 1)
    post.run(seconds=1)
    assert post.orders

No process, no socket; a post is built in some milliseconds.
"""

from __future__ import annotations

from core.sealed import Closed
from ondijon.testing.city import City
from ondijon.testing.journal import MemoryJournal
from ondijon.testing.post import Post

__all__ = ["City", "Closed", "MemoryJournal", "Post"]
