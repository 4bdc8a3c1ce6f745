"""The post's own troubles: alarms about the post itself. One stands as long as each step says that it holds."""

from __future__ import annotations

from core import vocabulary
from core.alarms import POST_ASSET, Alarms
from core.clock import Now


class Troubles:
    """What this step says of the post."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._said: set[str] = set()

    def say(self, code: str, now: Now, **data: str) -> None:
        """The trouble ``code`` holds in this step."""
        self._said.add(code)
        self._alarms.raise_(POST_ASSET, code, now.mono, dict(data))

    def end(self, now: Now) -> None:
        """The step has said all: what it did not say is over."""
        for kind in vocabulary.ALARMS:
            if kind.code not in self._said and self._alarms.holds(POST_ASSET, kind.code):
                self._alarms.clear(POST_ASSET, kind.code, now.mono)
        self._said.clear()
