"""What the supervisor refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import config
from core.errors import ConfigError
from core.supervisor import Supervisor


def test_a_folder_whose_sockets_would_have_no_room_is_refused(tmp_path: Path) -> None:
    table = {"version": 1, "post": {"city": "city", "data": "data", "plugins": []}}
    post = config.from_table(table, "a test", tmp_path)
    folder = tmp_path / ("x" * 100)
    with pytest.raises(ConfigError, match=r"has \d+ bytes; local sockets have room for 100") as caught:
        Supervisor(post, folder)
    assert caught.value.exit_status == 78
    assert not folder.exists()
