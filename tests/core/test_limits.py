"""Open files: as many as the gateways need, or as the machine lets us have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import resource, sys
from core import limits
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(limits.allow_files(wanted), resource.getrlimit(resource.RLIMIT_NOFILE)[0], limits.files_possible())
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "said"),
    [
        (256, 4000, 2000, "2000 2000 4000"),
        (256, 1000, 2000, "1000 1000 1000"),
        (3000, 4000, 2000, "2000 3000 4000"),
    ],
)
def test_the_limit_is_raised_as_far_as_it_may_be(soft: int, hard: int, wanted: int, said: str) -> None:
    # In a process of its own: a hard limit that was lowered stays so.
    command = [sys.executable, "-c", SCRIPT, str(soft), str(hard), str(wanted)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert found.stdout.strip() == said


def test_too_low_a_hard_limit_is_said_by_check(tmp_path: Path) -> None:
    from core import city as cities
    from ondijon.testing import City

    cities.save(City.small(), tmp_path / "city")
    file = tmp_path / "post.toml"
    file.write_text('version = 1\n[post]\ncity = "city"\ndata = "data"\nplugins = ["lighting"]\n')
    script = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500));"
    script += "from adapters.cli.main import main; main()"
    checked = subprocess.run(
        [sys.executable, "-c", script, "check", file], capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == 0, checked.stderr
    assert "4096 sessions need 8256 open files an edge, this user may have 500" in checked.stdout
    assert "LimitNOFILE" in checked.stdout
