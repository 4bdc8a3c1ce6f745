"""Does a piece of work again and again, each time in a fresh process that may be killed in the middle of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType

#: What it imports is imported once; each piece of work begins with a fork, of a process without other threads.
_LOOP = """
import os, sys
told = os.fdopen(os.dup(1), "w", buffering=1)
# What the work prints is not an answer.
os.dup2(2, 1)
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        work(*line.rstrip("\\n").split("\\t"))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=told)
"""


class Dying:
    """Python code that defines ``work(*arguments: str)``; call it with arguments for how that ended.

    0 is the end of the work, a negative number the signal that came before.
    """

    def __init__(self, code: str) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", code + _LOOP],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: object) -> int:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write("\t".join(map(str, arguments)) + "\n")
        self._popen.stdin.flush()
        return int(self._popen.stdout.readline())

    def __enter__(self) -> Dying:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._popen.kill()
        self._popen.communicate()
