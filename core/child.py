"""The way every process of the post begins: bound to its supervisor, then the module it is there for.

``python -m core.child PARENT MODULE ARGUMENTS ...``
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

from core import logs

_PR_SET_PDEATHSIG = 1


def follow(parent: int) -> None:
    """Have SIGTERM come when the process ``parent``, which started this one, dies in whatever way.

    The kernel of the machine sends it: no thread is needed, and a busy process hears it too. It watches
    the thread that started us, so a supervisor starts its processes from its main thread.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        # It died before we asked: no signal will come any more.
        raise SystemExit(128 + signal.SIGTERM)


def main() -> None:
    """Bind to the parent, then run the module as if it had been started itself."""
    parent, module, *arguments = sys.argv[1:]
    follow(int(parent))
    logs.begin()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
