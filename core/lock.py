"""One post a data folder: two kernels on one journal would command the same devices."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from core.errors import OndijonError

FILE = "lock"

#: How long (s) the processes of a run that was killed may take to end.
PATIENCE_S = 12.0


def hold(folder: Path, patience_s: float = PATIENCE_S) -> int:
    """Take ``folder`` and return a descriptor; processes that inherit it hold the folder too.

    So it is free when the last process of a run has ended, not when its supervisor has. Raises
    OndijonError where another run does not end in time.
    """
    fd = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o644)
    until = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                os.close(fd)
                raise OndijonError(
                    "another post runs on this data folder.",
                    where=str(folder),
                    next="Stop it first, or give this one a `data` folder of its own.",
                ) from error
            time.sleep(0.1)
        else:
            return fd
