"""One post a data folder, until the last of its processes has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import lock
from core.errors import OndijonError


def test_a_held_folder_is_refused_until_its_last_holder_ends(tmp_path: Path) -> None:
    fd = lock.hold(tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=[fd]
    )
    with pytest.raises(OndijonError, match="another post runs on this data folder"):
        lock.hold(tmp_path, patience_s=0.2)
    os.close(fd)
    with pytest.raises(OndijonError, match="Stop it first"):
        lock.hold(tmp_path, patience_s=0.2)
    child.communicate(timeout=30)
    os.close(lock.hold(tmp_path))


def test_two_folders_are_two_posts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    for fd in [lock.hold(tmp_path / name, patience_s=0.2) for name in ("a", "b")]:
        os.close(fd)
