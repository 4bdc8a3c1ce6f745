"""The post's own troubles: alarms about the post itself. One stands as long as each step says that it holds."""

from __future__ import annotations

from core import vocabulary
from core.alarms import POST_ASSET, Alarms
from core.clock import Now


class Troubles:
    """What the steps say of the post."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._said: set[str] = set()
        # After a restart any of them may stand.
        self._before = {kind.code for kind in vocabulary.ALARMS}

    def say(self, code: str, now: Now, **data: str) -> None:
        """The trouble ``code`` holds in this step."""
        self._said.add(code)
        self._alarms.raise_(POST_ASSET, code, now.mono, dict(data))

    def end(self, now: Now) -> None:
        """The step has said all: what the one before it said, and it did not, is over."""
        over = self._before - self._said
        for kind in vocabulary.ALARMS if over else ():
            if kind.code in over and self._alarms.holds(POST_ASSET, kind.code):
                self._alarms.clear(POST_ASSET, kind.code, now.mono)
        self._before, self._said = self._said, set()
